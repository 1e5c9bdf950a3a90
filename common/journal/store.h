#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/journal/clock.h"
#include "common/journal/entry.h"
#include "common/resource/item.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"

namespace transparency::journal {

struct StoreOptions {
  // Reads are refused once the last proof of being current is older.
  absl::Duration max_staleness = absl::Minutes(10);
  // Longest wait for a revision.
  absl::Duration max_wait = absl::Seconds(5);
  // Most that wait for one at once; one more is refused.
  size_t waiters = 1024;
};

// An entry and what it made of its resource.
struct Applied {
  Entry entry;  // without its body
  // As recorded: in effect at the entry's time, whatever the clock has done
  // since. Null for a kind that this binary does not know, and for an erasure
  // that another replica wrote, which leaves the rest as it was.
  resource::ItemPtr item;
};

class StoreObserver;

// The live snapshot of one replica. Thread-safe. What it is given outlives it.
class Store {
 public:
  Store(const resource::Catalogue* catalogue, Clock* clock,
        StoreOptions options = {});
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  const resource::Catalogue& catalogue() const { return *catalogue_; }

  // The current snapshot, with every change of the clock up to now in effect.
  // Its instant lags Now() by kMaxInstantLag at most. Empty, at revision -1,
  // until the first load.
  std::shared_ptr<const resource::Snapshot> Current();

  absl::Time Now() const { return clock_->Now(); }

  // OK, or UNAVAILABLE with the reason STALE when the last proof of being
  // current is older than max_staleness, or before the first load.
  absl::Status Fresh() const;
  // When the snapshot was last proven to be the database's head.
  absl::Time current_at() const;
  absl::Duration staleness() const;

  // Calls back once revision `n` is applied: OK. FAILED_PRECONDITION,
  // HISTORY_CHANGED, when `digest_prefix` (lower-case hex, may be empty) is not
  // how that revision's digest begins; digests older than the last
  // kKeptDigests are taken on trust. OUT_OF_RANGE, REVISION_ABOVE_HEAD, when it
  // has not come by `deadline` or max_wait, whichever is earlier; UNAVAILABLE,
  // STALE, when the database could not be asked meanwhile; RESOURCE_EXHAUSTED,
  // OVERLOADED, at once when too many wait already. Asks the follower to poll
  // at once. Never blocks; calls back exactly once, at once or on a thread of
  // the store, the follower or the writer, and must not block there. Names the
  // wait for GiveUp; 0: it is over already.
  int64_t Await(int64_t revision, std::string digest_prefix,
                absl::Time deadline, std::function<void(absl::Status)> done);

  // Ends all waits, and each that begins later, as if their time were over: who
  // waits may be gone before the store is. Once; the destructor does it too.
  void Stop();

  // Nobody needs that wait any more: calls back at once, CANCELLED, unless it
  // is over.
  void GiveUp(int64_t wait);

  // "1234.9f86d081": the revision and the first 8 hex digits of its digest.
  // Empty at revision -1.
  static std::string RevisionToken(const resource::Snapshot& snapshot);
  static std::string RevisionToken(int64_t revision, absl::string_view digest);

  static constexpr absl::Duration kMaxInstantLag = absl::Milliseconds(100);
  static constexpr size_t kKeptDigests = 1 << 16;

  // ---- for the follower and the writer ----

  // A revision and its chain digest; where it was applied here, its entry.
  struct Mark {
    int64_t revision;
    std::string digest;
    std::shared_ptr<const Applied> applied = nullptr;
  };

  // Is told of everything that is applied from here on. Set before use.
  void SetObserver(StoreObserver* observer) { observer_ = observer; }

  // Puts a snapshot loaded from the tables in the place of whatever was there.
  // `recent`: the marks up to its revision, in order, without a gap.
  void Load(resource::Snapshot snapshot, const std::vector<Mark>& recent);

