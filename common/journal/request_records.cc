#include "common/journal/request_records.h"

#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

namespace transparency::journal {
namespace {

constexpr char kSelectRecords[] = R"sql(
  SELECT r.caller, r.method, r.request_id::text, r.digest, r.answer, r.revision,
         j.digest
  FROM unnest($1::text[], $2::text[], $3::text[]) AS k(caller, method, request_id)
  JOIN requests r ON r.caller = k.caller AND r.method = k.method
    AND r.request_id = k.request_id::uuid
  LEFT JOIN journal j ON j.revision = r.revision)sql";
constexpr char kInsertRecords[] = R"sql(
  INSERT INTO requests (caller, method, request_id, digest, revision, answer,
                        record_time)
  SELECT k.caller, k.method, k.request_id::uuid, k.digest, k.revision, k.answer,
         $7::timestamptz
  FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bigint[],
              $6::bytea[])
    AS k(caller, method, request_id, digest, revision, answer))sql";
constexpr char kPurge[] = R"sql(
  DELETE FROM requests WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM requests WHERE record_time < $1::timestamptz LIMIT 5000)))sql";
constexpr absl::Duration kPurgeTime = absl::Seconds(10);

}  // namespace

bool RequestRecords::Key::operator<(const Key& other) const {
  return std::tie(caller, method, request_id) <
         std::tie(other.caller, other.method, other.request_id);
}

RequestRecords::Key RequestRecords::KeyOf(const Command& command) {
  return {command.caller.subject, command.method,
          absl::AsciiStrToLower(command.request_id)};
}

bool RequestRecords::WellFormed(const std::string& request_id) {
  if (request_id.size() != 36) return false;
  for (size_t i = 0; i < request_id.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const auto c = static_cast<unsigned char>(request_id[i]);
    if (dash ? c != '-' : !absl::ascii_isxdigit(c)) return false;
  }
  return true;
}

bool RequestRecords::Covers(const Command& command) {
  return !command.validate_only && WellFormed(command.request_id);
}

absl::Status RequestRecords::LookUp(postgres::Session* session,
                                    const std::vector<Command>& commands,
                                    absl::Time deadline) {
  std::vector<absl::string_view> callers, methods, ids;
  for (const Command& command : commands) {
    if (!Covers(command)) continue;
    callers.push_back(command.caller.subject);
    methods.push_back(command.method);
    ids.push_back(command.request_id);
  }
  if (ids.empty()) return absl::OkStatus();
  postgres::Params keys;
  keys.Texts(callers).Texts(methods).Texts(ids);
  auto rows = session->Query(kSelectRecords, keys, deadline);
  if (!rows.ok()) return rows.status();
  for (int row = 0; row < rows->rows(); ++row) {
    const int64_t revision = rows->Int(row, 5);
    records_[{rows->Text(row, 0), rows->Text(row, 1), rows->Text(row, 2)}] = {
        {rows->Text(row, 3), rows->Text(row, 4),
         Store::RevisionToken(revision, rows->Bytes(row, 6)), revision},
        false};
  }
  return absl::OkStatus();
}

const RequestRecord* RequestRecords::Find(const Command& command) const {
  auto found = records_.find(KeyOf(command));
  return found == records_.end() ? nullptr : &found->second.record;
}

void RequestRecords::Add(const Command& command, RequestRecord record) {
  records_[KeyOf(command)] = {std::move(record), true};
}

void RequestRecords::AppendInsert(
    absl::Time now, std::vector<postgres::Statement>* statements) const {
  std::vector<absl::string_view> callers, methods, ids, digests, answers;
  std::vector<int64_t> revisions;
  for (const auto& [key, held] : records_) {
    if (!held.added) continue;
    callers.push_back(key.caller);
    methods.push_back(key.method);
    ids.push_back(key.request_id);
    digests.push_back(held.record.request_digest);
    answers.push_back(held.record.answer);
    revisions.push_back(held.record.revision);
  }
  if (ids.empty()) return;
  statements->push_back({kInsertRecords, {}});
  statements->back()
      .params.Texts(callers)
      .Texts(methods)
      .Texts(ids)
      .ByteStrings(digests)
      .Ints(revisions)
      .ByteStrings(answers)
      .Time(now);
}

absl::StatusOr<bool> RequestRecords::Purge(postgres::Session* session,
                                           absl::Time before) {
  postgres::Params params;
  params.Time(before);
  auto purged = session->Query(kPurge, params, absl::Now() + kPurgeTime);
  if (!purged.ok()) return purged.status();
  return purged->affected() > 0;
}

}  // namespace transparency::journal
