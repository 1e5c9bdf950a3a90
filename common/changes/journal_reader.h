#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/postgres/session.h"
#include "common/rpc/turns.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"

namespace transparency::changes {

struct JournalReaderOptions {
  std::string conninfo;
  // Threads, each with a session of its own.
  int sessions = 2;
  // Most calls that wait for one, a quarter of them of one caller. Callers take
  // turns.
  size_t queue = 64;
};

// Reads of the journal in PostgreSQL, away from the writer, the follower and
// the threads that serve calls. Thread-safe.
class JournalReader {
 public:
  struct Job {
    absl::Time deadline;
    // Nobody waits for it any more. May be empty.
    std::function<bool()> abandoned;
    // Runs with a session, on a thread of the reader, or with a refusal, there
    // or at once: UNAVAILABLE (STORAGE_UNAVAILABLE, DRAINING),
    // RESOURCE_EXHAUSTED (OVERLOADED), DEADLINE_EXCEEDED, CANCELLED. Once,
    // except that with `again` it may return false, before it has answered
    // anybody: the session had been lost before (IsLost), as all are when
    // PostgreSQL was started anew. It runs then with a new one.
    std::function<bool(absl::StatusOr<postgres::Session*>, bool again)> run;
    // One of a stream, of which there is a bound elsewhere: always let in. Such
    // jobs and calls take turns.
    bool of_stream = false;
    // Whose turn it takes: Call::share_key.
    std::string caller;
  };

  JournalReader(JournalReaderOptions options, prometheus::Registry* registry);
  ~JournalReader();  // stops
  JournalReader(const JournalReader&) = delete;
  JournalReader& operator=(const JournalReader&) = delete;

  void Start();
  // Refuses what waits, and all that comes.
  void Stop();

  void Submit(Job job);

 private:
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !calls_.empty() || !streams_.empty();
  }
  // False when the thread is to end.
  bool Take(Job* job);
  void Work();
  void Run(const Job& job, std::unique_ptr<postgres::Session>* session);

  const JournalReaderOptions options_;
  prometheus::Gauge& length_;
  absl::Mutex mutex_;
  rpc::Turns<Job> calls_ ABSL_GUARDED_BY(mutex_);
  rpc::Turns<Job> streams_ ABSL_GUARDED_BY(mutex_);
  bool streams_turn_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

// Whether a read failed because its session's connection was lost.
bool IsLost(const absl::Status& status,
            const absl::StatusOr<postgres::Session*>& session);

// A failed statement as clients see it: what the database says is for the log.
absl::Status ReadFailure(const absl::Status& status);

}  // namespace transparency::changes
