#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/journal/entry.h"
#include "common/journal/store.h"
#include "common/journal/table.h"
#include "common/postgres/session.h"
#include "common/resource/snapshot.h"

namespace transparency::journal {

// The newest row of the journal and the database's clock.
struct Head {
  int64_t revision = -1;
  std::string digest;
  absl::Time record_time = absl::InfinitePast();
  absl::Time database_time;
};

// Gives one row for ParseHead.
inline constexpr char kSelectHead[] = R"sql(
  SELECT clock_timestamp(), j.revision, j.digest, j.record_time
  FROM (VALUES (1)) AS one LEFT JOIN LATERAL (
    SELECT revision, digest, record_time FROM journal
    ORDER BY revision DESC LIMIT 1) j ON true)sql";
Head ParseHead(const postgres::Result& row);

// An entry and the personal fields that its resource has by now.
struct Replayed {
  Entry entry;
  bool has_personal = false;
  std::string personal_salt;
  std::string personal_body;
};

// Entries after `revision` in order, at most `limit`.
absl::StatusOr<std::vector<Replayed>> ReadEntries(postgres::Session* session,
                                                  int64_t revision,
                                                  int64_t limit,
                                                  absl::Time deadline);
inline constexpr int64_t kReplayLimit = 1024;

// Brings the builder forward by the entries, each at `now` or the builder's own
// instant, whichever is later, and appends their marks. DATA_LOSS when they do
// not continue the builder's history. A kind that the catalogue does not know
// (a newer binary's) leaves its mark alone.
absl::Status Replay(const std::vector<Replayed>& entries, absl::Time now,
                    resource::SnapshotBuilder* builder,
                    std::vector<Store::Mark>* marks);

// The resource of an entry that is no erasure, in effect at `at`: at the
// entry's record_time just as it was recorded. DATA_LOSS when the body cannot
// be read.
absl::StatusOr<resource::ItemPtr> ItemOf(const resource::Kind& kind,
                                         const Replayed& replayed,
                                         absl::Time at);

// Replay for one entry, whatever its digest: for checking.
absl::Status ReplayUnchecked(const Replayed& entry, absl::Time now,
                             resource::SnapshotBuilder* builder);

// What Store::Load takes.
struct Loaded {
  resource::Snapshot snapshot;
  std::vector<Store::Mark> marks;
  // Rows that are not what the journal commits to, a line each.
  std::vector<std::string> problems;
};

// Reads all tables as of one instant of the database, in a transaction of its
// own.
absl::StatusOr<Loaded> LoadTables(postgres::Session* session,
                                  const resource::Catalogue& catalogue,
                                  const std::vector<Table>& tables,
                                  const Clock& clock, absl::Time deadline);
// Begins a transaction that sees one instant of the database, however long it
// takes between its statements.
absl::Status BeginSnapshotRead(postgres::Session* session, absl::Time deadline);
// LoadTables in the transaction under way, brought into effect at `now`.
absl::StatusOr<Loaded> LoadInTransaction(postgres::Session* session,
                                         const resource::Catalogue& catalogue,
                                         const std::vector<Table>& tables,
                                         absl::Time now, absl::Time deadline);

}  // namespace transparency::journal
