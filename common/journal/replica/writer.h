#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/caller.h"
#include "common/journal/metrics.h"
#include "common/journal/replica/decision.h"
#include "common/journal/store.h"

namespace transparency::journal {

struct CommandResult {
  // The serialized answer. Of a repeated request_id: as it was recorded.
  std::string answer;
  // Store::RevisionToken of the state that shows the command's changes.
  std::string revision_token;
  // It had been carried out before, under the same request_id.
  bool repeated = false;
};

// One call that may change something.
struct Command {
  Caller caller;
  std::string method;  // its full name, of one form throughout
  // UUID in canonical form, or empty.
  std::string request_id;
  // Tell requests apart that come under one request_id: of the request less its
  // personal fields (and whether it has any), and of those alone, empty where
  // it has none.
  std::string request_digest;
  std::string personal_digest;
  // Decides and stops before writing; records nothing.
  bool validate_only = false;
  absl::Time deadline = absl::InfiniteFuture();
  // Asked before deciding: nobody reads the answer any more. May be empty.
  std::function<bool()> abandoned;
  // Refuses, or puts what changes and returns the serialized answer. May run
  // more than once, each time from the state then; changes nothing but the
  // decision. Runs on the writer's thread.
  std::function<absl::StatusOr<std::string>(Decision&)> decide;
  // The answer less personal fields, for the request record; empty: as it is.
  std::function<std::string(const std::string& answer)> recordable;
  // Called exactly once, on the writer's thread or the submitting one; must not
  // block. Refusals of the writer itself, beside what `decide` returns:
  //   RESOURCE_EXHAUSTED OVERLOADED      the queue is full; not done
  //   UNAVAILABLE STORAGE_UNAVAILABLE    not done
  //   UNAVAILABLE DRAINING               not done
  //   DEADLINE_EXCEEDED, CANCELLED       not done
  //   ALREADY_EXISTS REQUEST_ID_REUSED   not done
  //   UNKNOWN OUTCOME_UNKNOWN            perhaps done: ask with the request_id
  //   INTERNAL DEFECT                    not done
  std::function<void(absl::StatusOr<CommandResult>)> done;
};

struct WriterOptions {
  std::string conninfo;
  // Commands that wait at most; one more is refused.
  size_t queue_length = 1024;
  // Commands of one transaction at most.
  size_t batch_size = 64;
  // Clock entries of one transaction at most.
  size_t clock_batch_size = 1024;
  // Bound of one batch where the commands' deadlines set none.
  absl::Duration max_batch_time = absl::Seconds(30);
  // Longest wait for the order lock: a frozen replica may hold it until the
  // database ends its idle transaction, after 5 s.
  absl::Duration max_lock_wait = absl::Seconds(7);
  // Longest wait for any other answer of the database but that to COMMIT; then
  // it is taken to be away, and what waits is refused: certainly not done.
  absl::Duration max_silence = absl::Seconds(5);
  // How often the idle writer looks for clock changes that are due.
  absl::Duration clock_interval = absl::Milliseconds(50);
  // How long a request record is kept.
  absl::Duration request_retention = absl::Hours(24);
  // How often expired request records are taken out.
  absl::Duration purge_interval = absl::Minutes(10);
};

// The one thread of a replica that writes: see "Life of a change" in
// ARCHITECTURE.md. Store and metrics outlive it.
class Writer {
 public:
  Writer(const WriterOptions& options, Store* store, Clock* clock,
         Metrics* metrics);
  ~Writer();  // stops
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Connects, checks that each kind has its table, starts the thread. The store
  // is loaded by then.
  absl::Status Start();
  // Refuses what still waits, ends and joins the thread.
  void Stop();

  // Thread-safe; never blocks. Refused (DRAINING) before Start and after Stop.
  void Submit(Command command);

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace transparency::journal
