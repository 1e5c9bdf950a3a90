#include "common/changes/journal_rows.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/changes/journal_reader.h"
#include "common/postgres/params.h"

namespace transparency::changes {
namespace {

using journal::v1::Change;
using resource::ItemPtr;

// An erasure (kind 5) has no body: what it left is what stood before, without
// personal fields.
constexpr char kColumns[] = R"sql(
  SELECT j.revision, j.record_time, j.name, j.kind, j.step, j.actor, j.reason,
         j.public_digest, j.digest, j.body, b.record_time, b.body, p.salt, p.body,
         j.request_id, j.salt, j.body_commitment, j.personal_commitment
  FROM (
    SELECT * FROM journal
    WHERE revision >= $1::bigint AND revision <= $2::bigint
      AND ($3::text = '' OR actor = $3::text) AND )sql";
constexpr char kOneName[] = "name = $5::text";
constexpr char kNames[] = "($5::text = '' OR name ~ $5::text)";
constexpr char kBefore[] = R"sql(LIMIT $4::bigint) j
  LEFT JOIN LATERAL (
    SELECT record_time, body FROM journal
    WHERE name = j.name AND revision < j.revision AND kind <> 5
    ORDER BY revision DESC LIMIT 1) b ON true
  LEFT JOIN personal p ON $6::bigint = 1 AND p.resource = j.name )sql";
constexpr char kAscending[] = " ORDER BY revision ";
constexpr char kDescending[] = " ORDER BY revision DESC ";

constexpr char kSelectRecordTime[] =
    "SELECT record_time FROM journal WHERE revision = $1::bigint";
constexpr char kSelectDigest[] =
    "SELECT digest FROM journal WHERE revision = $1::bigint";

std::string MakeSql(bool one_name, bool descending) {
  const char* order = descending ? kDescending : kAscending;
  return absl::StrCat(kColumns, one_name ? kOneName : kNames, order, kBefore,
                      order);
}

// Prepared once per session under its text.
const std::string& SqlFor(bool one_name, bool descending) {
  static const std::string sql[] = {MakeSql(false, false), MakeSql(false, true),
                                    MakeSql(true, false), MakeSql(true, true)};
  return sql[(one_name ? 2 : 0) + (descending ? 1 : 0)];
}

absl::StatusOr<ItemPtr> Recorded(const resource::Kind& kind,
                                 journal::Replayed replayed, std::string body,
                                 absl::Time at) {
  replayed.entry.body = std::move(body);
  return journal::ItemOf(kind, replayed, at);
}

journal::Replayed ReadEntry(const postgres::Result& rows, int row) {
  journal::Replayed replayed;
  journal::Entry& entry = replayed.entry;
  entry.revision = rows.Int(row, 0);
  entry.record_time = rows.Time(row, 1);
  entry.name = rows.Text(row, 2);
  entry.kind = static_cast<journal::ChangeKind>(rows.Int(row, 3));
  entry.step = rows.Text(row, 4);
  entry.actor = rows.Text(row, 5);
  entry.reason = rows.Text(row, 6);
  if (!rows.IsNull(row, 7)) entry.public_digest = rows.Text(row, 7);
  entry.digest = rows.Text(row, 8);
  entry.request_id = rows.Text(row, 14);
  entry.salt = rows.Text(row, 15);
  entry.body_commitment = rows.Text(row, 16);
  entry.personal_commitment = rows.Text(row, 17);
  return replayed;
}

absl::Status ReadItems(const postgres::Result& rows, int row,
                       absl::optional<absl::Time> at,
                       journal::Replayed replayed, JournalRow* out) {
  const bool has_before = !rows.IsNull(row, 10);
  if (has_before) {
    auto before =
        Recorded(*out->kind, replayed, rows.Text(row, 11), rows.Time(row, 10));
    if (!before.ok()) return before.status();
    out->before = *std::move(before);
  }
  if (!rows.IsNull(row, 12)) {
    replayed.has_personal = true;
    replayed.personal_salt = rows.Text(row, 12);
    replayed.personal_body = rows.Text(row, 13);
  }
  const int body = replayed.entry.kind == Change::ERASED ? 11 : 9;
  out->entry.body = rows.Text(row, body);
  auto after = Recorded(*out->kind, std::move(replayed), out->entry.body,
                        at.value_or(out->entry.record_time));
  if (!after.ok()) return after.status();
  out->after = *std::move(after);
  return absl::OkStatus();
}

absl::StatusOr<postgres::Result> Ask(postgres::Session* session,
                                     absl::string_view sql,
                                     const postgres::Params& params,
                                     absl::Time deadline) {
  auto rows = session->Query(sql, params, deadline);
  if (!rows.ok()) return ReadFailure(rows.status());
  return rows;
}

absl::StatusOr<absl::Time> RecordTime(postgres::Session* session,
                                      int64_t revision, absl::Time deadline) {
  postgres::Params params;
  params.Int(revision);
  auto rows = Ask(session, kSelectRecordTime, params, deadline);
  if (!rows.ok()) return rows.status();
  return rows->rows() == 0 ? absl::InfiniteFuture() : rows->Time(0, 0);
}

}  // namespace

