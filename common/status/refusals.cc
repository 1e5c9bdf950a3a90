#include "common/status/refusals.h"

namespace transparency::status {

const std::string& ReasonName(type::v1::CommonErrorReason reason) {
  return type::v1::CommonErrorReason_Name(reason);
}

absl::Status Overloaded(absl::string_view message, absl::Duration delay) {
  return RetryLater(absl::StatusCode::kResourceExhausted,
                    ReasonName(type::v1::OVERLOADED), message, delay);
}

absl::Status Draining(absl::string_view message) {
  return RetryLater(absl::StatusCode::kUnavailable,
                    ReasonName(type::v1::DRAINING), message,
                    absl::Milliseconds(100));
}

absl::Status StorageUnavailable(absl::string_view message) {
  return RetryLater(absl::StatusCode::kUnavailable,
                    ReasonName(type::v1::STORAGE_UNAVAILABLE), message,
                    absl::Seconds(1));
}

absl::Status DeadlinePassed(absl::string_view message) {
  return Refuse(absl::StatusCode::kDeadlineExceeded,
                ReasonName(type::v1::DEADLINE_PASSED), message);
}

absl::Status CallCancelled(absl::string_view message) {
  return Refuse(absl::StatusCode::kCancelled,
                ReasonName(type::v1::CALL_CANCELLED), message);
}

absl::Status OutcomeUnknown(absl::string_view message) {
  return Refuse(absl::StatusCode::kUnknown,
                ReasonName(type::v1::OUTCOME_UNKNOWN), message);
}

absl::Status Malformed(absl::string_view message) {
  return Refuse(absl::StatusCode::kInvalidArgument,
                ReasonName(type::v1::MALFORMED_REQUEST), message);
}

absl::Status TokenUnknown(absl::string_view message) {
  return Refuse(absl::StatusCode::kUnauthenticated,
                ReasonName(type::v1::TOKEN_UNKNOWN), message);
}

absl::Status Defect(absl::string_view message) {
  return Refuse(absl::StatusCode::kInternal, ReasonName(type::v1::DEFECT),
                message);
}

absl::Status HistoryChanged(absl::string_view subject,
                            absl::string_view description,
                            const Metadata& metadata) {
  return Precondition(ReasonName(type::v1::HISTORY_CHANGED), subject,
                      description, metadata);
}

}  // namespace transparency::status
