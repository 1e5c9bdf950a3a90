#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/journal/replica/decision.h"
#include "common/resource/item.h"
#include "common/resource/kind.h"

namespace transparency::methods {

// The live resource that a command changes: NOT_FOUND when there is none that
// the caller sees, ABORTED when `etag` is not empty and not its own.
absl::StatusOr<resource::ItemPtr> FindForChange(
    const journal::Decision& decision, const resource::Kind& kind,
    const std::string& name, absl::string_view etag);

// A resource's bytes in the caller's form.
std::string InForm(const resource::Item& item, const Caller& caller);

// FAILED_PRECONDITION, REFERENCE_NOT_FOUND, when a field of `resource` refers
// to another resource of this service that does not live or that the caller
// does not see. References that `before` (may be null) held already are let be.
absl::Status CheckReferences(const journal::Decision& decision,
                             const google::protobuf::Message& resource,
                             const google::protobuf::Message* before,
                             absl::string_view path);

}  // namespace transparency::methods
