#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/call.h"
#include "gateway/invoker/invoker.h"
#include "google/protobuf/message.h"

namespace transparency::gateway {

// The calls to owners that one aggregated call makes, at the same time or one
// after another. Each owner answers within its own deadline inside the
// caller's; a caller that goes away cancels them all. Thread-safe; kept by its
// calls.
class Gathering : public std::enable_shared_from_this<Gathering> {
 public:
  // `all_done` runs once, when no call is under way any more; `invoker`
  // outlives the gathering.
  Gathering(Invoker* invoker, std::shared_ptr<rpc::Call> call,
            std::function<void(Gathering&)> all_done);

  // What a refusal means: the caller asked for what it may not have, or this
  // one question does not suit what it is asked about.
  enum class Refusal { kEndsAll, kLeavesOut };

  // Calls `method` of `service` ("transparency.centre.v1.CentreService") at its
  // owner. `take` gets the answer; takes run one at a time and may ask more. An
  // answer that is no success is kept as the owner's failure or the caller's
  // refusal instead, or passed over when a refusal leaves it out.
  template <class Response>
  void Ask(absl::string_view service, absl::string_view method,
           const google::protobuf::Message& request,
           std::function<void(const Response&)> take,
           Refusal refusal = Refusal::kEndsAll) {
    AskBytes(
        service, method, request.SerializeAsString(),
        [take = std::move(take)](const std::string& bytes) {
          Response response;
          if (!response.ParseFromString(bytes)) return false;
          take(response);
          return true;
        },
        refusal);
  }

  // Starts what has been asked. After this only takes may ask more.
  void Begin();

  // For `all_done`: owners that did not answer, and an error that is the
  // request's own fault or the caller's, if there was one.
  const std::map<std::string, absl::Status>& failures() const {
    return failures_;
  }
  const absl::Status& refusal() const { return refusal_; }
  // What the caller is told when failures leave nothing to answer: INTERNAL
  // where one of them is a defect, else UNAVAILABLE, OWNER_UNREACHABLE.
  absl::Status Failure() const;
  // Adds x-revision with a revision for each owner that answered.
  void TellRevisions() const;

 private:
  struct Asked {
    std::string owner;
    std::string method;
    std::string request;
    std::function<bool(const std::string&)> take;
    Refusal refusal;
  };

  void AskBytes(absl::string_view service, absl::string_view method,
                std::string request,
                std::function<bool(const std::string&)> take, Refusal refusal);
  void Launch();
  void Settle(const Asked& asked, const UnaryReply& reply);
  void Fail(const Asked& asked, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Cancelled();

  Invoker* const invoker_;
  const std::shared_ptr<rpc::Call> call_;
  const std::function<void(Gathering&)> all_done_;
  const absl::Time deadline_;

  // Takes run under turn_; no call starts under either lock, since it may be
  // answered at once.
  absl::Mutex turn_;
  absl::Mutex mutex_;
  std::vector<Asked> asked_ ABSL_GUARDED_BY(mutex_);
  int under_way_ ABSL_GUARDED_BY(mutex_) = 1;  // Begin's own
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<Cancel>> handles_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, absl::Status> failures_;
  std::map<std::string, std::string> revisions_;
  absl::Status refusal_;
};

}  // namespace transparency::gateway
