#include "common/postgres/session.h"

#include <libpq-fe.h>
#include <poll.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/postgres/sqlstate.h"

namespace transparency::postgres {
namespace {

constexpr int kBinary = 1;

void IgnoreNotice(void*, const PGresult*) {}

int PollMillis(absl::Time deadline) {
  if (deadline == absl::InfiniteFuture()) return -1;
  const int64_t millis = absl::ToInt64Milliseconds(
      absl::Ceil(deadline - absl::Now(), absl::Milliseconds(1)));
  return static_cast<int>(std::clamp<int64_t>(millis, 0, 3600 * 1000));
}

std::string Field(const PGresult* result, int code) {
  const char* value = PQresultErrorField(result, code);
  return value == nullptr ? std::string() : std::string(value);
}

bool Succeeded(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
         status == PGRES_EMPTY_QUERY;
}

// Reads one length-prefixed value off the front of a binary COPY row.
bool TakeColumn(absl::string_view* data, Session::Row* row) {
  if (data->size() < 4) return false;
  const int64_t size = ReadInt(data->substr(0, 4));
  data->remove_prefix(4);
  if (size < 0) {
    row->push_back(absl::nullopt);
    return true;
  }
  if (data->size() < static_cast<size_t>(size)) return false;
  row->push_back(data->substr(0, static_cast<size_t>(size)));
  data->remove_prefix(static_cast<size_t>(size));
  return true;
}

// The header that comes before the first row: signature, flags, extension.
constexpr char kCopySignature[] = "PGCOPY\n\377\r\n";
constexpr size_t kCopyHeaderBytes = 19;

// False for what is no row. Leaves `row` empty for the trailer after the last.
bool TakeRow(absl::string_view data, Session::Row* row) {
  row->clear();
  if (absl::StartsWith(data, absl::string_view(kCopySignature, 10))) {
    data.remove_prefix(std::min(kCopyHeaderBytes, data.size()));
  }
  if (data.size() < 2) return false;
  const int64_t columns = ReadInt(data.substr(0, 2));
  data.remove_prefix(2);
  for (int64_t i = 0; i < columns; ++i) {
    if (!TakeColumn(&data, row)) return false;
  }
  return true;
}

struct ConninfoDeleter {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Conninfo = std::unique_ptr<PQconninfoOption, ConninfoDeleter>;

absl::StatusOr<Conninfo> ParseConninfo(absl::string_view conninfo) {
  char* error = nullptr;
  Conninfo options(PQconninfoParse(std::string(conninfo).c_str(), &error));
  if (options == nullptr) {
    // libpq's text quotes the string, which may hold a password.
    PQfreemem(error);
    return absl::InvalidArgumentError("the database conninfo cannot be read");
  }
  return options;
}

void AppendKeyword(absl::string_view keyword, absl::string_view value,
                   std::string* out) {
  if (!out->empty()) out->push_back(' ');
  absl::StrAppend(out, keyword, "='");
  for (char c : value) {
    if (c == '\'' || c == '\\') out->push_back('\\');
    out->push_back(c);
  }
  out->push_back('\'');
}

}  // namespace

// ---- Result ----

void Result::Clear(pg_result* result) { PQclear(result); }
int Result::rows() const { return PQntuples(result_.get()); }
int Result::columns() const { return PQnfields(result_.get()); }
absl::string_view Result::tag() const { return PQcmdStatus(result_.get()); }

int64_t Result::affected() const {
  int64_t count = 0;
  return absl::SimpleAtoi(PQcmdTuples(result_.get()), &count) ? count : 0;
}

bool Result::IsNull(int row, int column) const {
  return PQgetisnull(result_.get(), row, column) != 0;
}

absl::string_view Result::Bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<size_t>(PQgetlength(result_.get(), row, column))};
}

int64_t Result::Int(int row, int column) const {
  return ReadInt(Bytes(row, column));
}

absl::Time Result::Time(int row, int column) const {
  return FromWireTime(Int(row, column));
}

// ---- Session ----

Session::Session(std::unique_ptr<soci::session> soci)
    : soci_(std::move(soci)),
      connection_(
          static_cast<soci::postgresql_session_backend*>(soci_->get_backend())
              ->conn_) {
  PQsetNoticeReceiver(connection_, &IgnoreNotice, nullptr);
  PQsetnonblocking(connection_, 1);
}

