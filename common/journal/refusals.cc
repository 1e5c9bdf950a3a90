#include "common/journal/refusals.h"

#include "absl/strings/str_cat.h"
#include "common/status/refusals.h"
#include "common/status/status.h"

namespace transparency::journal {

using absl::StatusCode;

absl::Status StorageUnavailable() {
  return status::StorageUnavailable(
      "The database cannot be written to at the moment; nothing was done.");
}

absl::Status Overloaded() {
  return status::Overloaded("Too many changes wait already; nothing was done.",
                            absl::Milliseconds(500));
}

absl::Status Draining() {
  return status::Draining("This replica is shutting down; nothing was done.");
}

absl::Status DeadlinePassed() {
  return status::DeadlinePassed(
      "The call's time ran out before its turn came; nothing was done.");
}

absl::Status CallCancelled() {
  return status::CallCancelled("The caller went away; nothing was done.");
}

absl::Status OutcomeUnknown() {
  return status::OutcomeUnknown(
      "The connection to the database was lost while the change was being "
      "committed. Ask again with the same request_id.");
}

absl::Status Defect() {
  return status::Defect(
      "The service failed to carry this out; nothing was "
      "done. The failure is logged.");
}

absl::Status RequestIdReused(const std::string& request_id) {
  return status::Refuse(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED",
                        absl::StrCat("request_id ", request_id,
                                     " came before with another request."),
                        {{"requestId", request_id}});
}

}  // namespace transparency::journal
