#include "gateway/aggregate/gathering.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/status/refusals.h"
#include "gateway/invoker/onward_call.h"

namespace transparency::gateway {
namespace {

// Longest time an owner gets, and what is kept back of the caller's time so
// that a partial answer still reaches it.
constexpr absl::Duration kOwnerTime = absl::Seconds(5);
constexpr double kShareOfOwner = 0.9;

std::string OwnerOf(absl::string_view service) {
  std::vector<std::string> parts = absl::StrSplit(service, '.');
  return parts[1];
}

}  // namespace

Gathering::Gathering(Invoker* invoker, std::shared_ptr<rpc::Call> call,
                     std::function<void(Gathering&)> all_done)
    : invoker_(invoker),
      call_(std::move(call)),
      all_done_(std::move(all_done)),
      deadline_(std::min(
          absl::Now() + kOwnerTime,
          absl::Now() + kShareOfOwner * (call_->deadline() - absl::Now()))) {}

void Gathering::AskBytes(absl::string_view service, absl::string_view method,
                         std::string request,
                         std::function<bool(const std::string&)> take,
                         Refusal refusal) {
  absl::MutexLock lock(&mutex_);
  ++under_way_;
  asked_.push_back({OwnerOf(service), absl::StrCat("/", service, "/", method),
                    std::move(request), std::move(take), refusal});
}

void Gathering::Launch() {
  std::vector<Asked> asked;
  {
    absl::MutexLock lock(&mutex_);
    asked.swap(asked_);
  }
  auto self = shared_from_this();
  for (Asked& ask : asked) {
    const std::string method = ask.method;
    std::string request = std::move(ask.request);
    std::unique_ptr<Cancel> handle = invoker_->Unary(
        method, HeadersForOwnCall(*call_), deadline_, std::move(request),
        [self, ask = std::move(ask)](const UnaryReply& reply) {
          self->Settle(ask, reply);
        });
    absl::MutexLock lock(&mutex_);
    // A cancelled gathering lets go of the handle here, which cancels the call.
    if (!cancelled_) handles_.push_back(std::move(handle));
  }
}

void Gathering::Begin() {
  auto self = shared_from_this();
  call_->OnAbandoned([self] { self->Cancelled(); });
  Launch();
  bool done;
  {
    absl::MutexLock lock(&mutex_);
    done = --under_way_ == 0;
  }
  if (done) all_done_(*this);
}

void Gathering::Settle(const Asked& asked, const UnaryReply& reply) {
  {
    absl::MutexLock turn(&turn_);
    for (const auto& [key, value] : reply.headers) {
      if (key == "x-revision") revisions_.emplace(asked.owner, value);
    }
    const bool taken = reply.status.ok() && asked.take(reply.message);
    if (!taken) {
      absl::MutexLock lock(&mutex_);
      Fail(asked, reply.status.ok() ? absl::InternalError("unreadable answer")
                                    : reply.status);
    }
  }
  Launch();
  bool done;
  {
    absl::MutexLock lock(&mutex_);
    done = --under_way_ == 0;
  }
  if (done) all_done_(*this);
}

void Gathering::Fail(const Asked& asked, const absl::Status& status) {
  if (OwnerErrorOf(status) != OwnerError::kRefusal) {
    failures_.emplace(asked.owner, status);
  } else if (asked.refusal == Refusal::kEndsAll && refusal_.ok()) {
    refusal_ = status;
  }
}

absl::Status Gathering::Failure() const {
  for (const auto& [owner, status] : failures_) {
    if (OwnerErrorOf(status) != OwnerError::kDefect) continue;
    return status::Defect(
        absl::StrCat("There is something wrong in ", owner, "-service."));
  }
  return Unreachable(
      absl::StrJoin(failures_, ", ", [](std::string* out, const auto& failure) {
        absl::StrAppend(out, failure.first, "-service");
      }));
}

void Gathering::Cancelled() {
  std::vector<std::unique_ptr<Cancel>> handles;
  absl::MutexLock lock(&mutex_);
  cancelled_ = true;
  handles.swap(handles_);
}

void Gathering::TellRevisions() const {
  if (revisions_.empty()) return;
  call_->AddHeader("x-revision",
                   absl::StrJoin(revisions_, ",",
                                 [](std::string* out, const auto& revision) {
                                   out->append(revision.second);
                                 }));
}

}  // namespace transparency::gateway
