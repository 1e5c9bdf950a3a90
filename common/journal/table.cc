#include "common/journal/table.h"

#include <soci/soci.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/journal/json.h"
#include "transparency/type/v1/annotations.pb.h"

namespace transparency::journal {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Ordinary columns of a table of the search path, in order.
constexpr char kColumns[] =
    "SELECT a.attname::text FROM pg_attribute a "
    "WHERE a.attrelid = to_regclass(:name::text) AND a.attnum > 0 "
    "AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum";

std::string Quoted(const std::string& name) {
  return absl::StrCat("\"", name, "\"");
}

// From `type` down along `column`, whose parts are joined by "_"; empty when
// there is no such field.
std::vector<const FieldDescriptor*> FindPath(const Descriptor* type,
                                             const std::string& column) {
  if (const FieldDescriptor* field = type->FindFieldByName(column)) {
    return {field};
  }
  for (size_t at = column.find('_'); at != std::string::npos;
       at = column.find('_', at + 1)) {
    const FieldDescriptor* field = type->FindFieldByName(column.substr(0, at));
    if (field == nullptr || field->is_repeated() ||
        field->message_type() == nullptr) {
      continue;
    }
    auto below = FindPath(field->message_type(), column.substr(at + 1));
    if (below.empty()) continue;
    below.insert(below.begin(), field);
    return below;
  }
  return {};
}

// Personal fields and the etag are not for columns.
bool Secret(const resource::Kind& kind,
            const std::vector<const FieldDescriptor*>& path) {
  return !path.empty() &&
         (path.front() == kind.etag_field ||
          path.front()->options().GetExtension(type::v1::personal));
}

}  // namespace

std::string ParentOf(const std::string& name) {
  const size_t id = name.rfind('/');
  if (id == std::string::npos || id == 0) return "";
  const size_t collection = name.rfind('/', id - 1);
  return collection == std::string::npos ? "" : name.substr(0, collection);
}

Table::Table(const resource::Kind* kind)
    : kind_(kind), name_(Quoted(kind->table)) {}

absl::StatusOr<Table> Table::Read(postgres::Session* session,
                                  const resource::Kind& kind) {
  Table table(&kind);
  std::vector<std::string> names;
  absl::Status status = session->Plain("read columns", [&](soci::session& sql) {
    soci::rowset<std::string> rows =
        (sql.prepare << kColumns, soci::use(table.name_, "name"));
    names.assign(rows.begin(), rows.end());
  });
  if (!status.ok()) return status;
  size_t fixed = 0;
  for (const std::string& name : names) {
    if (name == "name" || name == "body" || name == "revision") {
      ++fixed;
      continue;
    }
    Column column{name, FindPath(kind.descriptor, name)};
    if (column.path.empty() && name != "parent") {
      return absl::FailedPreconditionError(
          absl::StrCat("column ", name, " of table ", kind.table,
                       " is no field of ", kind.descriptor->full_name()));
    }
    if (Secret(kind, column.path)) {
      return absl::FailedPreconditionError(
          absl::StrCat("column ", name, " of table ", kind.table,
                       " would hold a personal field or the etag"));
    }
    table.columns_.push_back(std::move(column));
  }
  if (fixed != 3) {
    return absl::FailedPreconditionError(
        absl::StrCat("the database has no table ", kind.table,
                     " with name, body and revision"));
  }
  table.WriteSql();
  return table;
}

void Table::WriteSql() {
  std::string targets, values, updates, ours, theirs;
  for (const Column& column : columns_) {
    const std::string name = Quoted(column.name);
    absl::StrAppend(&targets, ", ", name);
    absl::StrAppend(&values, ", r.", name);
    absl::StrAppend(&updates, ", ", name, " = EXCLUDED.", name);
    absl::StrAppend(&ours, ours.empty() ? "" : ", ", "t.", name);
    absl::StrAppend(&theirs, theirs.empty() ? "" : ", ", "r.", name);
  }
  const std::string populate =
      columns_.empty() ? std::string()
                       : absl::StrCat(", jsonb_populate_record(NULL::", name_,
                                      ", u.doc::jsonb) AS r");
  upsert_ = absl::StrCat(
      "INSERT INTO ", name_, " (name, body, revision", targets,
      ") SELECT u.name, u.body, u.revision", values,
      " FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::text[])"
      " AS u(name, body, revision, doc)",
      populate,
      " ON CONFLICT (name) DO UPDATE SET body = EXCLUDED.body,"
      " revision = EXCLUDED.revision",
      updates);
  mismatches_ = absl::StrCat(
      "SELECT t.name FROM unnest($1::text[], $2::text[])"
      " AS u(name, doc) JOIN ",
      name_, " t ON t.name = u.name", populate, " WHERE (", ours,
      ") IS DISTINCT FROM (", theirs, ")");
  select_names_ = absl::StrCat("SELECT name, body FROM ", name_);
  const bool personal = !kind_->personal_fields.empty();
  const auto with_entry = [&](absl::string_view more) {
    return absl::StrCat(
        " FROM ", name_, " t LEFT JOIN journal j ON j.revision = t.revision",
        more, personal ? " LEFT JOIN personal p ON p.resource = t.name" : "");
  };
  select_bodies_ =
      absl::StrCat("SELECT t.body, t.revision, j.salt, j.body_commitment",
                   personal ? ", j.personal_commitment, p.salt, p.body" : "",
                   with_entry(""));
  select_audit_ = absl::StrCat(
      "SELECT t.name, t.body, t.revision, j.salt, j.body_commitment, ",
      personal ? "j.personal_commitment, p.salt, p.body"
               : "NULL::bytea, NULL::bytea, NULL::bytea",
      ", (SELECT l.revision FROM journal l WHERE l.name = t.name"
      " ORDER BY l.revision DESC LIMIT 1)",
      with_entry(" AND j.name = t.name"),
      " WHERE t.name > $1::text ORDER BY t.name LIMIT $2::bigint");
  select_missing_ = absl::StrCat(
      "SELECT n FROM unnest($1::text[]) n WHERE NOT EXISTS (SELECT FROM ",
      name_, " t WHERE t.name = n)");
}

std::string Table::RowJson(const Message& message) const {
  std::string json = "{";
  for (const Column& column : columns_) {
    absl::StrAppend(&json, json.size() > 1 ? "," : "", "\"", column.name,
                    "\":");
    if (column.path.empty()) {
      const std::string parent = ParentOf(
          message.GetReflection()->GetString(message, kind_->name_field));
      if (parent.empty()) {
        json += "null";
      } else {
        AppendJsonString(parent, &json);
      }
      continue;
    }
    const Message* holder = &message;
    for (size_t i = 0; i + 1 < column.path.size() && holder != nullptr; ++i) {
      const auto* reflection = holder->GetReflection();
      holder = reflection->HasField(*holder, column.path[i])
                   ? &reflection->GetMessage(*holder, column.path[i])
                   : nullptr;
    }
    if (holder == nullptr) {
      json += "null";
    } else {
      AppendColumnJson(*holder, column.path.back(), &json);
    }
  }
  json += "}";
  return json;
}

absl::StatusOr<std::vector<Table>> ReadTables(
    postgres::Session* session, const resource::Catalogue& catalogue) {
  std::vector<Table> tables;
  for (const auto& kind : catalogue.kinds()) {
    absl::StatusOr<Table> table = Table::Read(session, *kind);
    if (!table.ok()) return table.status();
    tables.push_back(*std::move(table));
  }
  return tables;
}

}  // namespace transparency::journal