Session::~Session() = default;

absl::StatusOr<std::unique_ptr<Session>> Session::Connect(
    const SessionOptions& options) {
  absl::StatusOr<std::string> conninfo = CompleteConninfo(options);
  if (!conninfo.ok()) return conninfo.status();
  std::unique_ptr<Session> session;
  try {
    auto soci = std::make_unique<soci::session>();
    soci->open(soci::postgresql, *conninfo);
    session.reset(new Session(std::move(soci)));
  } catch (const std::exception& error) {
    return absl::UnavailableError(absl::StrCat("connect: ", error.what()));
  }
  absl::Status status = session->Setup(options);
  if (!status.ok()) return status;
  return session;
}

absl::Status Session::Setup(const SessionOptions& options) {
  const std::string script = absl::StrCat(
      "SET timezone = 'UTC'; SET client_encoding = 'UTF8';"
      "SET idle_in_transaction_session_timeout = ",
      absl::ToInt64Milliseconds(options.idle_in_transaction_timeout),
      "; SET lock_timeout = ", absl::ToInt64Milliseconds(options.lock_timeout));
  return Execute(script, absl::Now() + absl::Seconds(5));
}

bool Session::usable() const {
  return !broken_ && PQstatus(connection_) == CONNECTION_OK;
}

bool Session::in_transaction() const {
  const PGTransactionStatusType status = PQtransactionStatus(connection_);
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

int Session::backend_pid() const { return PQbackendPID(connection_); }

absl::Status Session::Break(absl::string_view doing) {
  broken_ = true;
  return ConnectionLost(doing);
}

absl::Status Session::Error(const pg_result* result, absl::string_view doing) {
  const std::string severity = Field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  SqlError error{Field(result, PG_DIAG_SQLSTATE),
                 Field(result, PG_DIAG_CONSTRAINT_NAME)};
  if (severity != "ERROR" || PQstatus(connection_) != CONNECTION_OK) {
    broken_ = true;
  }
  if (error.sqlstate.empty()) return Break(doing);
  return ToStatus(error, doing);
}

absl::Status Session::AwaitSocket(bool writing, absl::Time deadline) {
  pollfd wait{};
  wait.fd = PQsocket(connection_);
  wait.events = static_cast<short>(POLLIN | (writing ? POLLOUT : 0));
  if (wait.fd < 0) return Break("wait");
  while (true) {
    const int ready = poll(&wait, 1, PollMillis(deadline));
    if (ready > 0) break;
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0 && absl::Now() < deadline) continue;
    silent_ = ready == 0;
    return Break("wait for the database");
  }
  if ((wait.revents & ~POLLOUT) != 0 && PQconsumeInput(connection_) == 0) {
    return Break("read");
  }
  return absl::OkStatus();
}

absl::Status Session::Flush(absl::Time deadline) {
  while (true) {
    const int left = PQflush(connection_);
    if (left == 0) return absl::OkStatus();
    if (left < 0) return Break("send");
    absl::Status status = AwaitSocket(/*writing=*/true, deadline);
    if (!status.ok()) return status;
  }
}

