#include "common/rpc/read_pool.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <iterator>
#include <utility>

#include "absl/time/clock.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"

namespace transparency::rpc {
namespace {

// Callers whose time is remembered while they have nothing in the pool.
constexpr size_t kRemembered = 250;

constexpr int32_t kNiceness = 5;
// The system's slices of a thread, in nanoseconds. Whoever has a shorter one,
// as by default (3 ms), need not wait for the end of a long one. Since
// Linux 6.12; older ones take no notice of it.
constexpr uint64_t kUsualSlice = 0;
constexpr uint64_t kLongSlice = 50'000'000;

// As in linux/sched/types.h, which cannot be included beside sched.h (glibc
// 2.36).
struct SchedulingAttributes {
  uint32_t size = sizeof(SchedulingAttributes);
  uint32_t policy = SCHED_OTHER;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0;  // the slice, in nanoseconds
  uint64_t deadline = 0;
  uint64_t period = 0;
};

// Makes reads, which are this thread's, give way to point reads, which run on
// gRPC's threads; and with the long slice, to reads that have just begun. Where
// it is refused they share alike.
void TakeSlice(uint64_t nanos) {
  SchedulingAttributes attributes;
  attributes.nice = kNiceness;
  attributes.runtime = nanos;
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

// Monotonic, and a read of memory where the CPU clock is a system call.
absl::Duration Clock() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace

struct ReadPool::Reading {
  ReadPool* pool;
  Share* share;
  Job job;
  absl::Duration slice_began;
  bool is_long = false;  // it has had a whole slice
  bool granted = false;  // it goes on after a pause
  absl::CondVar go_on;
};

thread_local ReadPool::Reading* ReadPool::this_reading = nullptr;
thread_local ReadPool::Trial* ReadPool::this_trial = nullptr;

ReadPool::Trial::Trial() : began_(Clock()) { this_trial = this; }

ReadPool::Trial::~Trial() { this_trial = nullptr; }

ReadPool::ReadPool(int running, size_t capacity, prometheus::Registry* registry)
    : most_running_(running),
      most_going_on_(std::max(running - 1, 1)),
      most_threads_(running * kThreadsForEach),
      capacity_(capacity),
      capacity_of_one_(std::max<size_t>(capacity / 4, 1)),
      length_(prometheus::BuildGauge()
                  .Name("rpc_read_queue_length")
                  .Help("Calls that wait for a thread of the read pool")
                  .Register(*registry)
                  .Add({})),
      paused_(prometheus::BuildGauge()
                  .Name("rpc_reads_paused")
                  .Help("Reads under way that wait for their next turn")
                  .Register(*registry)
                  .Add({})),
      refused_(prometheus::BuildCounter()
                   .Name("rpc_read_queue_refused_total")
                   .Help("Calls refused because the read queue, or the "
                         "caller's share of it, was full")
                   .Register(*registry)
                   .Add({})),
      dropped_(prometheus::BuildCounter()
                   .Name("rpc_read_queue_dropped_total")
                   .Help("Calls dropped from the read queue because nobody "
                         "waited for them any more")
                   .Register(*registry)
                   .Add({})) {}

ReadPool::~ReadPool() {
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &ReadPool::Done));
    stopping_ = true;
    begin_.SignalAll();
    threads = std::move(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

bool ReadPool::Submit(std::shared_ptr<Call> call, std::function<void()> run) {
  std::vector<Job> abandoned;
  bool accepted = false;
  {
    absl::MutexLock lock(&mutex_);
    Share* share = ShareOf(call->share_key());
    accepted = Accept(share, &abandoned);
    if (accepted) {
      share->waiting.push_back({std::move(call), std::move(run)});
      ++waiting_;
      Dispatch();
    }
    length_.Set(static_cast<double>(waiting_));
  }
  for (const Job& job : abandoned) job.run();
  if (!accepted) refused_.Increment();
  return accepted;
}

bool ReadPool::Accept(Share* share, std::vector<Job>* abandoned) {
  if (share->waiting.size() >= capacity_of_one_) {
    TakeAbandoned(share, abandoned);
  }
  if (waiting_ >= capacity_) {
    for (auto& [key, other] : shares_) TakeAbandoned(&other, abandoned);
  }
  return share->waiting.size() < capacity_of_one_ && waiting_ < capacity_;
}

void ReadPool::TakeAbandoned(Share* share, std::vector<Job>* abandoned) {
  std::deque<Job> wanted;
  for (Job& job : share->waiting) {
    if (job.call->abandoned()) {
      abandoned->push_back(std::move(job));
      --waiting_;
      dropped_.Increment();
    } else {
      wanted.push_back(std::move(job));
    }
  }
  share->waiting = std::move(wanted);
}

ReadPool::Share* ReadPool::ShareOf(const std::string& key) {
  if (shares_.size() > kRemembered) Forget();
  Share& share = shares_[key];
  // Whoever had nothing to run has saved nothing up by that.
  if (share.idle()) share.used = std::max(share.used, floor_);
  return &share;
}

void ReadPool::Forget() {
  for (auto it = shares_.begin(); it != shares_.end();) {
    it = it->second.idle() ? shares_.erase(it) : std::next(it);
  }
}

bool ReadPool::MayBegin(const Share& share) const {
  const bool crowded = under_way_ * 2 >= most_threads_;
  return !share.waiting.empty() && under_way_ < most_threads_ &&
         share.under_way < (crowded ? 1 : most_running_);
}

ReadPool::Share* ReadPool::Next() {
  Share* next = nullptr;
  for (auto& [key, share] : shares_) {
    const bool may_go_on = !share.paused.empty() && going_on_ < most_going_on_;
    if ((may_go_on || MayBegin(share)) &&
        (next == nullptr || share.used < next->used)) {
      next = &share;
    }
  }
  return next;
}

void ReadPool::Dispatch() {
  while (running_ < most_running_) {
    Share* share = Next();
    if (share == nullptr) return;
    ++running_;
    floor_ = std::max(floor_, share->used);
    if (!share->paused.empty() && going_on_ < most_going_on_) {
      Reading* reading = share->paused.front();
      share->paused.pop_front();
      ++going_on_;
      reading->granted = true;
      reading->go_on.Signal();
      continue;
    }
    auto reading = std::make_unique<Reading>();
    reading->pool = this;
    reading->share = share;
    reading->job = std::move(share->waiting.front());
    share->waiting.pop_front();
    --waiting_;
    ++share->under_way;
    ++under_way_;
    begun_.push_back(std::move(reading));
    if (static_cast<size_t>(under_way_) > threads_.size()) {
      threads_.emplace_back([this] { Work(); });
    }
    begin_.Signal();
  }
}

void ReadPool::Work() {
  TakeSlice(kUsualSlice);
  while (true) {
    std::unique_ptr<Reading> reading;
    {
      absl::MutexLock lock(&mutex_);
      while (begun_.empty() && !stopping_) begin_.Wait(&mutex_);
      if (begun_.empty()) return;
      reading = std::move(begun_.front());
      begun_.pop_front();
      length_.Set(static_cast<double>(waiting_));
    }
    Run(reading.get());
  }
}

void ReadPool::Run(Reading* reading) {
  if (reading->job.call->abandoned()) dropped_.Increment();
  reading->slice_began = Clock();
  this_reading = reading;
  reading->job.run();
  this_reading = nullptr;
  // What the read holds is let go of on this thread, without the lock.
  reading->job = Job();
  if (reading->is_long) TakeSlice(kUsualSlice);
  absl::MutexLock lock(&mutex_);
  Rest(reading);
  --reading->share->under_way;
  --under_way_;
  Dispatch();
  if (Done()) shares_.clear();  // Nobody has waited for anybody.
}

bool ReadPool::HasNoneOf(const Call& call) const {
  absl::MutexLock lock(&mutex_);
  const auto found = shares_.find(call.share_key());
  return found == shares_.end() || found->second.idle();
}

bool ReadPool::GiveWay() {
  if (Trial* trial = this_trial; trial != nullptr) {
    trial->over_ = trial->over_ || Clock() - trial->began_ >= kSlice;
    return !trial->over_;
  }
  Reading* reading = this_reading;
  if (reading == nullptr || Clock() - reading->slice_began < kSlice) {
    return true;
  }
  if (!std::exchange(reading->is_long, true)) TakeSlice(kLongSlice);
  reading->pool->Pause(reading);
  return true;
}

void ReadPool::Pause(Reading* reading) {
  absl::MutexLock lock(&mutex_);
  Rest(reading);
  reading->share->paused.push_back(reading);
  Dispatch();
  if (!reading->granted) {
    paused_.Increment();
    while (!reading->granted) reading->go_on.Wait(&mutex_);
    paused_.Decrement();
  }
  reading->slice_began = Clock();
}

void ReadPool::Rest(Reading* reading) {
  reading->share->used += Clock() - reading->slice_began;
  --running_;
  if (std::exchange(reading->granted, false)) --going_on_;
}

}  // namespace transparency::rpc
