#include "gateway/aggregate/update_feed.h"

#include <algorithm>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/base/times.h"
#include "common/status/status.h"
#include "gateway/invoker/onward_call.h"
#include "gateway/invoker/owners.h"

namespace transparency::gateway {
namespace {

using journal::v1::WatchChangesResponse;

// How long the beginning waits for an owner that says neither yes nor no.
constexpr absl::Duration kPatience = absl::Seconds(5);
// Between attempts to reach an owner: none before the first, then this, then
// twice as much each time, up to the longest.
constexpr absl::Duration kShortestPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestPause = absl::Seconds(2);

std::string ServiceName(absl::string_view owner) {
  return absl::StrCat("//", owner, ".transparency");
}

absl::Duration PauseAfter(int failures) {
  if (failures <= 1) return absl::ZeroDuration();
  thread_local absl::InsecureBitGen random;
  const absl::Duration pause = std::min(
      kLongestPause, kShortestPause * (1 << std::min(failures - 2, 10)));
  return pause * absl::Uniform(random, 0.8, 1.2);
}

}  // namespace

// Brings one attempt's answers to the feed.
class UpdateFeed::Reader : public AnswerReader {
 public:
  Reader(std::shared_ptr<UpdateFeed> feed, size_t index, int attempt)
      : feed_(std::move(feed)), index_(index), attempt_(attempt) {}

  void OnHeaders(rpc::Metadata) override {
    React([this](Source* source, Deeds*) ABSL_EXCLUSIVE_LOCKS_REQUIRED(
              feed_->mutex_) { source->accepted = true; });
  }
  void OnMessage(std::string message) override {
    React([&](Source*, Deeds* deeds) ABSL_EXCLUSIVE_LOCKS_REQUIRED(
              feed_->mutex_) { feed_->Received(index_, message, deeds); });
  }
  void OnEnd(absl::Status status, rpc::Metadata) override {
    React([&](Source*, Deeds* deeds) ABSL_EXCLUSIVE_LOCKS_REQUIRED(
              feed_->mutex_) { feed_->Ended(index_, status, deeds); });
  }

 private:
  template <class Reaction>
  void React(const Reaction& reaction) {
    feed_->Do([&](Deeds* deeds) ABSL_EXCLUSIVE_LOCKS_REQUIRED(feed_->mutex_) {
      Source& source = feed_->sources_[index_];
      if (source.attempt == attempt_) reaction(&source, deeds);
    });
  }

  const std::shared_ptr<UpdateFeed> feed_;
  const size_t index_;
  const int attempt_;
};

UpdateFeed::UpdateFeed(Invoker* invoker, UpdatePlan plan,
                       std::shared_ptr<rpc::Call> call,
                       std::shared_ptr<rpc::AnswerWriter> writer)
    : invoker_(invoker),
      call_(std::move(call)),
      writer_(std::move(writer)),
      heartbeat_interval_(plan.heartbeat_interval),
      not_configured_(std::move(plan.not_configured)),
      others_(std::move(plan.positions)),
      last_sent_(absl::Now()) {
  for (UpdatePlan::Part& part : plan.parts) {
    Source source;
    const auto position = others_.find(part.owner);
    if (position != others_.end()) {
      source.position = source.told = position->second;
      others_.erase(position);
    }
    source.present_due = plan.include_present_state;
    source.part = std::move(part);
    sources_.push_back(std::move(source));
  }
}

void UpdateFeed::Do(const std::function<void(Deeds*)>& step) {
  Deeds deeds;
  {
    absl::MutexLock lock(&mutex_);
    if (over_) return;
    step(&deeds);
  }
  for (const auto& deed : deeds) deed();
}

void UpdateFeed::Start() {
  auto self = shared_from_this();
  writer_->OnReady([self] {
    self->Do([&](Deeds* deeds) ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) {
      self->writing_ = false;
      self->Pump(deeds);
    });
  });
  call_->OnAbandoned([self] {
    self->Do([&](Deeds* deeds) ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) {
      self->Close(deeds);
    });
  });
  Do([this](Deeds* deeds) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (size_t i = 0; i < sources_.size(); ++i) Connect(i, deeds);
    patience_ = After(
        kPatience, [this](Deeds* later) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
          for (Source& source : sources_) {
            if (source.settled) continue;
            source.settled = true;
            source.away = !source.accepted;
          }
          Settle(later);
        });
    WatchHeartbeat(deeds);
    Settle(deeds);
  });
}

