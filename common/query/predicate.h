#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/caller.h"
#include "common/fields/field_subset.h"
#include "google/protobuf/message.h"

namespace transparency::query {

// What a predicate says of a caller before any message is looked at.
enum class Reach { kNever, kDepends, kAlways };

// A filter of the contract (`visible_when`, `audience`): AIP-160 over one
// message type, in which `caller.subject` and `caller.roles` stand for the
// caller, on either side of a comparison. Immutable, thread-safe.
//
// The public has no subject and no roles: no comparison with them matches, not
// even !=. `caller.subject:*` matches whoever is identified. With the caller on
// the left, text without quotes on the right names a field.
class Predicate {
 public:
  // INVALID_ARGUMENT with the position when the text is no filter over `type`.
  static absl::StatusOr<std::shared_ptr<const Predicate>> Compile(
      absl::string_view text, const google::protobuf::Descriptor& type);

  virtual ~Predicate() = default;
  virtual bool Matches(const google::protobuf::Message& message,
                       const Caller& caller) const = 0;
  // The fields that Matches looks at.
  virtual const fields::FieldSubset& fields() const = 0;
  // kNever and kAlways hold for every message.
  virtual Reach ReachOf(const Caller& caller) const = 0;
};

}  // namespace transparency::query
