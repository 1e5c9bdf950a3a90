#include "common/rpc/read_pool.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "prometheus/counter.h"
#include "prometheus/gauge.h"

namespace transparency::rpc {
namespace {

constexpr int32_t kNiceness = 5;
// Whoever has a shorter slice, as by default (3 ms), need not wait for the end
// of this one. Since Linux 6.12; older ones take no notice of it.
constexpr uint64_t kSliceNanos = 50'000'000;

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

// Makes scans, which are this thread's, give way to point reads, which run on
// gRPC's threads. Where it is refused they share alike.
void GiveWay() {
  SchedulingAttributes attributes;
  attributes.nice = kNiceness;
  attributes.runtime = kSliceNanos;
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace

ReadPool::ReadPool(int threads, size_t capacity, prometheus::Registry* registry)
    : capacity_(capacity),
      length_(prometheus::BuildGauge()
                  .Name("rpc_read_queue_length")
                  .Help("Calls that wait for a thread of the read pool")
                  .Register(*registry)
                  .Add({})),
      refused_(prometheus::BuildCounter()
                   .Name("rpc_read_queue_refused_total")
                   .Help("Calls refused because the read queue was full")
                   .Register(*registry)
                   .Add({})),
      dropped_(prometheus::BuildCounter()
                   .Name("rpc_read_queue_dropped_total")
                   .Help("Calls dropped from the read queue because nobody "
                         "waited for them any more")
                   .Register(*registry)
                   .Add({})) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

ReadPool::~ReadPool() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

bool ReadPool::Submit(std::shared_ptr<Call> call, std::function<void()> run) {
  std::vector<Job> abandoned;
  bool accepted = true;
  {
    absl::MutexLock lock(&mutex_);
    if (queue_.size() >= capacity_) abandoned = TakeAbandoned();
    if (queue_.size() >= capacity_) {
      accepted = false;
    } else {
      queue_.push_back({std::move(call), std::move(run)});
    }
    length_.Set(static_cast<double>(queue_.size()));
  }
  for (const Job& job : abandoned) job.run();
  if (!accepted) refused_.Increment();
  return accepted;
}

std::vector<ReadPool::Job> ReadPool::TakeAbandoned() {
  std::vector<Job> abandoned;
  std::deque<Job> wanted;
  for (Job& job : queue_) {
    if (job.call->abandoned()) {
      abandoned.push_back(std::move(job));
    } else {
      wanted.push_back(std::move(job));
    }
  }
  queue_ = std::move(wanted);
  dropped_.Increment(static_cast<double>(abandoned.size()));
  return abandoned;
}

void ReadPool::Work() {
  GiveWay();
  while (true) {
    Job job;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &ReadPool::HasWork));
      if (queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
      length_.Set(static_cast<double>(queue_.size()));
    }
    if (job.call->abandoned()) dropped_.Increment();
    job.run();
  }
}

}  // namespace transparency::rpc