absl::Status Session::AwaitResult(absl::Time deadline) {
  while (PQisBusy(connection_) != 0) {
    absl::Status status = AwaitSocket(/*writing=*/false, deadline);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

std::string Session::PreparedName(absl::string_view sql) const {
  auto known = prepared_.find(sql);
  if (known != prepared_.end()) return known->second;
  for (const Expected& expected : expected_) {
    if (!expected.name.empty() && expected.text == sql) return expected.name;
  }
  return "";
}

absl::Status Session::SendPrepared(const Statement& statement) {
  const Params& params = statement.params;
  std::string name = PreparedName(statement.sql);
  if (name.empty()) {
    name = absl::StrCat("s", ++last_name_);
    const std::string text(statement.sql);
    if (PQsendPrepare(connection_, name.c_str(), text.c_str(), params.size(),
                      params.types().data()) == 0) {
      return Break("prepare");
    }
    expected_.push_back({text, name});
  }
  std::vector<const char*> values;
  std::vector<int> lengths;
  const std::vector<int> formats(static_cast<size_t>(params.size()), kBinary);
  for (size_t i = 0; i < formats.size(); ++i) {
    const std::string* value = params.value(i);
    values.push_back(value == nullptr ? nullptr : value->data());
    lengths.push_back(value == nullptr ? 0 : static_cast<int>(value->size()));
  }
  if (PQsendQueryPrepared(connection_, name.c_str(), params.size(),
                          values.data(), lengths.data(), formats.data(),
                          kBinary) == 0) {
    return Break("send");
  }
  expected_.push_back({});
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Result>> Session::QueryAll(
    const std::vector<Statement>& statements, absl::Time deadline) {
  if (!usable()) return Break("query");
  expected_.clear();
  if (PQenterPipelineMode(connection_) == 0) return Break("pipeline");
  for (const Statement& statement : statements) {
    absl::Status status = SendPrepared(statement);
    if (!status.ok()) return status;
  }
  if (PQpipelineSync(connection_) == 0) return Break("sync");
  absl::Status status = Flush(deadline);
  if (!status.ok()) return status;
  absl::StatusOr<std::vector<Result>> results =
      Collect(statements.size(), deadline);
  if (!broken_ && PQexitPipelineMode(connection_) == 0) {
    return Break("leave pipeline");
  }
  return results;
}

absl::StatusOr<std::vector<Result>> Session::Collect(size_t count,
                                                     absl::Time deadline) {
  std::vector<Result> results;
  results.reserve(count);
  absl::Status first_error;
  int nulls = 0;
  // A result and a null for each statement, then the one of the sync.
  for (size_t i = 0; i <= expected_.size();) {
    absl::Status status = AwaitResult(deadline);
    if (!status.ok()) return first_error.ok() ? status : first_error;
    PGresult* raw = PQgetResult(connection_);
    if (raw == nullptr) {
      // One null ends each statement; more mean that nothing will come.
      if (++nulls > 1 || PQstatus(connection_) != CONNECTION_OK) {
        const absl::Status broken = Break("read");
        return first_error.ok() ? broken : first_error;
      }
      continue;
    }
    nulls = 0;
    Result result(raw);
    const ExecStatusType kind = PQresultStatus(raw);
    if (kind == PGRES_PIPELINE_SYNC) break;
    if (Succeeded(raw)) {
      const Expected& expected = expected_[i];
      if (expected.name.empty()) {
        results.push_back(std::move(result));
      } else {
        // It stays prepared, whatever becomes of the statements after it.
        prepared_.emplace(expected.text, expected.name);
      }
    } else if (kind != PGRES_PIPELINE_ABORTED && first_error.ok()) {
      first_error = Error(raw, "statement");
      if (broken_) return first_error;
    }
    ++i;
  }
  if (!first_error.ok()) return first_error;
  if (results.size() != count) return Break("count results");
  return results;
}

absl::StatusOr<Result> Session::Query(absl::string_view sql,
                                      const Params& params,
                                      absl::Time deadline) {
  auto results = QueryAll({{sql, params}}, deadline);
  if (!results.ok()) return results.status();
  return std::move(results->front());
}

absl::Status Session::Execute(absl::string_view script, absl::Time deadline) {
  last_tag_.clear();
  if (!usable()) return Break("execute");
  if (PQsendQuery(connection_, std::string(script).c_str()) == 0) {
    return Break("send");
  }
  absl::Status status = Flush(deadline);
  absl::Status error;
  while (status.ok()) {
    status = AwaitResult(deadline);
    if (!status.ok()) break;
    PGresult* raw = PQgetResult(connection_);
    if (raw == nullptr) return error;
    const Result result(raw);
    if (!Succeeded(raw) && error.ok()) error = Error(raw, "statement");
    if (broken_) return error;
    last_tag_ = std::string(result.tag());
  }
  return status;
}

absl::Status Session::Commit(absl::Time deadline) {
  if (!usable()) return ConnectionLost("commit");
  if (PQtransactionStatus(connection_) != PQTRANS_INTRANS) {
    return absl::InternalError("commit: the transaction has failed or is none");
  }
  // In the simple protocol, so that a proxy in between can tell it.
  absl::Status status = Execute("COMMIT", deadline);
  if (status.ok()) {
    return last_tag_ == "COMMIT" ? absl::OkStatus()
                                 : absl::InternalError("commit: rolled back");
  }
  // What the server says with severity ERROR has not been committed. After
  // anything else nobody knows: a server that is shut down while it waits for a
  // synchronous standby has committed.
  if (!broken_) return status;
  return absl::UnknownError("commit: the outcome was not told");
}

void Session::Rollback(absl::Time deadline) {
  if (!usable() || !in_transaction()) return;
  if (!Query("ROLLBACK", Params(), deadline).ok()) broken_ = true;
}

absl::Status Session::CopyOut(absl::string_view query,
                              absl::FunctionRef<bool(const Row&)> visit,
                              absl::Time deadline) {
  if (!usable()) return Break("copy");
  const std::string copy =
      absl::StrCat("COPY (", query, ") TO STDOUT (FORMAT binary)");
  if (PQsendQuery(connection_, copy.c_str()) == 0) return Break("send");
  absl::Status status = Flush(deadline);
  if (status.ok()) status = AwaitResult(deadline);
  if (!status.ok()) return status;
  absl::Status error;
  {
    PGresult* raw = PQgetResult(connection_);
    const Result begun(raw);
    if (PQresultStatus(raw) != PGRES_COPY_OUT) error = Error(raw, "copy");
    if (broken_) return error;
  }
  Row row;
  while (error.ok()) {
    char* data = nullptr;
    const int size = PQgetCopyData(connection_, &data, /*async=*/1);
    if (size > 0) {
      const bool whole = TakeRow({data, static_cast<size_t>(size)}, &row) &&
                         (row.empty() || visit(row));
      PQfreemem(data);
      if (!whole) return Break("copy");
    } else if (size == 0) {
      status = AwaitSocket(/*writing=*/false, deadline);
      if (!status.ok()) return status;
    } else {
      break;
    }
  }
  while (true) {
    status = AwaitResult(deadline);
    if (!status.ok()) return status;
    PGresult* raw = PQgetResult(connection_);
    if (raw == nullptr) return error;
    const Result result(raw);
    if (!Succeeded(raw) && error.ok()) error = Error(raw, "copy");
    if (broken_) return error;
  }
}

absl::Status Session::Plain(absl::string_view doing,
                            absl::FunctionRef<void(soci::session&)> work) {
  if (!usable()) return Break(doing);
  try {
    work(*soci_);
    return absl::OkStatus();
  } catch (const soci::postgresql_soci_error& error) {
    if (PQstatus(connection_) != CONNECTION_OK) return Break(doing);
    return ToStatus({error.sqlstate(), ""}, doing);
  } catch (const std::exception&) {
    // Its text may quote values.
    if (PQstatus(connection_) != CONNECTION_OK) return Break(doing);
    return absl::InternalError(absl::StrCat(doing, ": SOCI failed"));
  }
}

// ---- conninfo ----

absl::StatusOr<std::string> CompleteConninfo(const SessionOptions& options) {
  absl::StatusOr<Conninfo> parsed = ParseConninfo(options.conninfo);
  if (!parsed.ok()) return parsed.status();
  const std::pair<const char*, std::string> defaults[] = {
      {"application_name", options.application_name},
      {"connect_timeout", "3"},  // seconds
      {"keepalives", "1"},
      {"keepalives_idle", "10"},
      {"keepalives_interval", "5"},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", "10000"},  // milliseconds
  };
  std::string complete;
  for (PQconninfoOption* option = parsed->get(); option->keyword != nullptr;
       ++option) {
    if (option->val != nullptr) {
      AppendKeyword(option->keyword, option->val, &complete);
      continue;
    }
    for (const auto& [keyword, value] : defaults) {
      if (absl::string_view(keyword) == option->keyword) {
        AppendKeyword(keyword, value, &complete);
      }
    }
  }
  return complete;
}

absl::StatusOr<std::string> WithKeyword(absl::string_view conninfo,
                                        absl::string_view keyword,
                                        absl::string_view value) {
  absl::StatusOr<Conninfo> parsed = ParseConninfo(conninfo);
  if (!parsed.ok()) return parsed.status();
  std::string changed;
  for (PQconninfoOption* option = parsed->get(); option->keyword != nullptr;
       ++option) {
    if (keyword == option->keyword) {
      AppendKeyword(keyword, value, &changed);
    } else if (option->val != nullptr) {
      AppendKeyword(option->keyword, option->val, &changed);
    }
  }
  return changed;
}

}  // namespace transparency::postgres
