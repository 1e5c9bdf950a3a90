#include "common/postgres/grants.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/postgres/migrations.h"

namespace transparency::postgres {
namespace {

constexpr char kRole[] =
    "SELECT pg_has_role(oid, current_user, 'MEMBER') FROM pg_roles "
    "WHERE rolname = $1::text";

// Statements, in order. What no longer fits a rule is revoked with the rest.
// The owner has the schema by name, not only as the owner of the database:
// foreign keys are checked as the owner of the tables, and a database that was
// put back may belong to whoever did that.
constexpr char kGrants[] = R"sql(
  WITH tables AS (
    SELECT c.oid::regclass::text AS name,
           CASE
             WHEN c.relname = 'schema_migrations' OR EXISTS (
               SELECT FROM pg_constraint WHERE conrelid = c.oid
                  AND conname = c.relname || '_is_one') THEN 'SELECT'
             WHEN EXISTS (
               SELECT FROM pg_trigger WHERE tgrelid = c.oid
                  AND tgname = c.relname || '_append_only')
               THEN 'SELECT, INSERT'
             ELSE 'SELECT, INSERT, UPDATE, DELETE'
           END AS rights
      FROM pg_class AS c
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p'))
  SELECT statement FROM (
    VALUES
      (1, format('REVOKE ALL ON DATABASE %I FROM %I', current_database(),
                 $1::text)),
      (1, format('REVOKE CREATE, TEMPORARY ON DATABASE %I FROM PUBLIC',
                 current_database())),
      (2, format('GRANT CONNECT ON DATABASE %I TO %I', current_database(),
                 $1::text)),
      (1, format('REVOKE ALL ON SCHEMA public FROM PUBLIC, %I', $1::text)),
      (2, format('GRANT USAGE ON SCHEMA public TO %I', $1::text)),
      (2, format('GRANT ALL ON SCHEMA public TO %I', current_user)),
      (1, format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, %I',
                 $1::text))
    UNION ALL
    SELECT 2, format('GRANT %s ON %s TO %I', rights, name, $1::text)
      FROM tables) AS all_of_them (turn, statement)
   ORDER BY turn
  )sql";

// More than it takes, even where `migrate` is at work elsewhere.
constexpr absl::Duration kLimit = absl::Hours(1);

absl::Status CheckRole(Session* session, absl::string_view role) {
  auto found = session->Query(kRole, Params().Text(role), absl::Now() + kLimit);
  if (!found.ok()) return found.status();
  if (found->rows() == 0) {
    return absl::NotFoundError(
        absl::StrCat("there is no role \"", role, "\" to serve with"));
  }
  if (found->Bool(0, 0)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the role \"", role,
                     "\" could change the schema: it is the one that "
                     "migrates, a member of that, or a superuser"));
  }
  return absl::OkStatus();
}

absl::Status GrantInTransaction(Session* session, absl::string_view role) {
  const absl::Time deadline = absl::Now() + kLimit;
  absl::Status status =
      session->Execute(absl::StrCat("BEGIN; SET LOCAL lock_timeout = 0; "
                                    "SELECT pg_advisory_xact_lock(",
                                    kMigrationLock, ")"),
                       deadline);
  if (!status.ok()) return status;
  auto statements = session->Query(kGrants, Params().Text(role), deadline);
  if (!statements.ok()) return statements.status();
  std::string script;
  for (int row = 0; row < statements->rows(); ++row) {
    absl::StrAppend(&script, statements->Bytes(row, 0), ";\n");
  }
  status = session->Execute(script, deadline);
  return status.ok() ? session->Commit(deadline) : status;
}

}  // namespace

absl::Status GrantService(Session* session, absl::string_view role) {
  absl::Status status = CheckRole(session, role);
  if (!status.ok()) return status;
  status = GrantInTransaction(session, role);
  if (!status.ok()) session->Rollback(absl::Now() + kLimit);
  return status;
}

}  // namespace transparency::postgres
