#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/call.h"
#include "prometheus/registry.h"

namespace transparency::rpc {

// Reads that look at much. A few of them run at a time, and callers take turns:
// next is whoever has had the least time of those who have something to run. A
// read gives way in the middle when its slice is over, so that a short read
// waits for the end of a slice and not for the end of long reads, however many
// of them one caller has. Callers are told apart by Call::share_key.
// Thread-safe.
class ReadPool {
 public:
  // How long a read goes on while others wait.
  static constexpr absl::Duration kSlice = absl::Microseconds(500);
  // A read that gives way keeps its thread. So many threads there are at most
  // for each read that may run at a time; when they are all taken by reads
  // under way, others wait for the end of one. One caller has at most as many
  // under way as may run at a time, and one when half of the threads are taken.
  static constexpr int kThreadsForEach = 16;

  // At most `running` run at a time, and of those that have had a slice one
  // less, but at least one: what is short finds a processor that is not taken.
  // `registry` outlives the pool.
  ReadPool(int running, size_t capacity, prometheus::Registry* registry);
  // Runs what still waits, then joins.
  ~ReadPool();

  // False when too many calls wait to begin that somebody still wants answered:
  // `capacity` of all callers, or a quarter of it of this one. `run` looks
  // itself whether its call was abandoned meanwhile; it then ends at once, for
  // it may run on the thread that submits another call.
  bool Submit(std::shared_ptr<Call> call, std::function<void()> run);

  // Whether the call's caller has no read in the pool.
  bool HasNoneOf(const Call& call) const;

  // While one of these is there, the read that runs on its thread, which is of
  // no pool, is tried: whether it ends within a slice.
  class Trial {
   public:
    Trial();
    ~Trial();
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;

    // The read was told to end, and is to begin anew in the pool.
    bool over() const { return over_; }

   private:
    friend class ReadPool;

    const absl::Duration began_;
    bool over_ = false;
  };

  // For the read that runs on this thread, every millisecond or so: waits while
  // it is the turn of others. False when the read is a trial that is over, and
  // is to end with whatever status. Returns at once on a thread of no pool. The
  // caller must hold no lock.
  static bool GiveWay();

 private:
  struct Job {
    std::shared_ptr<Call> call;
    std::function<void()> run;
  };
  // A read under way, on a thread of its own.
  struct Reading;
  // What one caller has in the pool.
  struct Share {
    std::deque<Job> waiting;
    std::deque<Reading*> paused;
    int under_way = 0;  // running or paused
    // Time it has had, counted on from what the others had when it came.
    absl::Duration used;

    bool idle() const { return waiting.empty() && under_way == 0; }
  };

  void Work();
  void Run(Reading* reading);
  void Pause(Reading* reading);
  // It stops running, paused or at its end; its caller has had the time.
  void Rest(Reading* reading) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Lets reads begin or go on as long as one more may run.
  void Dispatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Share* Next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MayBegin(const Share& share) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Share* ShareOf(const std::string& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes the abandoned calls out of what waits of one caller.
  void TakeAbandoned(Share* share, std::vector<Job>* abandoned)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Accept(Share* share, std::vector<Job>* abandoned)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Done() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return waiting_ == 0 && under_way_ == 0;
  }

  // What runs on this thread.
  static thread_local Reading* this_reading;
  static thread_local Trial* this_trial;

  const int most_running_;
  const int most_going_on_;
  const int most_threads_;
  const size_t capacity_;
  const size_t capacity_of_one_;
  prometheus::Gauge& length_;
  prometheus::Gauge& paused_;
  prometheus::Counter& refused_;
  prometheus::Counter& dropped_;

  mutable absl::Mutex mutex_;
  std::map<std::string, Share> shares_ ABSL_GUARDED_BY(mutex_);
  // What the last one whose turn came had had: where newcomers begin.
  absl::Duration floor_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  int going_on_ ABSL_GUARDED_BY(mutex_) = 0;  // of these, that had been paused
  // Begun, and not yet taken by a thread.
  std::deque<std::unique_ptr<Reading>> begun_ ABSL_GUARDED_BY(mutex_);
  absl::CondVar begin_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace transparency::rpc
