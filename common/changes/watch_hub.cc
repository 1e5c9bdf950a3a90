#include "common/changes/watch_hub.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/changes/journal_rows.h"
#include "common/changes/old_page.h"
#include "common/changes/watch_event.h"
#include "common/journal/clock.h"
#include "common/methods/fresh_reads.h"
#include "common/rpc/heartbeat.h"
#include "common/status/refusals.h"
#include "common/status/status.h"

namespace transparency::changes {
namespace {

using journal::SteadyNow;
using journal::v1::WatchChangesRequest;

// Longest wait for a revision that another replica has told of.
constexpr absl::Duration kPlaceWait = absl::Seconds(5);
// Longest read of what the clock had changed before a load.
constexpr absl::Duration kCorrectionTime = absl::Minutes(1);
// What one watch is looked through in one go, before others have their turn.
constexpr int kLookedAt = 256;
// Behind every name.
constexpr char kAboveNames[] = "~";

absl::Status TooMany(size_t limit) {
  return status::Overloaded(
      absl::StrCat("There are ", limit, " watches at this replica already."),
      absl::Seconds(5));
}

absl::Status TooManyWait(size_t limit) {
  return status::Overloaded(
      absl::StrCat("One caller may have ", limit,
                   " watches at a time that wait for a revision."),
      absl::Seconds(5));
}

absl::Status TooSlow() {
  return status::RetryLater(
      absl::StatusCode::kResourceExhausted, "WATCH_TOO_SLOW",
      "The events were taken too slowly. Resume with the last token.",
      absl::Milliseconds(100));
}

// A client that resumes from before a deletion may have the resource and must
// let go of it; but whoever made the place up must not learn its name, nor by
// what he narrows the watch to its type.
absl::Status BeginAnew() {
  return status::HistoryChanged(
      "resume_token",
      "A record that had been made by mistake was deleted since. Read "
      "everything anew.");
}

absl::StatusOr<WatchPlan> PlanOf(const WatchChangesRequest& request,
                                 const resource::Catalogue& catalogue) {
  auto selection = Selection::Make(catalogue, request.types(), request.name());
  if (!selection.ok()) return selection.status();
  auto heartbeat = rpc::HeartbeatInterval(request.has_heartbeat_interval()
                                              ? &request.heartbeat_interval()
                                              : nullptr);
  if (!heartbeat.ok()) return heartbeat.status();
  WatchPlan plan{*std::move(selection), request.include_present_state(),
                 absl::nullopt, *heartbeat};
  if (request.resume_token().empty()) return plan;
  if (plan.present_state) {
    return status::InvalidField(
        "include_present_state",
        "expected either this or resume_token, which continues what has begun");
  }
  auto place = ParseResumeToken(request.resume_token());
  if (!place.ok()) return place.status();
  plan.resume = *std::move(place);
  return plan;
}

// What the journal holds of resources that the clock had changed before they
// were loaded.
absl::StatusOr<std::vector<resource::ItemPtr>> ReadAsRecorded(
    postgres::Session* session, const std::vector<resource::ItemPtr>& items,
    absl::Time deadline) {
  std::vector<resource::ItemPtr> recorded;
  for (const resource::ItemPtr& item : items) {
    auto row = ReadLast(session,
                        {&item->kind(), item->name(), item->revision(),
                         absl::nullopt, /*personal=*/true},
                        deadline);
    if (!row.ok()) return row.status();
    if (row->has_value()) recorded.push_back((*row)->after);
  }
  return recorded;
}

}  // namespace

WatchHub::WatchHub(WatchOptions options, journal::Store* store,
                   JournalReader* reader, prometheus::Registry* registry)
    : options_(options),
      store_(store),
      reader_(reader),
      metrics_(registry),
      waits_(options.waits),
      recent_(options.kept) {}

WatchHub::~WatchHub() { Stop(); }

void WatchHub::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void WatchHub::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

// ---- from any thread ----

void WatchHub::Post(std::function<void()> task) {
  absl::MutexLock lock(&mutex_);
  tasks_.push_back(std::move(task));
}

void WatchHub::Ready(WatchPtr watch) {
  absl::MutexLock lock(&mutex_);
  ready_.push_back(std::move(watch));
}

void WatchHub::OnLoad(const resource::Snapshot& snapshot) {
  Post([this, snapshot] { Load(snapshot); });
}

void WatchHub::OnApplied(const Marks& marks) {
  Post([this, marks] { Append(marks); });
}

void WatchHub::OnInvalid() {
  Post([this] { Invalidate(); });
}

absl::Status WatchHub::Open(std::shared_ptr<rpc::Call> call,
                            const WatchChangesRequest& request,
                            std::shared_ptr<rpc::AnswerWriter> writer) {
  auto plan = PlanOf(request, store_->catalogue());
  if (!plan.ok()) return plan.status();
  absl::Status fresh = store_->Fresh();
  if (!fresh.ok()) return fresh;
  // Reads wait for revisions too, so that one caller's watches get a share.
  auto waiting = std::make_shared<rpc::Seats>();
  if (plan->resume.has_value()) {
    if (waits_.Take(call->share_key()) != rpc::SharedPlace::Taken::kYes) {
      return TooManyWait(waits_.per_caller());
    }
    *waiting = rpc::Seats(&waits_, call->share_key(), 1);
  }
  {
    absl::MutexLock lock(&mutex_);
    if (open_ >= options_.watches) return TooMany(options_.watches);
    ++open_;
  }
  methods::TellFreshness(methods::ServiceName(*call->descriptor()->service()),
                         *store_, *store_->Current(), call.get());
  const absl::optional<Place> place = plan->resume;
  auto watch = std::make_shared<Watch>(call, writer, *std::move(plan));
  const std::weak_ptr<Watch> weak = watch;
  writer->OnReady([this, weak] {
    WatchPtr ready = weak.lock();
    if (ready != nullptr && ready->outbox.OnReady()) Ready(std::move(ready));
  });
  call->OnAbandoned([this, weak] {
    if (WatchPtr gone = weak.lock()) Post([this, gone] { Leave(gone); });
  });
  const auto enter = [this, watch, waiting](const absl::Status& placed) {
    waiting->Release();
    Post([this, watch, placed] { Enter(watch, placed); });
  };
  if (place.has_value()) {
    const int64_t wait = store_->Await(
        place->revision, place->digest,
        std::min(call->deadline(), absl::Now() + kPlaceWait), enter);
    if (wait == 0) return absl::OkStatus();
    call->OnAbandoned([store = store_, wait] { store->GiveUp(wait); });
  } else {
    enter(absl::OkStatus());
  }
  return absl::OkStatus();
}

// ---- the thread ----

bool WatchHub::Wait(absl::Time until) {
  std::vector<std::function<void()>> tasks;
  std::vector<WatchPtr> ready;
  {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(this, &WatchHub::HasWork),
                            until - SteadyNow());
    if (stopping_) return false;
    tasks.swap(tasks_);
    ready.swap(ready_);
  }
  for (const auto& task : tasks) task();
  for (const WatchPtr& watch : ready) {
    watch->full = false;
    Queue(watch);
  }
  return true;
}

