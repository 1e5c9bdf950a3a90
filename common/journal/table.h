#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/postgres/session.h"
#include "common/resource/kind.h"
#include "google/protobuf/message.h"

namespace transparency::journal {

// The table of one kind: `name text PRIMARY KEY, body bytea NOT NULL, revision
// bigint NOT NULL`, and typed columns for what constraints, foreign keys and
// operators need. A typed column is filled from the field of its name; from a
// field of a nested message where the name is the path joined by "_"
// (`valid_period_from` is valid_period.from); `parent` holds the name of the
// parent resource. Generated columns are PostgreSQL's own. See AppendColumnJson
// for how values look, empty ones too.
//
// Constraints that several rows of one command may break on the way must be
// DEFERRABLE INITIALLY DEFERRED; they are checked before COMMIT.
class Table {
 public:
  // Reads the columns. FAILED_PRECONDITION when the table is missing or holds a
  // column that no field fills.
  static absl::StatusOr<Table> Read(postgres::Session* session,
                                    const resource::Kind& kind);

  const resource::Kind& kind() const { return *kind_; }
  // Quoted, for SQL.
  const std::string& name() const { return name_; }
  bool has_columns() const { return !columns_.empty(); }

  // The typed columns of a stored message, as a JSON object.
  std::string RowJson(const google::protobuf::Message& message) const;

  // INSERT … ON CONFLICT over $1 names, $2 bodies, $3 revisions, $4 row JSONs,
  // all arrays.
  const std::string& upsert() const { return upsert_; }
  // Of rows $1 names with $2 row JSONs (arrays): names whose typed columns are
  // not what the JSON gives.
  const std::string& mismatches() const { return mismatches_; }
  // Every row, for COPY: body, revision, of the entry of that revision
  // salt and body commitment, NULL where there is none (an index holds them;
  // that the entry has this name too is for the check); and where the kind has
  // personal fields its personal commitment, then personal salt and body, NULL
  // where nothing is stored.
  const std::string& select_bodies() const { return select_bodies_; }
  // $2 rows behind the name $1, by name, for a check: name, body, revision,
  // what select_bodies gives from the third column on (personal ones NULL for
  // other kinds), last revision of the name in the journal.
  const std::string& select_audit() const { return select_audit_; }
  // Of $1 names (an array) those that have no row.
  const std::string& select_missing() const { return select_missing_; }
  // Every row, for COPY: name and body.
  const std::string& select_names() const { return select_names_; }

 private:
  struct Column {
    std::string name;
    // Empty for `parent`.
    std::vector<const google::protobuf::FieldDescriptor*> path;
  };

  explicit Table(const resource::Kind* kind);
  void WriteSql();

  const resource::Kind* kind_;
  std::string name_;
  std::vector<Column> columns_;
  std::string upsert_;
  std::string mismatches_;
  std::string select_bodies_;
  std::string select_audit_;
  std::string select_missing_;
  std::string select_names_;
};

// The tables of all kinds, in the catalogue's order.
absl::StatusOr<std::vector<Table>> ReadTables(
    postgres::Session* session, const resource::Catalogue& catalogue);

// The parent's name: "a/b/c/d" → "a/b"; empty for "a/b".
std::string ParentOf(const std::string& name);

}  // namespace transparency::journal
