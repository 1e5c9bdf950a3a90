#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/postgres/session.h"

namespace transparency::journal {

// Keys made of the database's secret, one for each use, the same for all its
// replicas. They leave the process in nothing but digests.
struct Secrets {
  std::string etag_key;
  std::string request_key;
};

// FAILED_PRECONDITION when the journal is still of an older format.
absl::StatusOr<Secrets> ReadSecrets(postgres::Session* session,
                                    absl::Time deadline);

}  // namespace transparency::journal
