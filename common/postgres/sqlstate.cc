#include "common/postgres/sqlstate.h"

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"

namespace transparency::postgres {
namespace {

// Keys of payloads that stay inside the process.
constexpr char kSqlStateKey[] = "transparency.postgres/sqlstate";
constexpr char kConstraintKey[] = "transparency.postgres/constraint";

struct Rule {
  const char* prefix;  // of the SQLSTATE; the longest that fits decides
  absl::StatusCode code;
};

// https://www.postgresql.org/docs/15/errcodes-appendix.html
constexpr Rule kRules[] = {
    {"", absl::StatusCode::kInternal},
    {"08", absl::StatusCode::kUnavailable},  // connection exception
    {"08007", absl::StatusCode::kUnknown},   // transaction resolution unknown
    {"25006", absl::StatusCode::kUnavailable},  // read-only: a standby
    {"25P03", absl::StatusCode::kUnavailable},  // idle in transaction
    {"28", absl::StatusCode::kUnavailable},     // authorization
    {"3D000", absl::StatusCode::kUnavailable},  // no such database
    {"40", absl::StatusCode::kAborted},         // serialization, deadlock
    {"40003", absl::StatusCode::kUnknown},      // completion unknown
    {"53", absl::StatusCode::kUnavailable},     // insufficient resources
    {"55000", absl::StatusCode::kUnavailable},  // not in prerequisite state
    {"55006", absl::StatusCode::kUnavailable},  // object in use
    {"55P03", absl::StatusCode::kUnavailable},  // lock not available
    {"57", absl::StatusCode::kUnavailable},     // operator intervention
    {"57014", absl::StatusCode::kDeadlineExceeded},  // query canceled
    {"58", absl::StatusCode::kUnavailable},          // system error: disk, I/O
};

std::string Payload(const absl::Status& status, absl::string_view key) {
  absl::optional<absl::Cord> value = status.GetPayload(key);
  return value.has_value() ? std::string(*value) : std::string();
}

}  // namespace

absl::StatusCode CodeOf(absl::string_view sqlstate) {
  if (sqlstate.empty()) return absl::StatusCode::kUnavailable;
  const Rule* best = &kRules[0];
  for (const Rule& rule : kRules) {
    const absl::string_view prefix = rule.prefix;
    if (absl::StartsWith(sqlstate, prefix) &&
        prefix.size() > absl::string_view(best->prefix).size()) {
      best = &rule;
    }
  }
  return best->code;
}

absl::Status ToStatus(const SqlError& error, absl::string_view doing) {
  std::string text = absl::StrCat(doing, ": SQLSTATE ", error.sqlstate);
  if (!error.constraint.empty()) {
    absl::StrAppend(&text, ", constraint ", error.constraint);
  }
  absl::Status status(CodeOf(error.sqlstate), text);
  status.SetPayload(kSqlStateKey, absl::Cord(error.sqlstate));
  if (!error.constraint.empty()) {
    status.SetPayload(kConstraintKey, absl::Cord(error.constraint));
  }
  return status;
}

absl::Status ConnectionLost(absl::string_view doing) {
  return absl::UnavailableError(absl::StrCat(doing, ": connection lost"));
}

SqlError ErrorOf(const absl::Status& status) {
  return {Payload(status, kSqlStateKey), Payload(status, kConstraintKey)};
}

bool IsConstraintViolation(const absl::Status& status) {
  return absl::StartsWith(ErrorOf(status).sqlstate, "23");
}

}  // namespace transparency::postgres
