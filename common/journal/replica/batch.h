#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/journal/replay.h"
#include "common/journal/replica/request_records.h"
#include "common/journal/replica/workbench.h"
#include "common/journal/replica/writer.h"
#include "common/journal/table.h"
#include "common/postgres/session.h"

namespace transparency::journal {

// Carries out batches of commands, each in one transaction under the order
// lock, on the writer's thread and session.
class BatchRunner {
 public:
  BatchRunner(const WriterOptions& options, Store* store, Clock* clock,
              Metrics* metrics);

  // Called again and again while the database cannot be reached and a batch
  // waits for it: what else waits can be refused then.
  void OnWaiting(std::function<void()> reaction) {
    on_waiting_ = std::move(reaction);
  }

  // Connects, reads the tables' columns and the database's secret.
  absl::Status Connect();

  // Decides, writes and answers every command; writes down what the clock has
  // changed too. Without commands that alone.
  void Run(std::vector<Command> commands);

  // There are changes of the clock to be written.
  bool ClockDue();

  // Takes out some request records older than the retention. False once there
  // are none left.
  absl::StatusOr<bool> Purge();

 private:
  // What a command came to; told once the batch is committed.
  struct Verdict {
    absl::StatusOr<CommandResult> result = absl::UnknownError("undecided");
    // It stands on the commit: by a change or a record of its own, or because
    // it was decided on changes of the batch before it.
    bool rests_on_commit = false;
    bool refused = false;
  };
  enum class End { kCommitted, kMore, kNotDone, kFailed, kUnknown };
  struct Attempt {
    End end;
    absl::Status status;
  };
  // One transaction under way.
  struct Transaction {
    explicit Transaction(std::string request_key)
        : records(std::move(request_key)) {}

    absl::Time begun;     // SteadyNow
    absl::Time deadline;  // absl::Now
    Head head;
    std::vector<Store::Mark> marks;
    std::unique_ptr<Workbench> bench;
    RequestRecords records;
    std::vector<Verdict> verdicts;
    bool more = false;  // the clock has more to write than one transaction
  };

  // Tries `commands` in one transaction and answers them when it committed.
  // `clock`: the changes of the clock to write, by name; null: all that are
  // due.
  Attempt Try(std::vector<Command>* commands,
              const std::vector<std::string>* clock);
  absl::Status Begin(Transaction* tx);
  absl::Status CatchUp(const std::shared_ptr<const resource::Snapshot>& before,
                       Transaction* tx);
  void PutClock(Transaction* tx, const std::vector<std::string>* clock);
  absl::StatusOr<std::string> Decide(const Command& command, Workbench* bench);
  Verdict Judge(const Command& command, Transaction* tx);
  absl::Status Write(const Transaction& tx);
  // Waits for what became of a COMMIT without an answer.
  Attempt Settle(const Transaction& tx);
  absl::StatusOr<bool> IsWritten(const Store::Mark& mark, absl::Time deadline);
  void Publish(Transaction* tx);
  void Answer(std::vector<Command>* commands, Transaction* tx);

  absl::Status EnsureSession();
  // Until when an answer to what is asked now is awaited.
  absl::Time AnswerBy(const Transaction& tx) const;
  void DropExpired(std::vector<Command>* commands);
  void Refuse(std::vector<Command>* commands, const absl::Status& status);
  // After a failure that some change of the batch caused: finds it by trying
  // the clock's changes in ever smaller parts, then the commands one by one.
  void Isolate(std::vector<Command> commands);
  void IsolateClock(const std::vector<std::string>& names);
  std::vector<std::string> ClockNames(size_t limit);
  absl::Time BatchDeadline(const std::vector<Command>& commands) const;
  void LogFailure(const absl::Status& status, size_t commands);

  const WriterOptions options_;
  Store* const store_;
  Clock* const clock_;
  Metrics* const metrics_;
  std::function<void()> on_waiting_;
  std::unique_ptr<postgres::Session> session_;
  bool connected_before_ = false;
  // Until then (SteadyNow) the database is taken to be away.
  absl::Time away_until_ = absl::InfinitePast();
  std::vector<Table> tables_;
  std::string request_key_;  // see Secrets
  // Changes of the clock that the database refuses (a defect), and the instant
  // (SteadyNow) at which they are tried again.
  absl::flat_hash_map<std::string, absl::Time> clock_skips_;
};

// Writes what a batch changed: journal, tables, personal bodies.
std::vector<postgres::Statement> WriteStatements(
    const std::vector<PendingChange>& changes,
    const std::vector<Table>& tables);

}  // namespace transparency::journal