std::unique_ptr<grpc::Alarm> UpdateFeed::After(
    absl::Duration delay, std::function<void(Deeds*)> reaction) {
  auto alarm = std::make_unique<grpc::Alarm>();
  alarm->Set(
      absl::ToChronoTime(absl::Now() + delay),
      [self = shared_from_this(), reaction = std::move(reaction)](bool fired) {
        if (fired) self->Do(reaction);
      });
  return alarm;
}

void UpdateFeed::Connect(size_t index, Deeds* deeds) {
  Source& source = sources_[index];
  source.running = true;
  source.accepted = source.heard = source.asked = false;
  journal::v1::WatchChangesRequest request = source.part.request;
  request.set_resume_token(source.position);
  request.set_include_present_state(source.present_due);
  deeds->push_back([self = shared_from_this(), index,
                    attempt = ++source.attempt, method = source.part.method,
                    bytes = request.SerializeAsString()] {
    // Its first answers may come before it is known here.
    std::shared_ptr<AnswerStream> stream = self->invoker_->ServerStream(
        method, HeadersForOwnCall(*self->call_), self->call_->deadline(), bytes,
        std::make_shared<Reader>(self, index, attempt));
    if (stream == nullptr) return;
    self->Do([&](Deeds* more) ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) {
      Source& begun = self->sources_[index];
      if (begun.attempt != attempt || !begun.running) return;
      begun.stream = std::move(stream);
      if (std::exchange(begun.asked, false)) self->AskNext(&begun, more);
    });
  });
}

void UpdateFeed::AskNext(Source* source, Deeds* deeds) {
  if (source->stream == nullptr) {
    source->asked = true;
    return;
  }
  deeds->push_back([stream = source->stream] { stream->Next(); });
}

// The client's call is accepted once it is known what each owner says to it.
void UpdateFeed::Settle(Deeds* deeds) {
  if (settled_ || over_) return;
  size_t away = 0;
  for (const Source& source : sources_) {
    if (!source.settled) return;
    away += source.away ? 1 : 0;
  }
  if (!sources_.empty() && away == sources_.size()) {
    return Finish(Unreachable(absl::StrJoin(
                      sources_, ", ",
                      [](std::string* out, const Source& source) {
                        absl::StrAppend(out, source.part.owner, "-service");
                      })),
                  deeds);
  }
  settled_ = true;
  deeds->push_back([writer = writer_] { writer->SendHeaders(); });
  bookmark_due_ |= away > 0;
  Pump(deeds);
}

void UpdateFeed::Received(size_t index, const std::string& bytes,
                          Deeds* deeds) {
  Source& source = sources_[index];
  WatchChangesResponse event;
  if (!event.ParseFromString(bytes)) {
    return Finish(absl::InternalError(absl::StrCat(source.part.owner,
                                                   "'s event cannot be read")),
                  deeds);
  }
  source.failures = 0;
  if (!event.resume_token().empty()) source.position = event.resume_token();
  if (event.type() == WatchChangesResponse::BOOKMARK) {
    // What came before it has been sent, or it would not have been asked for.
    source.told = source.position;
    if (!event.resume_token().empty()) source.present_due = false;
    AskNext(&source, deeds);
  } else {
    source.present_begun |= source.present_due;
    source.held = std::move(event);
  }
  source.heard = source.settled = true;
  bookmark_due_ |= std::exchange(source.away, false);
  Settle(deeds);
  Pump(deeds);
}

void UpdateFeed::Ended(size_t index, const absl::Status& status, Deeds* deeds) {
  Source& source = sources_[index];
  source.running = false;
  // The owner's side is over: nothing is cancelled by this.
  deeds->push_back([stream = std::move(source.stream)] {});
  source.stream = nullptr;
  if (OwnerErrorOf(status) == OwnerError::kRefusal) {
    return Finish(status, deeds);
  }
  if (source.present_due && source.present_begun) {
    // What is gone by the time it answers again would never be told.
    const bool too_slow = status.code() == absl::StatusCode::kResourceExhausted;
    return Finish(
        too_slow ? status
                 : Unreachable(absl::StrCat(source.part.owner, "-service")),
        deeds);
  }
  ++source.failures;
  const bool away = !source.heard || source.failures > 1;
  if (away && !std::exchange(source.away, true)) bookmark_due_ = true;
  source.settled = true;
  Settle(deeds);
  // With an event at hand the client is behind; the owner is asked again when
  // it has taken that.
  if (!over_ && !source.held) PauseThenConnect(index, deeds);
  Pump(deeds);
}