absl::StatusOr<std::vector<JournalRow>> ReadRows(postgres::Session* session,
                                                 const RowQuery& query,
                                                 absl::Time deadline) {
  const std::string& only = query.selection->only_name();
  const std::string names = only.empty() ? query.selection->Regex() : only;
  postgres::Params params;
  params.Int(query.first)
      .Int(query.last)
      .Text(query.actor)
      .Int(query.limit)
      .Text(names)
      .Int(query.personal ? 1 : 0);
  auto rows =
      Ask(session, SqlFor(!only.empty(), query.descending), params, deadline);
  if (!rows.ok()) return rows.status();
  std::vector<JournalRow> read(static_cast<size_t>(rows->rows()));
  for (int row = 0; row < rows->rows(); ++row) {
    JournalRow& out = read[static_cast<size_t>(row)];
    journal::Replayed replayed = ReadEntry(*rows, row);
    out.entry = replayed.entry;
    out.kind = query.catalogue->ByName(out.entry.name);
    if (out.kind == nullptr) continue;
    absl::Status status =
        ReadItems(*rows, row, absl::nullopt, std::move(replayed), &out);
    if (!status.ok()) return ReadFailure(status);
  }
  return read;
}

absl::StatusOr<int64_t> RevisionAt(postgres::Session* session, absl::Time time,
                                   Bound bound, int64_t head,
                                   absl::Time deadline) {
  // Revisions are dense, their times never go back.
  int64_t low = -1;  // holds
  int64_t high = head + 1;
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    auto recorded = RecordTime(session, middle, deadline);
    if (!recorded.ok()) return recorded.status();
    const bool holds =
        bound == Bound::kBefore ? *recorded < time : *recorded <= time;
    (holds ? low : high) = middle;
  }
  return low;
}

absl::StatusOr<int64_t> ReadHead(postgres::Session* session,
                                 absl::Time deadline) {
  auto rows = Ask(session, journal::kSelectHead, {}, deadline);
  if (!rows.ok()) return rows.status();
  return journal::ParseHead(*rows).revision;
}

absl::StatusOr<absl::optional<JournalRow>> ReadLast(postgres::Session* session,
                                                    const LastQuery& query,
                                                    absl::Time deadline) {
  absl::optional<absl::Time> at = query.at;
  if (!at.has_value()) {
    auto recorded = RecordTime(session, query.revision, deadline);
    if (!recorded.ok()) return recorded.status();
    at = *recorded;
  }
  postgres::Params params;
  params.Int(0)
      .Int(query.revision)
      .Text("")
      .Int(1)
      .Text(query.name)
      .Int(query.personal ? 1 : 0);
  auto rows = Ask(session, SqlFor(/*one_name=*/true, /*descending=*/true),
                  params, deadline);
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return absl::optional<JournalRow>();
  journal::Replayed replayed = ReadEntry(*rows, 0);
  JournalRow out;
  out.entry = replayed.entry;
  out.kind = query.kind;
  absl::Status status = ReadItems(*rows, 0, at, std::move(replayed), &out);
  if (!status.ok()) return ReadFailure(status);
  return absl::optional<JournalRow>(std::move(out));
}

absl::StatusOr<std::string> ReadDigest(postgres::Session* session,
                                       int64_t revision, absl::Time deadline) {
  postgres::Params params;
  params.Int(revision);
  auto rows = Ask(session, kSelectDigest, params, deadline);
  if (!rows.ok()) return rows.status();
  return rows->rows() == 0 ? std::string() : rows->Text(0, 0);
}

}  // namespace transparency::changes
