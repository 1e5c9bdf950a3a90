#include "common/postgres/migrations.h"

#include <openssl/sha.h>
#include <soci/soci.h>

#include <map>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/postgres/sqlstate.h"

namespace transparency::postgres {
namespace {

constexpr char kCreateTable[] = R"sql(
  CREATE TABLE IF NOT EXISTS schema_migrations (
    component text NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    suits integer NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (component, version)
  ))sql";
constexpr char kTableExists[] =
    "SELECT (to_regclass('schema_migrations') IS NOT NULL)::int";
constexpr char kApplied[] =
    "SELECT component, version, checksum, suits FROM schema_migrations";
constexpr char kRecord[] =
    "INSERT INTO schema_migrations (component, version, name, checksum, suits) "
    "VALUES ($1::text, $2::bigint::int, $3::text, $4::text, $5::bigint::int)";

constexpr char kInsufficientPrivilege[] = "42501";

// The longest a migration may take.
constexpr absl::Duration kLimit = absl::Hours(1);
constexpr int kHeaderLines = 20;

struct Applied {
  std::string checksum;
  int suits;
};
using AppliedMap = std::map<std::pair<std::string, int>, Applied>;

std::string Checksum(absl::string_view sql) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(sql.data()), sql.size(),
         digest);
  return absl::BytesToHexString(
      {reinterpret_cast<const char*>(digest), sizeof(digest)});
}

std::string Title(const Component& component, const Migration& migration) {
  return absl::StrCat(component.name, "/", migration.name);
}

absl::StatusOr<AppliedMap> ReadApplied(Session* session) {
  AppliedMap applied;
  absl::Status status =
      session->Plain("read schema_migrations", [&](soci::session& sql) {
        int exists = 0;
        sql << kTableExists, soci::into(exists);
        if (exists == 0) return;
        soci::rowset<soci::row> rows = sql.prepare << kApplied;
        for (const soci::row& row : rows) {
          applied[{row.get<std::string>(0), row.get<int>(1)}] = {
              row.get<std::string>(2), row.get<int>(3)};
        }
      });
  if (!status.ok()) return status;
  return applied;
}

absl::Status CheckChecksum(const Component& component,
                           const Migration& migration, const Applied& applied) {
  if (applied.checksum == Checksum(migration.sql)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("migration ", Title(component, migration),
                   " was applied with another content: files that were applied "
                   "must not change"));
}

absl::Status Apply(Session* session, const Component& component,
                   const Migration& migration) {
  absl::StatusOr<int> suits = OldestSuited(migration);
  if (!suits.ok()) return suits.status();
  const absl::Time deadline = absl::Now() + kLimit;
  absl::Status status = session->Execute(
      absl::StrCat("BEGIN;\n", migration.sql, "\n;"), deadline);
  if (status.ok()) {
    Params params;
    params.Text(component.name)
        .Int(migration.version)
        .Text(migration.name)
        .Text(Checksum(migration.sql))
        .Int(*suits);
    status = session->Query(kRecord, params, deadline).status();
  }
  if (status.ok()) return session->Commit(deadline);
  session->Rollback(deadline);
  return absl::Status(status.code(),
                      absl::StrCat("migration ", Title(component, migration),
                                   ": ", status.message()));
}

absl::StatusOr<std::vector<std::string>> MigrateLocked(
    Session* session, const std::vector<Component>& components) {
  absl::Status status = session->Execute(kCreateTable, absl::Now() + kLimit);
  if (ErrorOf(status).sqlstate == kInsufficientPrivilege) {
    return absl::PermissionDeniedError(
        "the role that --database names may not change the schema: migrate "
        "with the one that owns the database");
  }
  if (!status.ok()) return status;
  absl::StatusOr<AppliedMap> applied = ReadApplied(session);
  if (!applied.ok()) return applied.status();
  std::vector<std::string> done;
  for (const Component& component : components) {
    int expected = 1;
    for (const Migration& migration : component.migrations) {
      if (migration.version != expected++) {
        return absl::InternalError(absl::StrCat(
            "migrations of ", component.name, " are not numbered densely"));
      }
      auto found =
          applied->find({std::string(component.name), migration.version});
      if (found != applied->end()) {
        status = CheckChecksum(component, migration, found->second);
      } else {
        status = Apply(session, component, migration);
        if (status.ok()) done.push_back(Title(component, migration));
      }
      if (!status.ok()) return status;
    }
  }
  return done;
}

}  // namespace

absl::StatusOr<int> OldestSuited(const Migration& migration) {
  const std::vector<absl::string_view> lines =
      absl::StrSplit(migration.sql, absl::MaxSplits('\n', kHeaderLines));
  for (absl::string_view line : lines) {
    if (!absl::ConsumePrefix(&line, "-- suits:")) continue;
    int suits = 0;
    if (absl::SimpleAtoi(absl::StripAsciiWhitespace(line), &suits) &&
        suits >= 1 && suits <= migration.version) {
      return suits;
    }
  }
  return absl::InternalError(
      absl::StrCat("migration ", migration.name,
                   " needs a line `-- suits: N` with 1 <= N <= its number"));
}

absl::StatusOr<std::vector<std::string>> Migrate(
    Session* session, const std::vector<Component>& components) {
  const absl::Time deadline = absl::Now() + kLimit;
  absl::Status status = session->Execute(
      absl::StrCat("SET lock_timeout = 0; SELECT pg_advisory_lock(",
                   kMigrationLock, ")"),
      deadline);
  if (!status.ok()) return status;
  auto done = MigrateLocked(session, components);
  if (session->usable()) {
    status = session->Execute(
        absl::StrCat("RESET lock_timeout; SELECT pg_advisory_unlock(",
                     kMigrationLock, ")"),
        deadline);
    if (done.ok() && !status.ok()) return status;
  }
  return done;
}

absl::Status CheckSchema(Session* session,
                         const std::vector<Component>& components) {
  absl::StatusOr<AppliedMap> applied = ReadApplied(session);
  if (!applied.ok()) return applied.status();
  for (const Component& component : components) {
    const std::string name(component.name);
    const int newest =
        component.migrations.empty() ? 0 : component.migrations.back().version;
    for (const Migration& migration : component.migrations) {
      auto found = applied->find({name, migration.version});
      if (found == applied->end()) {
        return absl::FailedPreconditionError(
            absl::StrCat("the database lacks migration ",
                         Title(component, migration), ": run `migrate`"));
      }
      absl::Status status = CheckChecksum(component, migration, found->second);
      if (!status.ok()) return status;
    }
    for (const auto& [key, step] : *applied) {
      if (key.first == name && key.second > newest && step.suits > newest) {
        return absl::FailedPreconditionError(absl::StrFormat(
            "the database has migration %s/%04d, which needs a binary that "
            "knows %04d or newer; this one knows %04d",
            name, key.second, step.suits, newest));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace transparency::postgres
