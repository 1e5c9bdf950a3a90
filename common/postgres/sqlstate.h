#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace transparency::postgres {

// What PostgreSQL said of a failed statement. Messages and details are left
// behind on purpose: they quote values.
struct SqlError {
  std::string sqlstate;    // five characters; empty: no answer from the server
  std::string constraint;  // name of the violated constraint, if any
};

// What an SQLSTATE means to a caller. One table: see sqlstate.cc.
//   UNAVAILABLE        the server or the connection is gone or refuses; a
//                      statement before COMMIT has done nothing
//   ABORTED            the transaction lost a race and may run again
//   DEADLINE_EXCEEDED  statement_timeout
//   UNKNOWN            COMMIT was under way and its outcome was not told
//   INTERNAL           a defect of ours: constraint, type, syntax, privilege
absl::StatusCode CodeOf(absl::string_view sqlstate);

// For logs, never for clients. `doing` says what was tried. The error can be
// read back from the status.
absl::Status ToStatus(const SqlError& error, absl::string_view doing);

// The connection broke or did not answer in time.
absl::Status ConnectionLost(absl::string_view doing);

// The error behind a status made by ToStatus; empty fields otherwise.
SqlError ErrorOf(const absl::Status& status);

// A constraint of class 23 refused the change.
bool IsConstraintViolation(const absl::Status& status);

}  // namespace transparency::postgres
