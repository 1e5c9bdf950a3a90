#include "common/journal/store.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/journal/refusals.h"
#include "common/status/refusals.h"
#include "common/status/status.h"

namespace transparency::journal {
namespace {

// Bytes of a digest that a revision token shows.
constexpr size_t kTokenBytes = 4;
constexpr absl::Duration kRetryDelay = absl::Seconds(1);

std::string TokenDigest(absl::string_view digest) {
  return absl::BytesToHexString(digest.substr(0, kTokenBytes));
}

absl::Status Stale() {
  return status::RetryLater(
      absl::StatusCode::kUnavailable, "STALE",
      "This replica has not been able to check for too long that its facts are "
      "current.",
      kRetryDelay);
}

absl::Status TooManyWait() {
  return status::Overloaded("Too many calls wait for a revision already.",
                            absl::Milliseconds(500));
}

absl::Status HistoryChanged(int64_t revision) {
  return status::HistoryChanged(
      absl::StrCat("revision ", revision),
      absl::StrCat(
          "Revision ", revision,
          " is not the one you saw: the service's history was put back "
          "to an earlier state. Read again without a revision."),
      {{"revision", absl::StrCat(revision)}});
}

}  // namespace

Store::Store(const resource::Catalogue* catalogue, Clock* clock,
             StoreOptions options)
    : catalogue_(catalogue), clock_(clock), options_(options) {
  live_.store(std::make_shared<const Live>(resource::Snapshot(catalogue)));
  expirer_ = std::thread([this] { ExpireWaiters(); });
}

Store::~Store() { Stop(); }

void Store::Stop() {
  {
    absl::MutexLock lock(&waiters_mutex_);
    stopping_ = true;
  }
  if (expirer_.joinable()) expirer_.join();
}

std::shared_ptr<const resource::Snapshot> Store::Base() const {
  std::shared_ptr<const Live> live = live_.load();
  return {live, &live->snapshot};
}

std::shared_ptr<const resource::Snapshot> Store::Current() {
  std::shared_ptr<const Live> live = live_.load();
  // Until then the clock may be uncorrected, and the instant never goes back.
  if (!loaded_) return {live, &live->snapshot};
  const absl::Time now = clock_->Now();
  const bool due = now >= live->next_change;
  if (due || now - live->snapshot.instant() >= kMaxInstantLag) {
    live = Advance(now, /*wait=*/due);
  }
  return {live, &live->snapshot};
}

std::shared_ptr<const Store::Live> Store::Advance(absl::Time now, bool wait) {
  // Nobody waits merely to be told a newer instant.
  if (wait) {
    mutex_.Lock();
  } else if (!mutex_.TryLock()) {
    return live_.load();
  }
  std::shared_ptr<const Live> live = live_.load();
  if (now > live->snapshot.instant()) {
    resource::SnapshotBuilder builder(live->snapshot);
    builder.Advance(now);
    live = std::make_shared<const Live>(std::move(builder).Build());
    live_.store(live);
  }
  mutex_.Unlock();
  return live;
}

void Store::MakeCurrent(resource::Snapshot next) {
  const absl::Time shown = live_.load()->snapshot.instant();
  if (next.instant() < shown) {
    resource::SnapshotBuilder builder(next);
    builder.Advance(shown);
    next = std::move(builder).Build();
  }
  live_.store(std::make_shared<const Live>(std::move(next)));
}

void Store::Load(resource::Snapshot snapshot, const std::vector<Mark>& recent) {
  {
    absl::MutexLock lock(&mutex_);
    if (observer_ != nullptr) observer_->OnLoad(snapshot);
    MakeCurrent(std::move(snapshot));
    absl::MutexLock waiters_lock(&waiters_mutex_);
    digests_.clear();
    kept_head_ = recent.empty() ? -1 : recent.front().revision - 1;
    Keep(recent);
    loaded_ = true;
  }
  AnswerWaiters();
}

bool Store::Publish(resource::Snapshot next, const std::vector<Mark>& marks) {
  {
    absl::MutexLock lock(&mutex_);
    const std::shared_ptr<const Live> live = live_.load();
    const int64_t current = live->snapshot.revision();
    if (!loaded_ || next.revision() <= current || marks.empty()) return false;
    const int64_t place = current - marks.front().revision;
    if (place < 0 ||
        marks[static_cast<size_t>(place)].digest != live->snapshot.digest()) {
      return false;
    }
    MakeCurrent(std::move(next));
    absl::MutexLock waiters_lock(&waiters_mutex_);
    const std::vector<Mark> fresh = Keep(marks);
    if (observer_ != nullptr) observer_->OnApplied(fresh);
  }
  AnswerWaiters();
  return true;
}

std::vector<Store::Mark> Store::Keep(const std::vector<Mark>& marks) {
  std::vector<Mark> fresh;
  for (const Mark& mark : marks) {
    if (mark.revision != kept_head_ + 1) continue;
    std::array<char, kTokenBytes> prefix{};
    std::copy_n(mark.digest.begin(), std::min(kTokenBytes, mark.digest.size()),
                prefix.begin());
    digests_.push_back(prefix);
    if (digests_.size() > kKeptDigests) digests_.pop_front();
    kept_head_ = mark.revision;
    fresh.push_back(mark);
  }
  return fresh;
}

void Store::Invalidate() {
  {
    absl::MutexLock lock(&mutex_);
    loaded_ = false;
    live_.store(std::make_shared<const Live>(resource::Snapshot(catalogue_)));
    if (observer_ != nullptr) observer_->OnInvalid();
    absl::MutexLock waiters_lock(&waiters_mutex_);
    digests_.clear();
    kept_head_ = -1;
  }
  absl::MutexLock lock(&proof_mutex_);
  proven_at_ = absl::InfinitePast();
}

bool Store::loaded() const { return loaded_; }

void Store::Proven(int64_t head, absl::Time asked) {
  {
    absl::MutexLock lock(&mutex_);
    if (!loaded_ || live_.load()->snapshot.revision() < head) return;
  }
  absl::MutexLock lock(&proof_mutex_);
  if (asked <= proven_at_) return;
  proven_at_ = asked;
  current_at_ = clock_->Now() - (SteadyNow() - asked);
}

absl::Time Store::current_at() const {
  absl::MutexLock lock(&proof_mutex_);
  return current_at_;
}

absl::Duration Store::staleness() const {
  absl::MutexLock lock(&proof_mutex_);
  return SteadyNow() - proven_at_;
}

absl::Status Store::Fresh() const {
  if (loaded() && staleness() <= options_.max_staleness) {
    return absl::OkStatus();
  }
  return Stale();
}

std::string Store::RevisionToken(int64_t revision, absl::string_view digest) {
  if (revision < 0) return "";
  return absl::StrCat(revision, ".", TokenDigest(digest));
}

std::string Store::RevisionToken(const resource::Snapshot& snapshot) {
  return RevisionToken(snapshot.revision(), snapshot.digest());
}

// ---- waiting for a revision ----

void Store::SetPoke(std::function<void()> poke) { poke_ = std::move(poke); }

int64_t Store::Await(int64_t revision, std::string digest_prefix,
                     absl::Time deadline,
                     std::function<void(absl::Status)> done) {
  const absl::Time since = SteadyNow();
  const absl::Duration left = deadline - absl::Now();
  Waiter waiter{
      0,
      revision,
      std::move(digest_prefix),
      since,
      since + std::clamp(left, absl::ZeroDuration(), options_.max_wait),
      std::move(done)};
  std::unique_ptr<absl::Status> settled;
  int64_t id = 0;
  {
    absl::MutexLock lock(&waiters_mutex_);
    settled = Settled(waiter);
    if (settled == nullptr && stopping_) {
      settled = std::make_unique<absl::Status>(Stale());
    }
    if (settled == nullptr && waiters_.size() >= options_.waiters) {
      settled = std::make_unique<absl::Status>(TooManyWait());
    }
    if (settled == nullptr) {
      waiter.id = id = ++waits_;
      next_expiry_ = std::min(next_expiry_, waiter.until);
      waiters_.push_back(waiter);
    }
  }
  if (settled != nullptr) {
    waiter.done(*settled);
  } else if (poke_) {
    poke_();
  }
  return id;
}

void Store::GiveUp(int64_t wait) {
  std::function<void(absl::Status)> done;
  {
    absl::MutexLock lock(&waiters_mutex_);
    const auto waiter =
        std::find_if(waiters_.begin(), waiters_.end(),
                     [wait](const Waiter& w) { return w.id == wait; });
    if (waiter == waiters_.end()) return;
    done = std::move(waiter->done);
    waiters_.erase(waiter);
  }
  done(CallCancelled());
}

std::unique_ptr<absl::Status> Store::Settled(const Waiter& waiter) const {
  if (!loaded_ || waiter.revision > kept_head_) return nullptr;
  const int64_t back = kept_head_ - waiter.revision;
  if (waiter.digest_prefix.empty() ||
      back >= static_cast<int64_t>(digests_.size())) {
    return std::make_unique<absl::Status>();
  }
  const auto& digest =
      digests_[digests_.size() - 1 - static_cast<size_t>(back)];
  const std::string hex =
      absl::BytesToHexString({digest.data(), digest.size()});
  const bool same =
      absl::StartsWith(hex, waiter.digest_prefix.substr(0, hex.size()));
  return std::make_unique<absl::Status>(same ? absl::OkStatus()
                                             : HistoryChanged(waiter.revision));
}

absl::Status Store::Expired(const Waiter& waiter) const {
  {
    absl::MutexLock lock(&proof_mutex_);
    if (proven_at_ < waiter.since) return Stale();
  }
  return status::Refuse(
      absl::StatusCode::kOutOfRange, "REVISION_ABOVE_HEAD",
      absl::StrCat("Revision ", waiter.revision,
                   " has not been written: the head is below it."),
      {{"revision", absl::StrCat(waiter.revision)}});
}

void Store::AnswerWaiters() {
  std::vector<Answer> answers;
  {
    absl::MutexLock lock(&waiters_mutex_);
    auto settled = [&](Waiter& waiter) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      std::unique_ptr<absl::Status> status = Settled(waiter);
      if (status == nullptr) return false;
      answers.push_back({std::move(waiter.done), *status});
      return true;
    };
    waiters_.erase(std::remove_if(waiters_.begin(), waiters_.end(), settled),
                   waiters_.end());
  }
  for (Answer& answer : answers) answer.done(std::move(answer.status));
}

void Store::ExpireWaiters() {
  while (true) {
    std::vector<Waiter> expired;
    bool stop = false;
    {
      absl::MutexLock lock(&waiters_mutex_);
      const absl::Time next = next_expiry_;
      const auto earlier = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
        return stopping_ || next_expiry_ < next;
      };
      waiters_mutex_.AwaitWithTimeout(absl::Condition(&earlier),
                                      next - SteadyNow());
      stop = stopping_;
      const absl::Time now = SteadyNow();
      if (!stop && next_expiry_ > now) continue;
      auto keep = std::partition(
          waiters_.begin(), waiters_.end(),
          [&](const Waiter& w) { return !stop && w.until > now; });
      std::move(keep, waiters_.end(), std::back_inserter(expired));
      waiters_.erase(keep, waiters_.end());
      next_expiry_ = absl::InfiniteFuture();
      for (const Waiter& waiter : waiters_) {
        next_expiry_ = std::min(next_expiry_, waiter.until);
      }
    }
    for (Waiter& waiter : expired) waiter.done(Expired(waiter));
    if (stop) return;
  }
}

}  // namespace transparency::journal
