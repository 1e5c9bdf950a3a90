#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/postgres/session.h"

namespace transparency::postgres {

// The advisory lock under which a database's schema and grants are changed: any
// number that nobody else takes there.
inline constexpr int64_t kMigrationLock = 7301550441;

// One forward-only step of a schema: a file NNNN_name.sql whose first lines
// hold a comment `-- suits: N`: the oldest binary, named by its newest
// migration, that still works on a database with this step.
struct Migration {
  int version;
  absl::string_view name;
  absl::string_view sql;
};

// A numbered series of migrations, in order, without a gap from 1.
struct Component {
  absl::string_view name;
  std::vector<Migration> migrations;
};

// The `suits` of a migration; an error when it is missing or above its version.
absl::StatusOr<int> OldestSuited(const Migration& migration);

// Applies what the database lacks, component by component in this order, each
// migration in a transaction of its own, all under one advisory lock: any
// number of processes may call it at once. Fails when an applied file has
// changed. Returns "component/NNNN_name" of what was applied. Not on a standby.
absl::StatusOr<std::vector<std::string>> Migrate(
    Session* session, const std::vector<Component>& components);

// OK when this binary and the database suit each other: every migration of the
// binary is applied and unchanged, and none applied after them by a newer
// binary asks for more. FAILED_PRECONDITION says what to do otherwise.
absl::Status CheckSchema(Session* session,
                         const std::vector<Component>& components);

}  // namespace transparency::postgres
