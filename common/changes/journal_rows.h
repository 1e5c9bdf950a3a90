#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "common/changes/selection.h"
#include "common/journal/replay.h"
#include "common/postgres/session.h"
#include "common/resource/item.h"
#include "common/resource/kind.h"

// What the journal in PostgreSQL holds. On a thread of JournalReader.
namespace transparency::changes {

// An entry with its resource before and after it, each as recorded.
struct JournalRow {
  // With the body as it left it, an erasure too; empty for an unknown kind.
  journal::Entry entry;
  const resource::Kind* kind;  // null: not known to this binary
  resource::ItemPtr before;    // null: there was none
  resource::ItemPtr after;
};

struct RowQuery {
  const resource::Catalogue* catalogue;
  const Selection* selection;
  std::string actor;  // empty: anybody's
  // Revisions; `last` is included.
  int64_t first = 0;
  int64_t last = 0;
  bool descending = false;
  int64_t limit = 0;
  // With the personal fields that the resources have by now.
  bool personal = false;
};

// Most revisions that are looked at in one statement.
inline constexpr int64_t kRowWindow = 10'000;
// Most rows to ask for at once, for the memory they take.
inline constexpr int64_t kRowsAtOnce = 100;

// Entries of the revisions asked for, in order. Where several names are
// selected, `last` - `first` is less than kRowWindow.
absl::StatusOr<std::vector<JournalRow>> ReadRows(postgres::Session* session,
                                                 const RowQuery& query,
                                                 absl::Time deadline);

// The last revision up to `head` that was recorded before `time`, or not after
// it; -1 when none was.
enum class Bound { kBefore, kNotAfter };
absl::StatusOr<int64_t> RevisionAt(postgres::Session* session, absl::Time time,
                                   Bound bound, int64_t head,
                                   absl::Time deadline);

// The last revision; -1 when there is none.
absl::StatusOr<int64_t> ReadHead(postgres::Session* session,
                                 absl::Time deadline);

struct LastQuery {
  const resource::Kind* kind;
  std::string name;
  int64_t revision;
  // When it is in effect; absent: when `revision` was recorded.
  absl::optional<absl::Time> at;
  bool personal = false;  // as in RowQuery
};

// The last entry of a name up to a revision, and what it left; absent when
// there is none.
absl::StatusOr<absl::optional<JournalRow>> ReadLast(postgres::Session* session,
                                                    const LastQuery& query,
                                                    absl::Time deadline);

// The chain digest of a revision; empty when there is none.
absl::StatusOr<std::string> ReadDigest(postgres::Session* session,
                                       int64_t revision, absl::Time deadline);

}  // namespace transparency::changes
