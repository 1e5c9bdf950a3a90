#pragma once

#include <string>

#include "absl/status/status.h"

namespace transparency::journal {

// What the writer itself refuses with; see Command::done.
absl::Status StorageUnavailable();
absl::Status Overloaded();
absl::Status Draining();
absl::Status DeadlinePassed();
absl::Status CallCancelled();
absl::Status OutcomeUnknown();
absl::Status Defect();
absl::Status RequestIdReused(const std::string& request_id);

}  // namespace transparency::journal
