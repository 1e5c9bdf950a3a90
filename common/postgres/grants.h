#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/postgres/session.h"

namespace transparency::postgres {

// Gives `role` what a service needs of the database that the session's role
// owns, takes from it whatever else it was granted there, and keeps everybody
// else from making anything in it. Reading and writing is all that a service
// may do, and what tables are like says how far:
//   - of schema_migrations, and of a table of one row (one with a constraint
//     <table>_is_one), which a migration wrote, it may read;
//   - of a table that grows alone (one with a trigger <table>_append_only) it
//     may read, and insert;
//   - of every other table it may read, insert, update and delete.
// It can make, change, empty (TRUNCATE) or drop nothing, nor switch a trigger
// off. All of it happens in one transaction; any number of processes may do it
// at once, and beside Migrate. NOT_FOUND when there is no such role,
// FAILED_PRECONDITION when it could act as the owner, as a superuser can.
absl::Status GrantService(Session* session, absl::string_view role);

}  // namespace transparency::postgres
