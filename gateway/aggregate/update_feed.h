#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "common/rpc/call.h"
#include "common/rpc/stream.h"
#include "gateway/aggregate/update_token.h"
#include "gateway/invoker/invoker.h"
#include "grpcpp/alarm.h"
#include "transparency/gateway/v1/updates.pb.h"
#include "transparency/journal/v1/journal.pb.h"

namespace transparency::gateway {

// What one WatchUpdates is made of.
struct UpdatePlan {
  struct Part {
    std::string owner;                         // "standards"
    std::string method;                        // its WatchChanges
    journal::v1::WatchChangesRequest request;  // types
  };
  std::vector<Part> parts;
  std::vector<std::string> not_configured;  // "//centre.transparency"
  UpdatePositions positions;                // of the token; of others too
  bool include_present_state = false;
  absl::Duration heartbeat_interval;
};

// One WatchUpdates: the owners' streams merged into the client's. Holds at most
// one event of each owner, and asks an owner for the next when the client has
// taken that. Thread-safe; kept by the streams, the alarms and the call.
class UpdateFeed : public std::enable_shared_from_this<UpdateFeed> {
 public:
  // `invoker` outlives it.
  UpdateFeed(Invoker* invoker, UpdatePlan plan, std::shared_ptr<rpc::Call> call,
             std::shared_ptr<rpc::AnswerWriter> writer);
  // Once. The stream ends by itself.
  void Start();

 private:
  // One owner's part.
  struct Source {
    UpdatePlan::Part part;
    // Behind what has been received, and behind what the client was told of
    // that. Empty: not known yet.
    std::string position;
    std::string told;
    bool present_due = false;    // its present state is not complete
    bool present_begun = false;  // some of it has been received
    bool settled = false;   // has told something or failed for the first time
    bool accepted = false;  // the stream that runs has headers
    bool heard = false;     // and a message; a refusal has headers too
    bool away = false;
    int failures = 0;  // without a message between
    int attempt = 0;   // number of the stream, to know an earlier one's word
    bool running = false;
    std::shared_ptr<AnswerStream> stream;  // null at first, see `asked`
    bool asked = false;  // the next message is due from a stream not yet known
    absl::optional<journal::v1::WatchChangesResponse> held;
    std::unique_ptr<grpc::Alarm> pause;  // before the next attempt
  };
  class Reader;
  // What is to be done without the lock, in this order.
  using Deeds = std::vector<std::function<void()>>;

  // Runs `step` under the lock unless the feed is over, then its deeds.
  void Do(const std::function<void(Deeds*)>& step);

  // All of these under the lock.
  void Connect(size_t index, Deeds* deeds)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Received(size_t index, const std::string& bytes, Deeds* deeds)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Ended(size_t index, const absl::Status& status, Deeds* deeds)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PauseThenConnect(size_t index, Deeds* deeds)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AskNext(Source* source, Deeds* deeds)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Settle(Deeds* deeds) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Sends the next event or BOOKMARK, if one is due and the client takes it.
  void Pump(Deeds* deeds) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Send(const v1::WatchUpdatesResponse& response, Deeds* deeds)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Finish(const absl::Status& status, Deeds* deeds)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Lets go of all streams and alarms.
  void Close(Deeds* deeds) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WatchHeartbeat(Deeds* deeds) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  v1::WatchUpdatesResponse Bookmark() const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool CanBeResumed() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string Token() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // An alarm that runs `reaction` as a step.
  std::unique_ptr<grpc::Alarm> After(absl::Duration delay,
                                     std::function<void(Deeds*)> reaction);

  Invoker* const invoker_;
  const std::shared_ptr<rpc::Call> call_;
  const std::shared_ptr<rpc::AnswerWriter> writer_;
  const absl::Duration heartbeat_interval_;
  const std::vector<std::string> not_configured_;
  // Of owners that are not watched, as the client's token had them.
  UpdatePositions others_;

  absl::Mutex mutex_;
  std::vector<Source> sources_ ABSL_GUARDED_BY(mutex_);
  bool settled_ ABSL_GUARDED_BY(mutex_) = false;  // every source has
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool resumable_ ABSL_GUARDED_BY(mutex_) = false;  // and the client knows it
  bool bookmark_due_ ABSL_GUARDED_BY(mutex_) = false;
  size_t turn_ ABSL_GUARDED_BY(mutex_) = 0;  // whose event goes next
  absl::Time last_sent_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<grpc::Alarm> heartbeat_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<grpc::Alarm> patience_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace transparency::gateway
