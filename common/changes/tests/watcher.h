#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/base/caller.h"
#include "common/changes/watch_hub.h"
#include "common/rpc/call.h"
#include "common/rpc/stream.h"
#include "gtest/gtest.h"
#include "transparency/journal/v1/journal.pb.h"

namespace transparency::changes {

using journal::v1::WatchChangesRequest;
using journal::v1::WatchChangesResponse;

inline const Caller kPublic;
inline const Caller kStaff = {"sam", {"staff"}};
inline const Caller kAnn = {"ann", {}};

// A call of a method of the journal service, as a server would make it.
inline std::shared_ptr<rpc::Call> MakeCall(
    const Caller& caller, const std::string& method,
    absl::Duration time = absl::Minutes(2)) {
  const auto* service =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
          "transparency.certification.v1.CertificationJournalService");
  rpc::Arrival arrival;
  arrival.method = "/" + service->full_name() + "/" + method;
  arrival.descriptor = service->FindMethodByName(method);
  arrival.caller = std::make_shared<const Caller>(caller);
  arrival.deadline = absl::Now() + time;
  return std::make_shared<rpc::Call>(std::move(arrival));
}

// A client of WatchChanges: takes each event at once, unless it is told not to;
// it then takes one more.
class Watcher {
 public:
  Watcher(WatchHub* hub, const Caller& caller,
          const WatchChangesRequest& request, bool nothing = false)
      : call_(MakeCall(caller, "WatchChanges")),
        writer_(std::make_shared<Writer>(call_)) {
    if (nothing) TakeNothing(true);
    absl::Status opened = hub->Open(call_, request, writer_);
    if (!opened.ok()) writer_->Finish(opened);
  }
  ~Watcher() { Drop(); }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  void Drop() {
    writer_->End();
    call_->Abandon();
  }
  void TakeNothing(bool nothing) { writer_->TakeNothing(nothing); }

  std::vector<WatchChangesResponse> events() { return writer_->events(); }
  // Waits until the events fit or it has ended; false when neither in time.
  bool Until(
      const std::function<bool(const std::vector<WatchChangesResponse>&)>&
          fits) {
    return writer_->Until(
        [&] { return writer_->ended() || fits(writer_->seen()); });
  }
  // Waits for a BOOKMARK at this revision or later.
  bool UntilBookmark(int64_t revision) {
    return Until([revision](const auto& events) {
      for (const auto& event : events) {
        if (event.type() == WatchChangesResponse::BOOKMARK &&
            std::stoll(event.resume_token()) >= revision) {
          return true;
        }
      }
      return false;
    });
  }
  // Waits for the end, and its status.
  absl::Status End() {
    EXPECT_TRUE(writer_->Until([this] { return writer_->ended(); }));
    return writer_->status();
  }
  bool ended() {
    return writer_->Is([this] { return writer_->ended(); });
  }
  bool accepted() {
    return writer_->Is([this] { return writer_->accepted(); });
  }

 private:
  class Writer : public rpc::AnswerWriter {
   public:
    explicit Writer(std::shared_ptr<rpc::Call> call) : call_(std::move(call)) {}

    rpc::Call& call() override { return *call_; }
    void SendHeaders() override {
      absl::MutexLock lock(&mutex_);
      accepted_ = true;
    }
    bool ready() override {
      absl::MutexLock lock(&mutex_);
      return ready_;
    }
    bool Write(std::string bytes, bool) override {
      std::function<void()> reaction;
      {
        absl::MutexLock lock(&mutex_);
        if (!ready_ || over_) return false;
        WatchChangesResponse event;
        EXPECT_TRUE(event.ParseFromString(bytes));
        seen_.push_back(std::move(event));
        ready_ = !nothing_;
        if (ready_) reaction = reaction_;
      }
      if (reaction) reaction();
      return true;
    }
    void OnReady(std::function<void()> reaction) override {
      absl::MutexLock lock(&mutex_);
      reaction_ = std::move(reaction);
    }
    void Finish(const absl::Status& status) override {
      absl::MutexLock lock(&mutex_);
      if (over_) return;
      over_ = ended_ = true;
      status_ = status;
    }

    void End() {
      absl::MutexLock lock(&mutex_);
      over_ = true;
    }
    void TakeNothing(bool nothing) {
      std::function<void()> reaction;
      {
        absl::MutexLock lock(&mutex_);
        nothing_ = nothing;
        if (!nothing && !ready_) {
          ready_ = true;
          reaction = reaction_;
        }
      }
      if (reaction) reaction();
    }
    bool Until(const std::function<bool()>& holds) {
      absl::MutexLock lock(&mutex_);
      return mutex_.AwaitWithTimeout(absl::Condition(&holds),
                                     absl::Seconds(60));
    }
    bool Is(const std::function<bool()>& holds) {
      absl::MutexLock lock(&mutex_);
      return holds();
    }
    std::vector<WatchChangesResponse> events() {
      absl::MutexLock lock(&mutex_);
      return seen_;
    }
    // Within Until and Is, or after the end.
    const std::vector<WatchChangesResponse>& seen() const
        ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return seen_;
    }
    bool ended() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return ended_; }
    bool accepted() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return accepted_; }
    absl::Status status() {
      absl::MutexLock lock(&mutex_);
      return status_;
    }

   private:
    const std::shared_ptr<rpc::Call> call_;
    absl::Mutex mutex_;
    std::vector<WatchChangesResponse> seen_ ABSL_GUARDED_BY(mutex_);
    bool ready_ ABSL_GUARDED_BY(mutex_) = true;
    bool nothing_ ABSL_GUARDED_BY(mutex_) = false;
    bool accepted_ ABSL_GUARDED_BY(mutex_) = false;
    bool over_ ABSL_GUARDED_BY(mutex_) = false;
    bool ended_ ABSL_GUARDED_BY(mutex_) = false;
    absl::Status status_ ABSL_GUARDED_BY(mutex_);
    std::function<void()> reaction_ ABSL_GUARDED_BY(mutex_);
  };

  const std::shared_ptr<rpc::Call> call_;
  const std::shared_ptr<Writer> writer_;
};

}  // namespace transparency::changes
