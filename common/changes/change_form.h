#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/caller.h"
#include "common/journal/entry.h"
#include "common/query/predicate.h"
#include "google/protobuf/message.h"
#include "transparency/journal/v1/change.pb.h"

namespace transparency::changes {

// Which fields of a message that is no resource its callers know: the
// `audience` of its own fields, compiled once. Immutable, thread-safe.
class Audiences {
 public:
  // An audience that cannot be read is a defect of the contract.
  static absl::StatusOr<Audiences> Of(const google::protobuf::Descriptor& type);

  // Clears what the caller does not see.
  void Clear(const Caller& caller, google::protobuf::Message* message) const;
  // INVALID_ARGUMENT over the first field that is set and that the caller does
  // not know.
  absl::Status Check(const Caller& caller,
                     const google::protobuf::Message& request) const;

 private:
  std::vector<std::pair<const google::protobuf::FieldDescriptor*,
                        std::shared_ptr<const query::Predicate>>>
      fields_;
};

// An entry of this service as the contract shows it, to somebody who sees all
// of it.
journal::v1::Change ToChange(absl::string_view service,
                             const journal::Entry& entry);

// To somebody who does not see it: that there is one.
journal::v1::Change ToWithheldChange(absl::string_view service,
                                     const journal::Entry& entry);

}  // namespace transparency::changes
