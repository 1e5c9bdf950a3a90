#include "common/journal/replica/request_records.h"

#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "common/base/digest.h"

namespace transparency::journal {
namespace {

constexpr char kSelectRecords[] = R"sql(
  SELECT r.caller, r.method, r.request_id::text, r.digest, r.answer, r.revision,
         j.digest, r.personal_digest, r.personal_salt,
         array_to_string(r.personal_of, ' ')
  FROM unnest($1::text[], $2::text[], $3::text[]) AS k(caller, method, request_id)
  JOIN requests r ON r.caller = k.caller AND r.method = k.method
    AND r.request_id = k.request_id::uuid
  LEFT JOIN journal j ON j.revision = r.revision)sql";
constexpr char kInsertRecords[] = R"sql(
  INSERT INTO requests (caller, method, request_id, digest, revision, answer,
                        record_time, personal_digest, personal_salt,
                        personal_of)
  SELECT k.caller, k.method, k.request_id::uuid, k.digest, k.revision, k.answer,
         $7::timestamptz, k.personal_digest, k.personal_salt,
         string_to_array(k.personal_of, ' ')
  FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bigint[],
              $6::bytea[], $8::bytea[], $9::bytea[], $10::text[])
    AS k(caller, method, request_id, digest, revision, answer, personal_digest,
         personal_salt, personal_of))sql";
// Before the batch's own records go in.
constexpr char kForget[] = R"sql(
  UPDATE requests SET personal_digest = NULL, personal_salt = NULL
  WHERE personal_digest IS NOT NULL AND personal_of && $1::text[])sql";
constexpr char kPurge[] = R"sql(
  DELETE FROM requests WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM requests WHERE record_time < $1::timestamptz LIMIT 5000)))sql";
constexpr size_t kSaltBytes = 16;
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
    RequestRecord record;
    record.request_digest = rows->Text(row, 3);
    record.answer = rows->Text(row, 4);
    record.revision_token = Store::RevisionToken(revision, rows->Bytes(row, 6));
    record.revision = revision;
    record.personal_digest = rows->Text(row, 7);
    record.personal_salt = rows->Text(row, 8);
    const std::vector<std::string> names =
        absl::StrSplit(rows->Bytes(row, 9), ' ', absl::SkipEmpty());
    record.personal_of = {names.begin(), names.end()};
    records_[{rows->Text(row, 0), rows->Text(row, 1), rows->Text(row, 2)}] = {
        std::move(record), false};
  }
  return absl::OkStatus();
}

const RequestRecord* RequestRecords::Find(const Command& command) const {
  auto found = records_.find(KeyOf(command));
  return found == records_.end() ? nullptr : &found->second.record;
}

bool RequestRecords::Fits(const RequestRecord& record,
                          const Command& command) const {
  if (record.request_digest != digest::Hmac(key_, command.request_digest)) {
    return false;
  }
  return record.personal_digest.empty() ||
         record.personal_digest ==
             digest::Hmac(record.personal_salt, command.personal_digest);
}

void RequestRecords::Add(const Command& command,
                         const std::set<std::string>& touched,
                         std::string answer, std::string revision_token,
                         int64_t revision) {
  RequestRecord record;
  record.request_digest = digest::Hmac(key_, command.request_digest);
  // What no resource holds is never erased: it is not digested.
  if (!command.personal_digest.empty() && !touched.empty()) {
    record.personal_salt = digest::RandomBytes(kSaltBytes);
    record.personal_digest =
        digest::Hmac(record.personal_salt, command.personal_digest);
    record.personal_of = touched;
  }
  record.answer = std::move(answer);
  record.revision_token = std::move(revision_token);
  record.revision = revision;
  records_[KeyOf(command)] = {std::move(record), true};
}

void RequestRecords::Forget(const std::string& resource) {
  forgotten_.insert(resource);
  for (auto& [key, held] : records_) {
    if (held.record.personal_of.count(resource) == 0) continue;
    held.record.personal_digest.clear();
    held.record.personal_salt.clear();
  }
}

void RequestRecords::AppendWrites(
    absl::Time now, std::vector<postgres::Statement>* statements) const {
  if (!forgotten_.empty()) {
    statements->push_back({kForget, {}});
    statements->back().params.Texts({forgotten_.begin(), forgotten_.end()});
  }
  std::vector<absl::string_view> callers, methods, ids, digests, answers;
  std::vector<postgres::Params::Optional> personal_digests, personal_salts;
  std::vector<std::string> personal_of;
  std::vector<int64_t> revisions;
  for (const auto& [key, held] : records_) {
    if (!held.added) continue;
    const RequestRecord& record = held.record;
    const bool personal = !record.personal_digest.empty();
    callers.push_back(key.caller);
    methods.push_back(key.method);
    ids.push_back(key.request_id);
    digests.push_back(record.request_digest);
    answers.push_back(record.answer);
    revisions.push_back(record.revision);
    personal_digests.push_back(
        personal ? postgres::Params::Optional(record.personal_digest)
                 : absl::nullopt);
    personal_salts.push_back(
        personal ? postgres::Params::Optional(record.personal_salt)
                 : absl::nullopt);
    personal_of.push_back(absl::StrJoin(record.personal_of, " "));
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
      .Time(now)
      .OptionalByteStrings(personal_digests)
      .OptionalByteStrings(personal_salts)
      .Texts({personal_of.begin(), personal_of.end()});
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
