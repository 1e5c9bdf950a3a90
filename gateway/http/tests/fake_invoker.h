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
#include "google/protobuf/message.h"

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

// A stream of answers that a test holds in its hands. Thread-safe.
class FakeStream {
 public:
  FakeStream(SeenCall seen, std::shared_ptr<AnswerReader> reader)
      : seen_(std::move(seen)), reader_(std::move(reader)) {}

  const SeenCall& seen() const { return seen_; }

  void Accept(rpc::Metadata headers = {}) {
    reader_->OnHeaders(std::move(headers));
  }
  // Waits until the message is asked for, for 10 s at most, and sends it.
  bool Send(const google::protobuf::Message& message) {
    return SendBytes(message.SerializeAsString());
  }
  bool SendBytes(std::string bytes) {
    if (!AwaitAsked()) return false;
    {
      absl::MutexLock lock(&mutex_);
      asked_ = false;
      if (over_) return false;
    }
    reader_->OnMessage(std::move(bytes));
    return true;
  }
  void End(absl::Status status, rpc::Metadata trailers = {}) {
    {
      absl::MutexLock lock(&mutex_);
      if (std::exchange(over_, true)) return;
    }
    reader_->OnEnd(std::move(status), std::move(trailers));
  }

  bool asked() {
    absl::MutexLock lock(&mutex_);
    return asked_;
  }
  bool AwaitAsked() {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&asked_), absl::Seconds(10));
  }
  bool AwaitCancelled() {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&cancelled_),
                                   absl::Seconds(10));
  }

  // For the invoker.
  void Next() {
    absl::MutexLock lock(&mutex_);
    asked_ = true;
  }
  void BeCancelled() {
    {
      absl::MutexLock lock(&mutex_);
      if (over_) return;
      cancelled_ = true;
    }
    End(absl::CancelledError("cancelled"));
  }

 private:
  const SeenCall seen_;
  const std::shared_ptr<AnswerReader> reader_;
  absl::Mutex mutex_;
  bool asked_ ABSL_GUARDED_BY(mutex_) = true;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
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

  // The stream that was begun as the `number`th, from 0; waits for it, for 10 s
  // at most.
  std::shared_ptr<FakeStream> Stream(size_t number) {
    absl::MutexLock lock(&mutex_);
    const auto begun = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return streams_.size() > number;
    };
    mutex_.AwaitWithTimeout(absl::Condition(&begun), absl::Seconds(10));
    return streams_.at(number);
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

  std::unique_ptr<AnswerStream> ServerStream(
      absl::string_view method, rpc::Metadata headers, absl::Time deadline,
      std::string message, std::shared_ptr<AnswerReader> reader) override {
    auto stream = std::make_shared<FakeStream>(
        SeenCall{std::string(method), std::move(headers), deadline,
                 std::move(message)},
        std::move(reader));
    absl::MutexLock lock(&mutex_);
    streams_.push_back(stream);
    return std::make_unique<StreamHandle>(std::move(stream));
  }

 private:
  class StreamHandle : public AnswerStream {
   public:
    explicit StreamHandle(std::shared_ptr<FakeStream> stream)
        : stream_(std::move(stream)) {}
    ~StreamHandle() override { stream_->BeCancelled(); }
    void Next() override { stream_->Next(); }

   private:
    const std::shared_ptr<FakeStream> stream_;
  };
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
  std::vector<std::shared_ptr<FakeStream>> streams_ ABSL_GUARDED_BY(mutex_);
  std::vector<SeenCall> calls_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Held>> held_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace transparency::gateway::http
