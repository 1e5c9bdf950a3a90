#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"

// Refusals as clients see them (AIP-193): an absl::Status whose payloads are
// the google.rpc detail messages, keyed by their type URL. Every refusal made
// here carries one ErrorInfo; its domain is filled in where the answer leaves
// the process. Messages are for developers in other teams: they name the field
// or the resource and what was expected, never SQL, paths or stacks.
namespace transparency::status {

inline constexpr char kTypeUrlPrefix[] = "type.googleapis.com/";

// Most violations that one BadRequest lists; the rest is counted.
inline constexpr int kMaxViolations = 20;

// `key` and `value` of ErrorInfo.metadata: every dynamic value of the message.
using Metadata = std::vector<std::pair<std::string, std::string>>;

// A refusal with an ErrorInfo of this reason, the name of an enum value such as
// "STEP_NOT_ALLOWED".
absl::Status Refuse(absl::StatusCode code, absl::string_view reason,
                    absl::string_view message, const Metadata& metadata = {});

// Adds a detail message; a second one of the same type replaces the first.
void AddDetail(absl::Status* status, const google::protobuf::Message& detail);

// Reads a detail back. False when there is none of its type.
bool FindDetail(const absl::Status& status, google::protobuf::Message* detail);

// The reason of the status's ErrorInfo; empty when it has none.
std::string Reason(const absl::Status& status);

// INVALID_ARGUMENT over one field; `field` is its path as in the proto.
absl::Status InvalidField(absl::string_view field,
                          absl::string_view description);

// NOT_FOUND of a resource, also for one that the caller may not see.
absl::Status NotFound(absl::string_view type, absl::string_view name);

// FAILED_PRECONDITION that a state forbids a step (AIP-216); names the present
// state and the steps it allows.
absl::Status StepNotAllowed(absl::string_view type, absl::string_view name,
                            absl::string_view step, absl::string_view state,
                            const std::vector<std::string>& allowed_steps);

// FAILED_PRECONDITION with a PreconditionFailure over `subject`, a resource
// name or field path.
absl::Status Precondition(absl::string_view reason, absl::string_view subject,
                          absl::string_view description,
                          const Metadata& metadata = {});

// ALREADY_EXISTS with the reason NOT_UNIQUE: `other` holds the value already.
absl::Status NotUnique(absl::string_view field, absl::string_view value,
                       absl::string_view other);

// UNAVAILABLE or RESOURCE_EXHAUSTED, to be tried again after `delay`.
absl::Status RetryLater(absl::StatusCode code, absl::string_view reason,
                        absl::string_view message, absl::Duration delay);

// All that is wrong with one request, gathered before it is refused.
class Violations {
 public:
  void Add(absl::string_view field, absl::string_view description);
  bool empty() const { return count_ == 0; }

  // INVALID_ARGUMENT with the first kMaxViolations, or OK when there are none.
  absl::Status ToStatus() const;

 private:
  std::vector<std::pair<std::string, std::string>> first_;
  int count_ = 0;
};

}  // namespace transparency::status
