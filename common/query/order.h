#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/fields/field_access.h"
#include "common/fields/field_subset.h"
#include "google/protobuf/message.h"

namespace transparency::query {

// The order of a list (AIP-132): `certificate_number, issue_date desc`, with
// dots to fields of messages, made total by the name. Immutable, thread-safe.
//
// Text sorts by code points, text meant for people (neither a resource name nor
// of a format) without regard to case; by its first 100 bytes either way. Enums
// sort by number, dates by the first day that they can mean, the less precise
// first. What is not set comes first, with `desc` last. Repeated fields, maps,
// bytes and personal fields do not sort: what an order is by is part of page
// tokens.
class Order {
 public:
  static constexpr size_t kMaxFields = 4;

  // INVALID_ARGUMENT, reason QUERY_INVALID, with the position. Empty: by name.
  static absl::StatusOr<std::shared_ptr<const Order>> Parse(
      absl::string_view text, const google::protobuf::Descriptor& type,
      const fields::FieldAccess& access = fields::FieldAccess());

  // Nothing but the name, ascending.
  bool by_name() const { return fields_.empty(); }

  // The fields that Key looks at.
  const fields::FieldSubset& fields() const { return subset_; }

  // Resources sort as the bytes of their keys do, those with equal keys by name
  // ascending. Replaces `key`. At most kMaxKeyBytes.
  void Key(const google::protobuf::Message& resource, std::string* key) const;
  static constexpr size_t kMaxKeyBytes = kMaxFields * 102;

 private:
  struct Field {
    fields::FieldPath path;
    bool descending = false;
    bool for_people = false;
  };

  std::vector<Field> fields_;
  fields::FieldSubset subset_;
};

}  // namespace transparency::query