void UpdateFeed::PauseThenConnect(size_t index, Deeds* deeds) {
  Source& source = sources_[index];
  const absl::Duration pause = PauseAfter(source.failures);
  if (pause == absl::ZeroDuration()) return Connect(index, deeds);
  source.pause = After(
      pause, [this, index](Deeds* later) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        if (!sources_[index].running) Connect(index, later);
      });
}

void UpdateFeed::Pump(Deeds* deeds) {
  if (over_ || !settled_ || writing_) return;
  for (size_t i = 0; i < sources_.size(); ++i) {
    const size_t index = (turn_ + i) % sources_.size();
    Source& source = sources_[index];
    if (!source.held) continue;
    turn_ = index + 1;
    v1::WatchUpdatesResponse response;
    response.set_service(ServiceName(source.part.owner));
    *response.mutable_event() = *std::exchange(source.held, {});
    response.mutable_event()->clear_resume_token();
    source.told = source.position;
    resumable_ = CanBeResumed();
    if (resumable_) response.set_resume_token(Token());
    if (source.running) {
      AskNext(&source, deeds);
    } else {
      PauseThenConnect(index, deeds);
    }
    return Send(response, deeds);
  }
  const bool was_resumable = std::exchange(resumable_, CanBeResumed());
  if (bookmark_due_ || (resumable_ && !was_resumable)) Send(Bookmark(), deeds);
}

void UpdateFeed::Send(const v1::WatchUpdatesResponse& response, Deeds* deeds) {
  if (response.service().empty()) bookmark_due_ = false;
  writing_ = true;
  last_sent_ = absl::Now();
  deeds->push_back([writer = writer_, bytes = response.SerializeAsString()] {
    writer->Write(bytes);
  });
}

v1::WatchUpdatesResponse UpdateFeed::Bookmark() const {
  v1::WatchUpdatesResponse response;
  response.mutable_event()->set_type(WatchChangesResponse::BOOKMARK);
  *response.mutable_event()->mutable_record_time() =
      times::ToTimestamp(absl::FromUnixMicros(absl::ToUnixMicros(absl::Now())));
  if (resumable_) response.set_resume_token(Token());
  for (const Source& source : sources_) {
    if (source.away) {
      response.add_unreachable(ServiceName(source.part.owner));
    }
  }
  for (const std::string& service : not_configured_) {
    response.add_not_configured(service);
  }
  return response;
}

// An owner that has never answered starts from now on whenever it does, as one
// does that the token does not name.
bool UpdateFeed::CanBeResumed() const {
  return std::all_of(sources_.begin(), sources_.end(), [](const Source& s) {
    return !s.present_due && (!s.told.empty() || s.away);
  });
}

std::string UpdateFeed::Token() const {
  UpdatePositions positions = others_;
  for (const Source& source : sources_) {
    if (!source.told.empty()) positions[source.part.owner] = source.told;
  }
  return FormatUpdateToken(positions);
}

void UpdateFeed::WatchHeartbeat(Deeds*) {
  const absl::Duration left = last_sent_ + heartbeat_interval_ - absl::Now();
  heartbeat_ =
      After(std::max(left, absl::ZeroDuration()),
            [this](Deeds* deeds) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
              if (absl::Now() >= last_sent_ + heartbeat_interval_) {
                // A write under way is as good.
                last_sent_ = absl::Now();
                bookmark_due_ |= !writing_;
                Pump(deeds);
              }
              WatchHeartbeat(deeds);
            });
}

void UpdateFeed::Finish(const absl::Status& status, Deeds* deeds) {
  if (over_) return;
  Close(deeds);
  deeds->push_back([writer = writer_, status] { writer->Finish(status); });
}

void UpdateFeed::Close(Deeds* deeds) {
  over_ = true;
  // Their ends may come while they are let go of, and an alarm's reaction may
  // be what closes the feed: not under the lock.
  for (Source& source : sources_) {
    deeds->push_back(
        [stream = std::move(source.stream),
         pause = std::shared_ptr<grpc::Alarm>(std::move(source.pause))] {});
    source.stream = nullptr;
  }
  deeds->push_back(
      [heartbeat = std::shared_ptr<grpc::Alarm>(std::move(heartbeat_)),
       patience = std::shared_ptr<grpc::Alarm>(std::move(patience_))] {});
}

}  // namespace transparency::gateway
