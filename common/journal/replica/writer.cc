#include "common/journal/replica/writer.h"

#include <algorithm>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/journal/refusals.h"
#include "common/journal/replica/batch.h"
#include "spdlog/spdlog.h"

namespace transparency::journal {
namespace {

// After the clock's changes could not be written, nobody having called.
constexpr absl::Duration kClockPause = absl::Seconds(1);

}  // namespace

class Writer::Thread {
 public:
  Thread(const WriterOptions& options, Store* store, Clock* clock,
         Metrics* metrics)
      : options_(options),
        metrics_(metrics),
        runner_(options, store, clock, metrics) {
    runner_.OnWaiting([this] { RefuseAll(StorageUnavailable()); });
  }

  ~Thread() { Stop(); }

  absl::Status Start() {
    absl::Status status = runner_.Connect();
    if (!status.ok()) return status;
    {
      absl::MutexLock lock(&mutex_);
      running_ = true;
    }
    thread_ = std::thread([this] { Loop(); });
    return absl::OkStatus();
  }

  void Stop() {
    {
      absl::MutexLock lock(&mutex_);
      running_ = false;
    }
    if (thread_.joinable()) thread_.join();
    RefuseAll(Draining());
  }

  void Submit(Command command) {
    absl::Status refusal;
    {
      absl::MutexLock lock(&mutex_);
      if (!running_) {
        refusal = Draining();
      } else if (queue_.size() >= options_.queue_length) {
        refusal = Overloaded();
      } else {
        queue_.push_back(std::move(command));
        metrics_->queue_length.Set(static_cast<double>(queue_.size()));
        return;
      }
    }
    command.done(std::move(refusal));
  }

 private:
  void Loop() {
    absl::Time next_purge = SteadyNow() + options_.purge_interval;
    absl::Time next_clock = absl::InfinitePast();
    while (true) {
      std::vector<Command> batch = TakeBatch();
      if (!batch.empty()) {
        runner_.Run(std::move(batch));
      } else if (Stopping()) {
        return;
      } else if (SteadyNow() >= next_clock && runner_.ClockDue()) {
        runner_.Run({});
        // Still due: it could not be written.
        if (runner_.ClockDue()) next_clock = SteadyNow() + kClockPause;
      }
      if (SteadyNow() >= next_purge && !Purge()) {
        next_purge = SteadyNow() + options_.purge_interval;
      }
    }
  }

  // True when there is more to do at once.
  bool Purge() {
    const absl::StatusOr<bool> more = runner_.Purge();
    if (more.ok()) return *more;
    spdlog::warn("writer: purge: {}", std::string(more.status().message()));
    return false;
  }

  bool Stopping() {
    absl::MutexLock lock(&mutex_);
    return !running_;
  }

  // What waits, at most a batch of it; empty after a while without any.
  std::vector<Command> TakeBatch() {
    std::vector<Command> batch;
    absl::MutexLock lock(&mutex_);
    const auto ready = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return !running_ || !queue_.empty();
    };
    mutex_.AwaitWithTimeout(absl::Condition(&ready), options_.clock_interval);
    if (!running_) return batch;
    while (!queue_.empty() && batch.size() < options_.batch_size) {
      batch.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    metrics_->queue_length.Set(static_cast<double>(queue_.size()));
    return batch;
  }

  void RefuseAll(const absl::Status& status) {
    std::deque<Command> waiting;
    {
      absl::MutexLock lock(&mutex_);
      waiting.swap(queue_);
    }
    for (Command& command : waiting) command.done(status);
  }

  const WriterOptions options_;
  Metrics* const metrics_;
  BatchRunner runner_;
  absl::Mutex mutex_;
  std::deque<Command> queue_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

Writer::Writer(const WriterOptions& options, Store* store, Clock* clock,
               Metrics* metrics)
    : thread_(std::make_unique<Thread>(options, store, clock, metrics)) {}

Writer::~Writer() = default;
absl::Status Writer::Start() { return thread_->Start(); }
void Writer::Stop() { thread_->Stop(); }
void Writer::Submit(Command command) { thread_->Submit(std::move(command)); }

}  // namespace transparency::journal
