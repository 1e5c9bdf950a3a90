#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/journal/replica/batch.h"

namespace transparency::journal {
namespace {

constexpr char kInsertEntries[] = R"sql(
  INSERT INTO journal (revision, record_time, name, kind, step, actor, reason,
                       request_id, body, public_digest, salt, body_commitment,
                       personal_commitment, digest)
  SELECT * FROM unnest(
    $1::bigint[], $2::timestamptz[], $3::text[], $4::bigint[], $5::text[],
    $6::text[], $7::text[], $8::text[], $9::bytea[], $10::bytea[],
    $11::bytea[], $12::bytea[], $13::bytea[], $14::bytea[]))sql";
constexpr char kPutPersonal[] = R"sql(
  INSERT INTO personal (resource, salt, body)
  SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[])
  ON CONFLICT (resource) DO UPDATE
  SET salt = EXCLUDED.salt, body = EXCLUDED.body)sql";
constexpr char kErasePersonal[] =
    "DELETE FROM personal WHERE resource = ANY ($1::text[])";

using Strings = std::vector<absl::string_view>;

postgres::Statement InsertEntries(const std::vector<PendingChange>& changes) {
  std::vector<int64_t> revisions, kinds;
  std::vector<absl::Time> times;
  Strings names, steps, actors, reasons, request_ids, bodies, salts,
      body_commitments, personal_commitments, digests;
  std::vector<postgres::Params::Optional> public_digests;
  for (const PendingChange& change : changes) {
    const Entry& entry = change.entry;
    revisions.push_back(entry.revision);
    times.push_back(entry.record_time);
    names.push_back(entry.name);
    kinds.push_back(entry.kind);
    steps.push_back(entry.step);
    actors.push_back(entry.actor);
    reasons.push_back(entry.reason);
    request_ids.push_back(entry.request_id);
    bodies.push_back(entry.body);
    public_digests.push_back(entry.public_digest);
    salts.push_back(entry.salt);
    body_commitments.push_back(entry.body_commitment);
    personal_commitments.push_back(entry.personal_commitment);
    digests.push_back(entry.digest);
  }
  postgres::Statement statement{kInsertEntries, {}};
  statement.params.Ints(revisions)
      .Times(times)
      .Texts(names)
      .Ints(kinds)
      .Texts(steps)
      .Texts(actors)
      .Texts(reasons)
      .Texts(request_ids)
      .ByteStrings(bodies)
      .OptionalByteStrings(public_digests)
      .ByteStrings(salts)
      .ByteStrings(body_commitments)
      .ByteStrings(personal_commitments)
      .ByteStrings(digests);
  return statement;
}

// One row per resource that the changes leave behind, by name.
using LastChanges = std::map<absl::string_view, const PendingChange*>;

postgres::Statement Upsert(const Table& table, const LastChanges& changes) {
  std::vector<std::string> bodies, documents;
  std::vector<int64_t> revisions;
  Strings names;
  for (const auto& [name, change] : changes) {
    names.push_back(name);
    revisions.push_back(change->entry.revision);
    bodies.push_back(change->entry.kind == v1::Change::ERASED
                         ? change->item->StoredBody()
                         : change->entry.body);
    documents.push_back(table.has_columns()
                            ? table.RowJson(change->item->message())
                            : std::string("{}"));
  }
  postgres::Statement statement{table.upsert(), {}};
  statement.params.Texts(names)
      .ByteStrings({bodies.begin(), bodies.end()})
      .Ints(revisions)
      .Texts({documents.begin(), documents.end()});
  return statement;
}

// Personal bodies as the last change of each resource leaves them.
void AddPersonal(const std::vector<PendingChange>& changes,
                 std::vector<postgres::Statement>* statements) {
  LastChanges last;
  for (const PendingChange& change : changes) {
    if (change.personal != PendingChange::Personal::kKeep) {
      last[change.entry.name] = &change;
    }
  }
  Strings put, salts, erase;
  std::vector<std::string> bodies;
  for (const auto& [name, change] : last) {
    if (change->personal == PendingChange::Personal::kErase) {
      erase.push_back(name);
      continue;
    }
    put.push_back(name);
    salts.push_back(change->item->personal_salt());
    bodies.push_back(DeterministicBytes(*change->item->PersonalOnly()));
  }
  if (!put.empty()) {
    statements->push_back({kPutPersonal, {}});
    statements->back().params.Texts(put).ByteStrings(salts).ByteStrings(
        {bodies.begin(), bodies.end()});
  }
  if (!erase.empty()) {
    statements->push_back({kErasePersonal, {}});
    statements->back().params.Texts(erase);
  }
}

}  // namespace

std::vector<postgres::Statement> WriteStatements(
    const std::vector<PendingChange>& changes,
    const std::vector<Table>& tables) {
  std::vector<postgres::Statement> statements;
  if (changes.empty()) return statements;
  statements.push_back(InsertEntries(changes));
  std::map<const resource::Kind*, LastChanges> by_kind;
  for (const PendingChange& change : changes) {
    by_kind[&change.item->kind()][change.entry.name] = &change;
  }
  for (const Table& table : tables) {
    auto found = by_kind.find(&table.kind());
    if (found != by_kind.end()) {
      statements.push_back(Upsert(table, found->second));
    }
  }
  AddPersonal(changes, &statements);
  return statements;
}

}  // namespace transparency::journal
