#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/status/status.h"
#include "transparency/type/v1/error_reason.pb.h"

// The refusals that any part of a process may have to give. Each has its code,
// its reason and its advice when to try again from here alone; the message says
// what was going on.
namespace transparency::status {

// "DRAINING": the reason as ErrorInfo bears it.
const std::string& ReasonName(type::v1::CommonErrorReason reason);

// RESOURCE_EXHAUSTED: a queue or a share is full; to be tried again after
// `delay`.
absl::Status Overloaded(absl::string_view message,
                        absl::Duration delay = absl::Milliseconds(500));

// UNAVAILABLE: the process is being stopped and has done nothing; another
// replica may be asked at once.
absl::Status Draining(
    absl::string_view message =
        "The process is being stopped and did nothing; call another.");

// UNAVAILABLE: the database cannot be reached, and nothing was done.
absl::Status StorageUnavailable(absl::string_view message);

// DEADLINE_EXCEEDED before anything was done.
absl::Status DeadlinePassed(
    absl::string_view message = "The call's time ran out.");

// CANCELLED: the caller went away before anything was done.
absl::Status CallCancelled(absl::string_view message = "The caller went away.");

// UNKNOWN: the change may have been made or not.
absl::Status OutcomeUnknown(absl::string_view message);

// INVALID_ARGUMENT: the request's bytes are not the message that was expected.
absl::Status Malformed(absl::string_view message);

// UNAUTHENTICATED: the call needs a bearer token that is known here.
absl::Status TokenUnknown(absl::string_view message);

// INTERNAL: our own mistake, which the log tells of.
absl::Status Defect(absl::string_view message);

// FAILED_PRECONDITION: `subject`, a field or a revision, is of a history that
// was put back or changed.
absl::Status HistoryChanged(absl::string_view subject,
                            absl::string_view description,
                            const Metadata& metadata = {});

}  // namespace transparency::status
