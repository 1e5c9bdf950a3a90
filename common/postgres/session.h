#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "common/postgres/params.h"

namespace soci {
class session;
}
struct pg_conn;
struct pg_result;

namespace transparency::postgres {

struct SessionOptions {
  // Keywords or URI, as libpq reads it. What it does not set of
  // connect_timeout, keepalives and tcp_user_timeout is added.
  std::string conninfo;
  std::string application_name = "transparency";
  // The server ends a transaction that its client leaves idle for so long: a
  // frozen process cannot hold a lock for good.
  absl::Duration idle_in_transaction_timeout = absl::Seconds(5);
  absl::Duration lock_timeout = absl::Seconds(10);
};

// Rows of one statement, columns in binary form. Views live as long as this.
class Result {
 public:
  explicit Result(pg_result* result) : result_(result, &Clear) {}

  int rows() const;
  int columns() const;
  // Of the command tag: "INSERT 0 3" → 3; 0 where the tag has none.
  int64_t affected() const;
  absl::string_view tag() const;

  bool IsNull(int row, int column) const;
  // text, bytea
  absl::string_view Bytes(int row, int column) const;
  std::string Text(int row, int column) const {
    return std::string(Bytes(row, column));
  }
  // smallint, integer, bigint; 0 when NULL
  int64_t Int(int row, int column) const;
  // boolean
  bool Bool(int row, int column) const { return Int(row, column) != 0; }
  // timestamptz
  absl::Time Time(int row, int column) const;

 private:
  static void Clear(pg_result* result);
  std::unique_ptr<pg_result, void (*)(pg_result*)> result_;
};

// One statement of a pipeline. `sql` is a named constant: it is prepared once
// per session, under its text.
struct Statement {
  absl::string_view sql;
  Params params;
};

// One connection to PostgreSQL, in UTC. It belongs to one thread at a time. A
// session that broke stays broken: make a new one.
//
// SOCI holds the connection and is the way to run plain statements where nobody
// waits with a deadline: migrations, catalogue queries. What SOCI 4.0.3 cannot
// do goes through the libpq connection beneath it, in session.cc alone: waiting
// with a deadline, arrays as parameters (SOCI's bulk is a loop), bytea and NUL
// without hex text, several statements in one round trip, COPY, transaction
// status.
class Session {
 public:
  static absl::StatusOr<std::unique_ptr<Session>> Connect(
      const SessionOptions& options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Runs one statement. Waits until `deadline` at most; when that passes, the
  // session is broken and the statement's outcome unknown to us: set
  // statement_timeout to less.
  absl::StatusOr<Result> Query(absl::string_view sql, const Params& params,
                               absl::Time deadline);
  // Runs statements in one round trip, each seeing what those before it did and
  // what was committed when it began. After the first that fails none runs; its
  // error is returned.
  absl::StatusOr<std::vector<Result>> QueryAll(
      const std::vector<Statement>& statements, absl::Time deadline);
  // Runs any text of statements without parameters or results.
  absl::Status Execute(absl::string_view script, absl::Time deadline);

  // COMMIT, after a check that the transaction has not failed (PostgreSQL
  // answers the COMMIT of a failed one with a success). UNKNOWN when the answer
  // did not come.
  absl::Status Commit(absl::Time deadline);
  // Gives up the transaction, if there is one. A failure breaks the session.
  void Rollback(absl::Time deadline);

  // COPY (query) TO STDOUT in binary form. `visit` gets the columns of a row,
  // NULL as absent; they live during the call; false stops and breaks the
  // session.
  using Row = std::vector<absl::optional<absl::string_view>>;
  absl::Status CopyOut(absl::string_view query,
                       absl::FunctionRef<bool(const Row&)> visit,
                       absl::Time deadline);

  // False once the connection was lost, or what it holds is not known.
  bool usable() const;
  // It broke because no answer came by a deadline.
  bool silent() const { return silent_; }
  bool in_transaction() const;
  // Process id of the server's end.
  int backend_pid() const;

  // SOCI's session, for Plain. Null when not usable.
  absl::Status Plain(absl::string_view doing,
                     absl::FunctionRef<void(soci::session&)> work);

 private:
  explicit Session(std::unique_ptr<soci::session> soci);

  absl::Status Setup(const SessionOptions& options);
  absl::Status SendPrepared(const Statement& statement);
  absl::Status Flush(absl::Time deadline);
  // Waits until a result can be fetched without blocking.
  absl::Status AwaitResult(absl::Time deadline);
  absl::Status AwaitSocket(bool writing, absl::Time deadline);
  absl::StatusOr<std::vector<Result>> Collect(size_t count,
                                              absl::Time deadline);
  std::string PreparedName(absl::string_view sql) const;
  absl::Status Error(const pg_result* result, absl::string_view doing);
  absl::Status Break(absl::string_view doing);

  std::unique_ptr<soci::session> soci_;
  pg_conn* connection_;  // of soci_
  bool broken_ = false;
  bool silent_ = false;
  std::string last_tag_;  // of Execute
  // Statement text → its name on the server.
  absl::flat_hash_map<std::string, std::string> prepared_;
  int64_t last_name_ = 0;
  // Of the pipeline under way: what each result is for, the text and name being
  // prepared or, where both are empty, a statement.
  struct Expected {
    std::string text;
    std::string name;
  };
  std::vector<Expected> expected_;
};

// `conninfo` with the keywords of `options` and our time-outs where it sets
// none.
absl::StatusOr<std::string> CompleteConninfo(const SessionOptions& options);

// `conninfo` with other values for some keywords: for tests and tools.
absl::StatusOr<std::string> WithKeyword(absl::string_view conninfo,
                                        absl::string_view keyword,
                                        absl::string_view value);

}  // namespace transparency::postgres
