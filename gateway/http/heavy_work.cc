#include "gateway/http/heavy_work.h"

#include <utility>

namespace transparency::gateway::http {

void HeavyWork::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void HeavyWork::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void HeavyWork::Run(const Client* client, Job job) {
  absl::MutexLock lock(&mutex_);
  std::deque<Job>& queue = queues_[client];
  if (queue.empty()) turns_.push_back(client);
  queue.push_back(std::move(job));
}

void HeavyWork::Loop() {
  Gzip gzip;
  const auto due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !turns_.empty();
  };
  while (true) {
    Job job;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&due));
      if (turns_.empty()) return;
      const Client* client = turns_.front();
      turns_.pop_front();
      const auto queue = queues_.find(client);
      job = std::move(queue->second.front());
      queue->second.pop_front();
      if (queue->second.empty()) {
        queues_.erase(queue);
      } else {
        turns_.push_back(client);
      }
    }
    job(&gzip);
  }
}

}  // namespace transparency::gateway::http
