#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/postgres/session.h"
#include "common/resource/kind.h"

namespace transparency::journal {

// What Check looked at and what is wrong with it.
struct CheckReport {
  int64_t entries = 0;
  int64_t resources = 0;
  int64_t personal_bodies = 0;
  // One line each; none: all is well.
  std::vector<std::string> problems;
};

// Proves of one instant of a database, while services run on:
//   - the journal is dense from 0, its times never go back, its chain of
//     digests holds, its bodies are what it commits to
//   - each row and its personal fields are what its entry commits to
//   - the tables hold what the journal, replayed from its beginning, gives
//   - typed columns hold what the stored bodies say
//   - what live resources refer to is there and live
//   - personal bodies belong to resources that have personal fields
// Reports every problem it finds; an error only when it cannot look.
absl::StatusOr<CheckReport> Check(postgres::Session* session,
                                  const resource::Catalogue& catalogue,
                                  absl::Time now);

}  // namespace transparency::journal
