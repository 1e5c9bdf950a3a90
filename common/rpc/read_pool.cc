#include "common/rpc/read_pool.h"

#include <sys/resource.h>

#include <utility>

#include "prometheus/counter.h"
#include "prometheus/gauge.h"

namespace transparency::rpc {
namespace {

constexpr int kNiceness = 5;

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
  // Of this thread alone, on Linux: scans give way to point reads, which run on
  // gRPC's threads. Where it is refused they share alike.
  setpriority(PRIO_PROCESS, 0, kNiceness);
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
