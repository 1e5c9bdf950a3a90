#include "common/journal/replica/batch.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/journal/order_lock.h"
#include "common/journal/refusals.h"
#include "common/journal/secrets.h"
#include "common/postgres/sqlstate.h"
#include "common/status/status.h"
#include "spdlog/spdlog.h"

namespace transparency::journal {
namespace {

constexpr char kBegin[] = "BEGIN ISOLATION LEVEL READ COMMITTED";
constexpr char kSetTimeouts[] =
    "SELECT set_config('lock_timeout', $1::text, true), "
    "set_config('statement_timeout', $2::text, true)";
constexpr char kCheckConstraints[] = "SET CONSTRAINTS ALL IMMEDIATE";
constexpr char kSelectDigest[] =
    "SELECT digest FROM journal WHERE revision = $1::bigint";
// How often a batch that was certainly not done is begun again.
constexpr int kAttempts = 3;
// The client's wait beyond the server's own time-out.
constexpr absl::Duration kGrace = absl::Seconds(1);
constexpr absl::Duration kMinBatchTime = absl::Seconds(2);
constexpr absl::Duration kSettleInterval = absl::Milliseconds(50);
constexpr absl::Duration kClockSkip = absl::Minutes(1);
// A database that lets a connection wait for longer is not asked again for as
// long: each try holds up whoever waits.
constexpr absl::Duration kSlowConnect = absl::Seconds(1);

std::string Millis(absl::Duration duration) {
  return absl::StrCat(
      std::max<int64_t>(1, absl::ToInt64Milliseconds(duration)));
}

}  // namespace

BatchRunner::BatchRunner(const WriterOptions& options, Store* store,
                         Clock* clock, Metrics* metrics)
    : options_(options), store_(store), clock_(clock), metrics_(metrics) {}

absl::Status BatchRunner::Connect() {
  postgres::SessionOptions session_options;
  session_options.conninfo = options_.conninfo;
  session_options.application_name = "transparency writer";
  auto session = postgres::Session::Connect(session_options);
  if (!session.ok()) return session.status();
  if (tables_.empty()) {
    auto tables = ReadTables(session->get(), store_->catalogue());
    if (!tables.ok()) return tables.status();
    tables_ = *std::move(tables);
  }
  auto secrets =
      ReadSecrets(session->get(), absl::Now() + options_.max_silence);
  if (!secrets.ok()) return secrets.status();
  request_key_ = std::move(secrets->request_key);
  session_ = *std::move(session);
  if (connected_before_) metrics_->reconnects.Increment();
  connected_before_ = true;
  return absl::OkStatus();
}

absl::Status BatchRunner::EnsureSession() {
  if (session_ != nullptr && session_->usable()) return absl::OkStatus();
  session_.reset();
  const absl::Time begun = SteadyNow();
  if (begun < away_until_) {
    return absl::UnavailableError("the database does not answer");
  }
  absl::Status status = Connect();
  const absl::Time now = SteadyNow();
  if (!status.ok() && now - begun > kSlowConnect) {
    away_until_ = now + kSlowConnect;
  }
  return status;
}

absl::Time BatchRunner::AnswerBy(const Transaction& tx) const {
  return std::min(tx.deadline + kGrace, absl::Now() + options_.max_silence);
}

absl::Time BatchRunner::BatchDeadline(
    const std::vector<Command>& commands) const {
  const absl::Time now = absl::Now();
  if (commands.empty()) return now + options_.max_batch_time;
  absl::Time latest = now + kMinBatchTime;
  for (const Command& command : commands) {
    latest = std::max(latest, command.deadline);
  }
  return std::min(latest, now + options_.max_batch_time);
}

void BatchRunner::DropExpired(std::vector<Command>* commands) {
  const absl::Time now = absl::Now();
  std::vector<Command> kept;
  for (Command& command : *commands) {
    if (now >= command.deadline) {
      command.done(DeadlinePassed());
    } else if (command.abandoned && command.abandoned()) {
      command.done(CallCancelled());
    } else {
      kept.push_back(std::move(command));
    }
  }
  *commands = std::move(kept);
}

void BatchRunner::Refuse(std::vector<Command>* commands,
                         const absl::Status& status) {
  for (Command& command : *commands) command.done(status);
  commands->clear();
}

void BatchRunner::LogFailure(const absl::Status& status, size_t commands) {
  metrics_->failed_batches.Increment();
  if (postgres::IsConstraintViolation(status)) {
    metrics_->constraint_hits.Increment();
  }
  spdlog::error("writer: a batch of {} commands failed: {}", commands,
                std::string(status.message()));
}

void BatchRunner::Run(std::vector<Command> commands) {
  const bool clock_only = commands.empty();
  for (int attempt = 0; attempt < kAttempts;) {
    DropExpired(&commands);
    if (commands.empty() && !clock_only) return;
    absl::Status status = EnsureSession();
    if (!status.ok()) {
      spdlog::warn("writer: {}", std::string(status.message()));
      break;
    }
    const size_t size = commands.size();
    const Attempt tried = Try(&commands, nullptr);
    switch (tried.end) {
      case End::kCommitted:
        return;
      case End::kMore:
        continue;
      case End::kUnknown:
        // Those it was about have been told; none of the others has begun.
        return Refuse(&commands, StorageUnavailable());
      case End::kFailed:
        LogFailure(tried.status, size);
        return Isolate(std::move(commands));
      case End::kNotDone:
        metrics_->failed_batches.Increment();
        spdlog::warn("writer: a batch was not done: {}",
                     std::string(tried.status.message()));
        // The order lock did not come free, or the database fell silent: others
        // wait too.
        if (postgres::ErrorOf(tried.status).sqlstate == "55P03" ||
            (session_ != nullptr && session_->silent())) {
          attempt = kAttempts;
        }
        ++attempt;
    }
  }
  Refuse(&commands, StorageUnavailable());
}

void BatchRunner::Isolate(std::vector<Command> commands) {
  IsolateClock(ClockNames(options_.clock_batch_size));
  for (Command& command : commands) {
    std::vector<Command> one;
    one.push_back(std::move(command));
    for (int attempt = 0; !one.empty() && attempt < kAttempts; ++attempt) {
      DropExpired(&one);
      if (one.empty() || !EnsureSession().ok()) break;
      const Attempt tried = Try(&one, nullptr);
      if (tried.end == End::kMore) continue;
      if (tried.end == End::kFailed) {
        LogFailure(tried.status, 1);
        Refuse(&one, Defect());
      }
    }
    Refuse(&one, StorageUnavailable());
  }
}

void BatchRunner::IsolateClock(const std::vector<std::string>& names) {
  if (names.empty() || !EnsureSession().ok()) return;
  std::vector<Command> none;
  const Attempt tried = Try(&none, &names);
  if (tried.end != End::kFailed) return;
  if (names.size() == 1) {
    LogFailure(tried.status, 0);
    spdlog::error("writer: the clock's change of {} cannot be written",
                  names[0]);
    clock_skips_[names[0]] = SteadyNow() + kClockSkip;
    return;
  }
  const auto middle =
      names.begin() + static_cast<std::ptrdiff_t>(names.size() / 2);
  IsolateClock({names.begin(), middle});
  IsolateClock({middle, names.end()});
}

// ---- one transaction ----

BatchRunner::Attempt BatchRunner::Try(std::vector<Command>* commands,
                                      const std::vector<std::string>* clock) {
  Transaction tx(request_key_);
  tx.begun = SteadyNow();
  tx.deadline = BatchDeadline(*commands);
  // The follower may publish more than the head that is read after this, while
  // the lock is awaited.
  const std::shared_ptr<const resource::Snapshot> before = store_->Base();
  absl::Status status = Begin(&tx);
  if (status.ok()) status = CatchUp(before, &tx);
  if (status.ok()) PutClock(&tx, clock);
  std::vector<Command> later;
  if (tx.more) later.swap(*commands);
  // Whoever gave up while the lock was awaited is not served.
  DropExpired(commands);
  if (status.ok()) {
    status = tx.records.LookUp(session_.get(), *commands, AnswerBy(tx));
  }
  if (status.ok()) {
    for (const Command& command : *commands) {
      tx.verdicts.push_back(Judge(command, &tx));
    }
    status = Write(tx);
  }
  const bool writes =
      status.ok() && session_->in_transaction();  // Write ends an idle one
  if (writes) status = session_->Commit(tx.deadline + kGrace);
  Attempt attempt{End::kCommitted, status};
  if (absl::IsUnknown(status)) {
    attempt = Settle(tx);
  } else if (!status.ok()) {
    session_->Rollback(absl::Now() + kGrace);
    const bool defect = absl::IsInternal(status) || absl::IsDataLoss(status);
    attempt.end = defect ? End::kFailed : End::kNotDone;
  }
  if (attempt.end == End::kCommitted) {
    Publish(&tx);
    metrics_->commit_seconds.Observe(
        absl::ToDoubleSeconds(SteadyNow() - tx.begun));
  }
  if (attempt.end == End::kCommitted || attempt.end == End::kUnknown) {
    for (Verdict& verdict : tx.verdicts) {
      if (attempt.end == End::kUnknown && verdict.rests_on_commit) {
        verdict.result = OutcomeUnknown();
      }
    }
    Answer(commands, &tx);
  }
  if (tx.more) {
    *commands = std::move(later);
    if (attempt.end == End::kCommitted) attempt.end = End::kMore;
  }
  return attempt;
}

absl::Status BatchRunner::Begin(Transaction* tx) {
  const absl::Duration left = tx->deadline - absl::Now();
  const absl::Duration lock_wait = std::min(left, options_.max_lock_wait);
  postgres::Params timeouts;
  timeouts.Text(Millis(lock_wait)).Text(Millis(left));
  // The head is read by a statement of its own: the one that waits for the lock
  // sees the journal as it was before.
  auto begun = session_->QueryAll({{kBegin, {}},
                                   {kSetTimeouts, timeouts},
                                   {kTakeOrderLock, {}},
                                   {kSelectHead, {}}},
                                  absl::Now() + lock_wait + kGrace);
  if (!begun.ok()) return begun.status();
  tx->head = ParseHead(begun->back());
  return absl::OkStatus();
}

absl::Status BatchRunner::CatchUp(
    const std::shared_ptr<const resource::Snapshot>& before, Transaction* tx) {
  const Head& head = tx->head;
  std::shared_ptr<const resource::Snapshot> base = store_->Base();
  if (base->revision() > head.revision) base = before;
  const bool same =
      base->revision() < head.revision ||
      (base->revision() == head.revision && base->digest() == head.digest);
  if (!store_->loaded()) return absl::UnavailableError("not loaded");
  if (!same) {
    store_->Invalidate();
    return absl::UnavailableError("the database's history is another one");
  }
  tx->marks.push_back({base->revision(), base->digest()});
  resource::SnapshotBuilder builder(*base);
  const absl::Time now = std::max(
      {clock_->Reading(head.database_time), head.record_time, base->instant()});
  builder.Advance(now);
  while (builder.view().revision() < head.revision) {
    auto entries = ReadEntries(session_.get(), builder.view().revision(),
                               kReplayLimit, AnswerBy(*tx));
    if (!entries.ok()) return entries.status();
    absl::Status status = Replay(*entries, now, &builder, &tx->marks);
    if (absl::IsDataLoss(status) || entries->empty()) {
      store_->Invalidate();
      return absl::UnavailableError("the database's history is another one");
    }
    if (!status.ok()) return status;
  }
  tx->bench = std::make_unique<Workbench>(std::move(builder), head, now);
  return absl::OkStatus();
}

void BatchRunner::PutClock(Transaction* tx,
                           const std::vector<std::string>* clock) {
  const absl::Time now = SteadyNow();
  absl::erase_if(clock_skips_,
                 [&](const auto& skip) { return skip.second <= now; });
  std::vector<resource::ItemPtr> due;
  if (clock != nullptr) {
    for (const std::string& name : *clock) {
      resource::ItemPtr item = tx->bench->view().Share(name);
      if (item != nullptr && item->clock_pending()) due.push_back(item);
    }
  } else {
    const size_t limit = options_.clock_batch_size + clock_skips_.size() + 1;
    for (const resource::Item* item : tx->bench->view().ClockPending(limit)) {
      if (!clock_skips_.contains(item->name())) {
        due.push_back(tx->bench->view().Share(item->name()));
      }
    }
  }
  tx->more = due.size() > options_.clock_batch_size;
  if (tx->more) due.resize(options_.clock_batch_size);
  for (const resource::ItemPtr& item : due) tx->bench->PutClock(item);
}

std::vector<std::string> BatchRunner::ClockNames(size_t limit) {
  std::vector<std::string> names;
  // Kept: the items are the snapshot's.
  const std::shared_ptr<const resource::Snapshot> snapshot = store_->Current();
  for (const resource::Item* item : snapshot->ClockPending(limit)) {
    if (!clock_skips_.contains(item->name())) names.push_back(item->name());
  }
  return names;
}

bool BatchRunner::ClockDue() {
  return store_->loaded() && !ClockNames(clock_skips_.size() + 1).empty();
}

absl::StatusOr<std::string> BatchRunner::Decide(const Command& command,
                                                Workbench* bench) {
  try {
    CommandDecision decision(bench, &command.caller, command.method,
                             command.request_id);
    return command.decide(decision);
  } catch (const std::exception& error) {
    spdlog::error("writer: {} threw: {}", command.method, error.what());
  } catch (...) {
    spdlog::error("writer: {} threw", command.method);
  }
  return Defect();
}

BatchRunner::Verdict BatchRunner::Judge(const Command& command,
                                        Transaction* tx) {
  Verdict verdict;
  const bool recorded = RequestRecords::Covers(command);
  if (!recorded && !command.request_id.empty() &&
      !RequestRecords::WellFormed(command.request_id)) {
    verdict.result =
        status::InvalidField("request_id", "must be a UUID, RFC 9562");
    return verdict;
  }
  if (recorded && tx->records.Find(command) != nullptr) {
    const RequestRecord& first = *tx->records.Find(command);
    metrics_->repeated_requests.Increment();
    // The first may stand in this very batch.
    verdict.rests_on_commit = true;
    if (tx->records.Fits(first, command)) {
      verdict.result = CommandResult{first.answer, first.revision_token, true};
    } else {
      verdict.result = RequestIdReused(command.request_id);
    }
    return verdict;
  }
  Workbench& bench = *tx->bench;
  const size_t before = bench.changes().size();
  bench.TakeTouched();
  absl::StatusOr<std::string> answer = Decide(command, &bench);
  const std::set<std::string> touched = bench.TakeTouched();
  if (!answer.ok() || command.validate_only) bench.UndoTo(before);
  verdict.rests_on_commit =
      (answer.ok() && recorded) || !bench.changes().empty();
  if (!answer.ok()) {
    verdict.refused = true;
    verdict.result = answer.status();
    return verdict;
  }
  CommandResult result{*std::move(answer),
                       Store::RevisionToken(bench.revision(), bench.digest()),
                       false};
  for (size_t i = before; i < bench.changes().size(); ++i) {
    const PendingChange& change = bench.changes()[i];
    if (change.personal != PendingChange::Personal::kKeep) {
      tx->records.Forget(change.entry.name);
    }
  }
  if (recorded) {
    tx->records.Add(
        command, touched,
        command.recordable ? command.recordable(result.answer) : result.answer,
        result.revision_token, bench.revision());
  }
  verdict.result = std::move(result);
  return verdict;
}

absl::Status BatchRunner::Write(const Transaction& tx) {
  std::vector<postgres::Statement> statements =
      WriteStatements(tx.bench->changes(), tables_);
  tx.records.AppendWrites(tx.bench->now(), &statements);
  if (statements.empty()) {
    session_->Rollback(AnswerBy(tx));
    return absl::OkStatus();
  }
  // Now a broken constraint is told by name, and COMMIT cannot meet one.
  statements.push_back({kCheckConstraints, {}});
  return session_->QueryAll(statements, AnswerBy(tx)).status();
}

// ---- after COMMIT ----

BatchRunner::Attempt BatchRunner::Settle(const Transaction& tx) {
  metrics_->unknown_outcomes.Increment();
  spdlog::warn("writer: the connection was lost at COMMIT; looking it up");
  // Records without a change can be decided again, whatever became of them.
  if (tx.bench->changes().empty()) {
    return {End::kNotDone, absl::UnavailableError("connection lost at COMMIT")};
  }
  const Store::Mark mark{tx.bench->revision(), tx.bench->digest()};
  while (absl::Now() < tx.deadline) {
    const absl::StatusOr<bool> written = IsWritten(mark, tx.deadline);
    if (written.ok()) {
      spdlog::warn("writer: revision {} was {}", mark.revision,
                   *written ? "committed" : "not committed");
      return {*written ? End::kCommitted : End::kNotDone,
              absl::UnavailableError("connection lost at COMMIT")};
    }
    if (on_waiting_) on_waiting_();
    absl::Mutex pause;
    absl::MutexLock lock(&pause);
    const bool never = false;
    pause.AwaitWithTimeout(absl::Condition(&never), kSettleInterval);
  }
  spdlog::error("writer: what became of revision {} could not be learnt",
                mark.revision);
  return {End::kUnknown, absl::OkStatus()};
}

absl::StatusOr<bool> BatchRunner::IsWritten(const Store::Mark& mark,
                                            absl::Time deadline) {
  absl::Status status = EnsureSession();
  if (!status.ok()) return status;
  const absl::Duration left = deadline - absl::Now();
  postgres::Params timeouts, revision;
  timeouts.Text(Millis(left)).Text(Millis(left));
  revision.Int(mark.revision);
  // The lock: while the lost session's transaction lives, it is not decided.
  auto results = session_->QueryAll({{kBegin, {}},
                                     {kSetTimeouts, timeouts},
                                     {kTakeOrderLock, {}},
                                     {kSelectDigest, revision}},
                                    deadline + kGrace);
  session_->Rollback(absl::Now() + kGrace);
  if (!results.ok()) return results.status();
  const postgres::Result& row = results->back();
  return row.rows() == 1 && row.Bytes(0, 0) == mark.digest;
}

void BatchRunner::Publish(Transaction* tx) {
  for (const PendingChange& change : tx->bench->changes()) {
    auto applied =
        std::make_shared<Applied>(Applied{change.entry, change.item});
    applied->entry.body.clear();
    tx->marks.push_back(
        {change.entry.revision, change.entry.digest, std::move(applied)});
    if (change.entry.kind == v1::Change::CLOCK) {
      metrics_->clock_entries.Increment();
    }
  }
  const int64_t head = tx->bench->revision();
  store_->Publish(std::move(*tx->bench).Build(), tx->marks);
  store_->Proven(head, tx->begun);
}

void BatchRunner::Answer(std::vector<Command>* commands, Transaction* tx) {
  if (!commands->empty()) {
    metrics_->batches.Increment();
    metrics_->batch_size.Observe(static_cast<double>(commands->size()));
    metrics_->commands.Increment(static_cast<double>(commands->size()));
  }
  for (size_t i = 0; i < commands->size(); ++i) {
    if (tx->verdicts[i].refused) metrics_->refused_commands.Increment();
    (*commands)[i].done(std::move(tx->verdicts[i].result));
  }
  commands->clear();
}

absl::StatusOr<bool> BatchRunner::Purge() {
  absl::Status status = EnsureSession();
  if (!status.ok()) return status;
  return RequestRecords::Purge(session_.get(),
                               clock_->Now() - options_.request_retention);
}

}  // namespace transparency::journal