void WatchHub::Loop() {
  absl::Time until = absl::InfiniteFuture();
  while (Wait(until)) {
    // Each has one turn, so that what happens meanwhile is looked at.
    for (size_t left = queue_.size(); left > 0; --left) {
      const WatchPtr watch = std::move(queue_.front());
      queue_.pop_front();
      watch->queued = false;
      Pump(watch);
    }
    Heartbeats();
    until = beats_.empty() ? absl::InfiniteFuture() : beats_.top().first;
    if (!queue_.empty()) until = absl::InfinitePast();
  }
}

void WatchHub::Load(const resource::Snapshot& snapshot) {
  Invalidate();
  recent_.Load(snapshot);
  loaded_ = true;
  std::vector<resource::ItemPtr> moved;
  for (const auto& kind : snapshot.catalogue().kinds()) {
    snapshot.Scan(*kind, "", [&](const resource::Item& item) {
      if (item.clock_pending()) moved.push_back(snapshot.Share(item.name()));
      return true;
    });
  }
  if (moved.empty()) return Correct({});
  auto run = [this, moved, load = load_](
                 absl::StatusOr<postgres::Session*> session, bool again) {
    absl::StatusOr<std::vector<resource::ItemPtr>> items =
        absl::UnavailableError("");
    if (session.ok()) {
      items = ReadAsRecorded(*session, moved, absl::Now() + kCorrectionTime);
    }
    if (again && IsLost(items.status(), session)) return false;
    Post([this, load, moved, items = std::move(items)] {
      if (load != load_) return;
      // Without the database the clock's changes are told as if they had been
      // recorded before.
      Correct(items.ok() ? *items : moved);
    });
    return true;
  };
  reader_->Submit({absl::Now() + kCorrectionTime, nullptr, std::move(run),
                   /*of_stream=*/true});
}

void WatchHub::Correct(const std::vector<resource::ItemPtr>& items) {
  for (const resource::ItemPtr& item : items) recent_.Correct(item);
  correct_ = true;
  for (const Marks& marks : std::exchange(held_, {})) Append(marks);
  for (const WatchPtr& watch : std::exchange(waiting_, {})) Begin(watch);
}

