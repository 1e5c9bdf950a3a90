#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "gateway/invoker/invoker.h"

namespace transparency::gateway::http {

// One call that reached the invoker.
struct SeenCall {
  std::string method;
  rpc::Metadata headers;
  absl::Time deadline;
  std::string message;

  std::string Header(absl::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "";
  }
};

// Answers as it is told, at once on the caller's thread unless calls are held.
// Thread-safe.
class FakeInvoker : public Invoker {
 public:
  using Answer = std::function<UnaryReply(const SeenCall&)>;

  ~FakeInvoker() override {
    std::vector<std::thread> threads;
    {
      absl::MutexLock lock(&mutex_);
      threads = std::move(threads_);
    }
    for (std::thread& thread : threads) thread.join();
  }

  void AnswerWith(Answer answer) {
    absl::MutexLock lock(&mutex_);
    answer_ = std::move(answer);
  }
  // Answers from now on come on threads of their own.
  void UseThreads() {
    absl::MutexLock lock(&mutex_);
    threaded_ = true;
  }
  // Keeps calls from now on until they are cancelled or released.
  void Hold() {
    absl::MutexLock lock(&mutex_);
    holding_ = true;
  }
  // Answers all calls that are held, and holds no more.
  void Release() {
    std::vector<std::shared_ptr<Held>> held;
    {
      absl::MutexLock lock(&mutex_);
      held = std::move(held_);
      held_.clear();
      holding_ = false;
    }
    for (const auto& call : held) Finish(*call);
  }

  // Waits, for 10 s at most.
  bool AwaitCalls(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return calls_.size() >= count;
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(10));
  }
  bool AwaitCancelled(int count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return cancelled_ >= count;
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(10));
  }

  std::vector<SeenCall> calls() {
    absl::MutexLock lock(&mutex_);
    return calls_;
  }
  SeenCall last() { return calls().back(); }

  std::unique_ptr<Cancel> Unary(absl::string_view method, rpc::Metadata headers,
                                absl::Time deadline, std::string message,
                                std::function<void(UnaryReply)> done) override {
    auto call = std::make_shared<Held>();
    call->seen = {std::string(method), std::move(headers), deadline,
                  std::move(message)};
    call->done = std::move(done);
    bool finish = true;
    {
      absl::MutexLock lock(&mutex_);
      calls_.push_back(call->seen);
      if (holding_) {
        held_.push_back(call);
        finish = false;
      } else if (threaded_) {
        threads_.emplace_back([this, call] { Finish(*call); });
        finish = false;
      }
    }
    if (finish) Finish(*call);
    return std::make_unique<Handle>(this, call);
  }

 private:
  struct Held {
    SeenCall seen;
    std::function<void(UnaryReply)> done;
    std::atomic<bool> over{false};
  };
  class Handle : public Cancel {
   public:
    Handle(FakeInvoker* invoker, std::shared_ptr<Held> call)
        : invoker_(*invoker), call_(std::move(call)) {}
    ~Handle() override {
      if (call_->over.exchange(true)) return;
      {
        absl::MutexLock lock(&invoker_.mutex_);
        ++invoker_.cancelled_;
      }
      call_->done({absl::CancelledError("cancelled"), "", {}, {}});
    }

   private:
    FakeInvoker& invoker_;
    const std::shared_ptr<Held> call_;
  };

  void Finish(Held& call) {
    if (call.over.exchange(true)) return;
    Answer answer;
    {
      absl::MutexLock lock(&mutex_);
      answer = answer_;
    }
    call.done(answer ? answer(call.seen) : UnaryReply{});
  }

  absl::Mutex mutex_;
  Answer answer_ ABSL_GUARDED_BY(mutex_);
  bool threaded_ ABSL_GUARDED_BY(mutex_) = false;
  bool holding_ ABSL_GUARDED_BY(mutex_) = false;
  int cancelled_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<SeenCall> calls_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Held>> held_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace transparency::gateway::http
