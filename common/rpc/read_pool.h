#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/call.h"
#include "prometheus/registry.h"

namespace transparency::rpc {

// A few threads for reads that look at much, with a bounded queue, first come
// first served. Thread-safe.
class ReadPool {
 public:
  // `registry` outlives the pool.
  ReadPool(int threads, size_t capacity, prometheus::Registry* registry);
  // Runs what still waits, then joins.
  ~ReadPool();

  // False when `capacity` calls wait that somebody still wants answered.
  // `run` looks itself whether its call was abandoned meanwhile; it then ends
  // at once, for it may run on the thread that submits another call.
  bool Submit(std::shared_ptr<Call> call, std::function<void()> run);

 private:
  struct Job {
    std::shared_ptr<Call> call;
    std::function<void()> run;
  };

  void Work();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !queue_.empty();
  }
  // Takes the abandoned calls out of the queue.
  std::vector<Job> TakeAbandoned() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t capacity_;
  prometheus::Gauge& length_;
  prometheus::Counter& refused_;
  prometheus::Counter& dropped_;

  absl::Mutex mutex_;
  std::deque<Job> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace transparency::rpc