void WatchHub::Append(const Marks& marks) {
  if (!loaded_) return;
  if (!correct_) {
    held_.push_back(marks);
    return;
  }
  const int64_t first = recent_.first();
  for (const journal::Store::Mark& mark : marks) recent_.Append(mark);
  metrics_.kept.Set(static_cast<double>(recent_.size()));
  if (recent_.first() != first) CutOffSlow();
  int64_t last = recent_.head();
  for (const WatchPtr& watch : watches_) {
    if (!watch->among_kept()) continue;
    last = std::min(last, watch->revision);
    if (watch->phase == Watch::Phase::kLive && !watch->full) Queue(watch);
  }
  metrics_.behind.Set(static_cast<double>(recent_.head() - last));
}

void WatchHub::Invalidate() {
  ++load_;
  loaded_ = correct_ = false;
  held_.clear();
  waiting_.clear();
  const std::vector<WatchPtr> all(watches_.begin(), watches_.end());
  for (const WatchPtr& watch : all) End(watch, HistoryChanged());
}

void WatchHub::Enter(const WatchPtr& watch, const absl::Status& placed) {
  if (watch->over) return;
  watches_.insert(watch);
  metrics_.watches.Set(static_cast<double>(watches_.size()));
  if (!placed.ok()) return End(watch, placed);
  if (!loaded_) {
    const absl::Status fresh = store_->Fresh();
    return End(watch, fresh.ok() ? HistoryChanged() : fresh);
  }
  if (correct_) return Begin(watch);
  waiting_.push_back(watch);
}

void WatchHub::Begin(const WatchPtr& watch) {
  if (watch->over) return;
  const absl::optional<Place>& place = watch->plan.resume;
  watch->revision = place.has_value() ? place->revision : recent_.head();
  if (watch->revision > recent_.head()) return End(watch, HistoryChanged());
  if (watch->revision < recent_.last_deletion() &&
      !watch->call->caller().HasRole(kStaffRole)) {
    return End(watch, BeginAnew());
  }
  watch->last_sent = SteadyNow();
  beats_.push({watch->last_sent + watch->plan.heartbeat, watch});
  if (watch->revision < recent_.first()) {
    watch->phase = Watch::Phase::kOld;
    watch->bookmark_due = false;
    watch->old_rows = kRowsAtOnce;
    return Queue(watch);
  }
  watch->writer->SendHeaders();
  watch->phase = Watch::Phase::kLive;
  if (watch->plan.present_state) {
    watch->phase = Watch::Phase::kPresent;
    watch->present = recent_.CopyPresent();
    watch->present_token = recent_.head_token();
  }
  Queue(watch);
}

void WatchHub::Queue(const WatchPtr& watch) {
  if (watch->over || std::exchange(watch->queued, true)) return;
  queue_.push_back(watch);
}

void WatchHub::Pump(const WatchPtr& watch) {
  if (watch->over || watch->full) return;
  if (watch->phase == Watch::Phase::kPresent) return SendPresent(watch);
  if (watch->phase == Watch::Phase::kOld) return SendOld(watch);
  if (watch->phase == Watch::Phase::kLive) return SendLive(watch);
}

void WatchHub::Send(const WatchPtr& watch, Outbox::Message event) {
  watch->last_sent = SteadyNow();
  watch->full = !watch->outbox.Put(std::move(event));
  if (!watch->full) Queue(watch);
}

void WatchHub::SendPresent(const WatchPtr& watch) {
  int looked_at = 0;
  std::string event;
  bool more = false;
  watch->present.ScanFrom(
      absl::string_view(watch->present_from),
      [&](const resource::ItemPtr& item) {
        if (more = ++looked_at > kLookedAt || !event.empty(); more) {
          watch->present_from = item->name();
          return false;
        }
        if (watch->plan.selection.Takes(item->kind(), item->name()) &&
            !watch->KeepsFromPresent(*item, recent_)) {
          event = PresentOf(*item, watch->call->caller(),
                            recent_.DeletedSince(*item));
        }
        return true;
      });
  if (!more) watch->present_from = kAboveNames;
  if (!event.empty()) {
    metrics_.events.Increment();
    return Send(watch, Outbox::Share(std::move(event)));
  }
  if (more) return Queue(watch);
  watch->present = {};
  watch->phase = Watch::Phase::kLive;
  watch->bookmark_due = false;
  Send(watch, Outbox::Share(Bookmark(watch->present_token, store_->Now())));
}

void WatchHub::SendOld(const WatchPtr& watch) {
  while (!watch->old.empty()) {
    const Watch::Old old = std::move(watch->old.front());
    watch->old.pop_front();
    watch->revision = old.revision;
    if (!watch->Tells(old.name, old.effect, old.withheld)) continue;
    metrics_.events.Increment();
    return Send(watch, old.event);
  }
  watch->revision = std::max(watch->revision, watch->old_end);
  if (!watch->reading && watch->revision >= recent_.first()) {
    watch->phase = Watch::Phase::kLive;
    watch->bookmark_due = true;
    return SendLive(watch);
  }
  // Whoever sees little of what there was is told how far he has come.
  if (watch->proven && std::exchange(watch->bookmark_due, false)) {
    return Send(watch,
                Outbox::Share(Bookmark(watch->old_token, store_->Now())));
  }
  if (!watch->reading) AskOld(watch);
}

