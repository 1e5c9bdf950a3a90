#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "common/postgres/session.h"
#include "common/resource/kind.h"

namespace transparency::journal {

// Writes a journal of before the migration 0002_salted_entries anew in today's
// format: each entry gets its salt, commitments, public digest (of the public
// form as it is defined now) and the digest that chains it, in one transaction
// under the writer's lock. What the entries say stays. Returns how many there
// were; 0 when the journal is of today's format. For the role that may alter
// tables, after postgres::Migrate, while no replica runs.
absl::StatusOr<int64_t> ConvertJournal(postgres::Session* session,
                                       const resource::Catalogue& catalogue);

}  // namespace transparency::journal