  // Makes `next` current if it is ahead of the current snapshot and of the same
  // history; false when it is not, which is no error: someone else was faster
  // with the same entries. `marks`: of the snapshot that `next` was built from,
  // then of each entry it holds beyond that.
  bool Publish(resource::Snapshot next, const std::vector<Mark>& marks);

  // The current snapshot as it is, not advanced: a base for building.
  std::shared_ptr<const resource::Snapshot> Base() const;

  // The database's head was `head` at the instant `asked` (SteadyNow) or later.
  // Counts as a proof when that revision is applied.
  void Proven(int64_t head, absl::Time asked);

  // The history that was applied is not the database's any more: until the next
  // Load nothing is fresh and nothing is published.
  void Invalidate();
  bool loaded() const;

  // Called when somebody waits for a poll; must not block. Set before use.
  void SetPoke(std::function<void()> poke);

 private:
  struct Live {
    explicit Live(resource::Snapshot s)
        : snapshot(std::move(s)), next_change(snapshot.next_change()) {}
    const resource::Snapshot snapshot;
    const absl::Time next_change;
  };
  struct Waiter {
    int64_t id;
    int64_t revision;
    std::string digest_prefix;
    absl::Time since;
    absl::Time until;
    std::function<void(absl::Status)> done;
  };
  struct Answer {
    std::function<void(absl::Status)> done;
    absl::Status status;
  };

  std::shared_ptr<const Live> Advance(absl::Time now, bool wait);
  void MakeCurrent(resource::Snapshot next)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Keeps those that come next, and returns them.
  std::vector<Mark> Keep(const std::vector<Mark>& marks)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(waiters_mutex_);
  // Null while the revision has not been applied.
  std::unique_ptr<absl::Status> Settled(const Waiter& waiter) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(waiters_mutex_);
  absl::Status Expired(const Waiter& waiter) const;
  void AnswerWaiters();
  void ExpireWaiters();

  const resource::Catalogue* const catalogue_;
  Clock* const clock_;
  const StoreOptions options_;

  std::atomic<std::shared_ptr<const Live>> live_;
  // Held by whoever makes the next snapshot current.
  absl::Mutex mutex_;
  std::atomic<bool> loaded_{false};

  mutable absl::Mutex proof_mutex_;
  absl::Time current_at_ ABSL_GUARDED_BY(proof_mutex_) = absl::InfinitePast();
  // The same instant of SteadyNow.
  absl::Time proven_at_ ABSL_GUARDED_BY(proof_mutex_) = absl::InfinitePast();

  absl::Mutex waiters_mutex_;
  std::vector<Waiter> waiters_ ABSL_GUARDED_BY(waiters_mutex_);
  // First kTokenBytes of the digests of the revisions up to kept_head_.
  std::deque<std::array<char, 4>> digests_ ABSL_GUARDED_BY(waiters_mutex_);
  int64_t kept_head_ ABSL_GUARDED_BY(waiters_mutex_) = -1;
  int64_t waits_ ABSL_GUARDED_BY(waiters_mutex_) = 0;  // ever begun
  // No waiter expires before.
  absl::Time next_expiry_ ABSL_GUARDED_BY(waiters_mutex_) =
      absl::InfiniteFuture();
  bool stopping_ ABSL_GUARDED_BY(waiters_mutex_) = false;
  std::function<void()> poke_;
  StoreObserver* observer_ = nullptr;
  std::thread expirer_;
};

// Is told what a store applies, in order and by one thread at a time, before
// anybody whom the store has waiting. Runs under locks of the store: must not
// block nor call it.
class StoreObserver {
 public:
  virtual ~StoreObserver() = default;

  // The snapshot takes the place of all that was told before.
  virtual void OnLoad(const resource::Snapshot& snapshot) = 0;
  // The entries that follow what was told last; each has `applied`.
  virtual void OnApplied(const std::vector<Store::Mark>& marks) = 0;
  // What was told is not the database's history. OnLoad follows.
  virtual void OnInvalid() = 0;
};

}  // namespace transparency::journal