void WatchHub::SendLive(const WatchPtr& watch) {
  if (watch->revision < recent_.first()) return CutOff(watch);
  for (int i = 0; i < kLookedAt && watch->revision < recent_.head(); ++i) {
    const RecentChange& change = recent_.At(++watch->revision);
    if (change.after == nullptr) continue;
    const resource::Item& item = *change.after;
    if (!watch->plan.selection.Takes(item.kind(), item.name())) continue;
    if (change.withheld && !watch->Tells(item.name(),
                                         EffectOf({change.before.get(), &item},
                                                  watch->call->caller()),
                                         true)) {
      continue;
    }
    const auto event =
        recent_.EventAt(watch->revision, watch->Fingerprint(item.kind()),
                        watch->call->caller());
    if (event->empty()) continue;
    if (!change.withheld) watch->untold.Told(item.name());
    metrics_.events.Increment();
    return Send(watch, event);
  }
  if (watch->revision < recent_.head()) return Queue(watch);
  if (!std::exchange(watch->bookmark_due, false)) return;
  Send(watch, Outbox::Share(Bookmark(recent_.head_token(), store_->Now())));
}

void WatchHub::AskOld(const WatchPtr& watch) {
  watch->reading = true;
  metrics_.old_reads.Increment();
  const OldPage::Request request{watch->revision, recent_.head(),
                                 watch->old_rows,
                                 /*prove=*/!watch->proven};
  auto run = [this, watch, request](absl::StatusOr<postgres::Session*> session,
                                    bool again) {
    // The time in the queue is not the page's.
    const absl::Time deadline =
        std::min(watch->call->deadline(), absl::Now() + options_.page_time);
    absl::StatusOr<OldPage> page =
        session.ok() ? OldPage::Read(*session, *store_->Current(), *watch,
                                     request, deadline)
                     : session.status();
    if (again && IsLost(page.status(), session)) return false;
    Post([this, watch, page = std::move(page)]() mutable {
      TakeOld(watch, &page);
    });
    return true;
  };
  reader_->Submit({watch->call->deadline(),
                   [watch] { return watch->call->abandoned(); }, std::move(run),
                   /*of_stream=*/true, watch->call->share_key()});
}

void WatchHub::TakeOld(const WatchPtr& watch, absl::StatusOr<OldPage>* page) {
  if (watch->over) return;
  watch->reading = false;
  if (!page->ok()) return End(watch, page->status());
  if (!std::exchange(watch->proven, true)) watch->writer->SendHeaders();
  watch->old = std::move((*page)->events);
  watch->old_end = (*page)->end;
  watch->old_token = std::move((*page)->token);
  watch->old_rows = (*page)->rows;
  Queue(watch);
}

void WatchHub::CutOff(const WatchPtr& watch) {
  metrics_.cut_off.Increment();
  End(watch, TooSlow());
}

void WatchHub::CutOffSlow() {
  std::vector<WatchPtr> slow;
  for (const WatchPtr& watch : watches_) {
    if (watch->among_kept() && watch->revision < recent_.first()) {
      slow.push_back(watch);
    }
  }
  for (const WatchPtr& watch : slow) CutOff(watch);
}

void WatchHub::Heartbeats() {
  const absl::Time now = SteadyNow();
  while (!beats_.empty() && beats_.top().first <= now) {
    const WatchPtr watch = beats_.top().second.lock();
    beats_.pop();
    if (watch == nullptr || watch->over) continue;
    const absl::Status fresh = store_->Fresh();
    if (!fresh.ok()) {
      End(watch, fresh);
      continue;
    }
    absl::Time next = watch->last_sent + watch->plan.heartbeat;
    if (next <= now) {
      // What is under way is as good.
      watch->bookmark_due |= watch->outbox.idle();
      Queue(watch);
      next = now + watch->plan.heartbeat;
    }
    beats_.push({next, watch});
  }
}

void WatchHub::End(const WatchPtr& watch, const absl::Status& status) {
  if (watch->over) return;
  Leave(watch);
  watch->writer->Finish(status);
}

void WatchHub::Leave(const WatchPtr& watch) {
  if (std::exchange(watch->over, true)) return;
  watches_.erase(watch);
  metrics_.watches.Set(static_cast<double>(watches_.size()));
  absl::MutexLock lock(&mutex_);
  --open_;
}

}  // namespace transparency::changes
