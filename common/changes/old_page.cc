#include "common/changes/old_page.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "common/changes/journal_rows.h"
#include "common/changes/watch_event.h"
#include "common/changes/withheld.h"
#include "common/journal/store.h"
#include "common/status/refusals.h"

namespace transparency::changes {
namespace {

// A page ends with the event that fills so many bytes: each of very many
// watches may hold one.
constexpr size_t kPageBytes = size_t{64} << 10;

absl::Status Prove(postgres::Session* session, const Place& place,
                   absl::Time deadline) {
  if (place.revision < 0) return absl::OkStatus();
  auto digest = ReadDigest(session, place.revision, deadline);
  if (!digest.ok()) return digest.status();
  return absl::StartsWith(absl::BytesToHexString(*digest), place.digest)
             ? absl::OkStatus()
             : HistoryChanged();
}

}  // namespace

absl::Status HistoryChanged() {
  return status::HistoryChanged(
      "resume_token",
      "The service's history is not the one of this token: it was put back to "
      "an earlier state. Read everything anew.");
}

absl::StatusOr<OldPage> OldPage::Read(postgres::Session* session,
                                      const resource::Snapshot& now,
                                      const Watch& watch,
                                      const Request& request,
                                      absl::Time deadline) {
  if (request.prove) {
    absl::Status proven = Prove(session, *watch.plan.resume, deadline);
    if (!proven.ok()) return proven;
  }
  RowQuery query;
  query.catalogue = &now.catalogue();
  query.selection = &watch.plan.selection;
  query.first = request.after + 1;
  query.last = std::min(request.head, request.after + kRowWindow);
  query.limit = request.rows;
  query.personal = true;
  auto rows = ReadRows(session, query, deadline);
  if (!rows.ok()) return rows.status();
  OldPage page;
  page.rows = std::min(2 * query.limit, kRowsAtOnce);
  const bool whole = static_cast<int64_t>(rows->size()) < query.limit;
  const journal::Entry* last = whole ? nullptr : &rows->back().entry;
  size_t bytes = 0;
  for (size_t i = 0; i < rows->size() && bytes < kPageBytes; ++i) {
    const JournalRow& row = (*rows)[i];
    if (row.kind == nullptr) continue;
    const Difference difference{row.before.get(), row.after.get()};
    const Caller& caller = watch.call->caller();
    std::string event = EventOf(
        difference, caller,
        journal::Store::RevisionToken(row.entry.revision, row.entry.digest),
        row.entry.record_time, DeletedBy(now, *row.after));
    if (event.empty()) continue;
    bytes += event.size();
    page.events.push_back({row.entry.revision, row.entry.name,
                           EffectOf(difference, caller),
                           IsWithheld(now, row.entry.name, caller),
                           Outbox::Share(std::move(event))});
    if (bytes < kPageBytes) continue;
    // What follows would be read in vain.
    page.rows = static_cast<int64_t>(i) + 1;
    last = &row.entry;
  }
  page.end = last != nullptr ? last->revision : query.last;
  auto digest =
      last != nullptr ? last->digest : ReadDigest(session, page.end, deadline);
  if (!digest.ok()) return digest.status();
  if (digest->empty()) return HistoryChanged();
  page.token = journal::Store::RevisionToken(page.end, *digest);
  return page;
}

}  // namespace transparency::changes
