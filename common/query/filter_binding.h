#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/fields/field_access.h"
#include "common/query/filter_tree.h"
#include "google/protobuf/descriptor.h"

namespace transparency::query::filter_tree {

// Whether a filter may name `caller.subject` and `caller.roles`, which then
// hide a field `caller` of the message.
enum class CallerWords { kNo, kYes };

// Reads a filter and binds it to the fields of `type`. Null for an empty one.
// QUERY_INVALID when it cannot be.
absl::StatusOr<NodePtr> Bind(absl::string_view text,
                             const google::protobuf::Descriptor& type,
                             const fields::FieldAccess& access,
                             CallerWords words);

}  // namespace transparency::query::filter_tree
