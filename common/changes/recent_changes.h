#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/caller.h"
#include "common/changes/withheld.h"
#include "common/journal/store.h"
#include "common/resource/chunked_set.h"
#include "common/resource/item.h"
#include "common/resource/snapshot.h"

namespace transparency::changes {

// Stands for the place before the first entry.
inline constexpr char kBeginning[] = "-1.00000000";

// An entry kept in memory, with its resource as recorded before and after it.
struct RecentChange {
  int64_t revision;
  std::string token;
  absl::Time record_time;
  resource::ItemPtr before;  // null: there was none
  resource::ItemPtr after;   // null: of a kind that this binary does not know
  bool withheld = false;     // its resource is deleted by now
  // Its event by the form's fingerprint; empty: it tells nothing.
  absl::flat_hash_map<std::string, std::shared_ptr<const std::string>> events;
  size_t event_bytes = 0;  // of `events`, about
};

// The newest entries of the journal, and every resource as its last entry
// recorded it: a snapshot that the clock does not move. For one thread.
class RecentChanges {
 public:
  struct Limits {
    size_t entries = 8192;
    // Of the resources that the entries left, serialized.
    size_t bytes = size_t{64} << 20;
    // Events of older entries are made each time they are asked for.
    size_t with_events = 1024;
    // The kept events take about so many bytes at most, since signed-in callers
    // may each have their own.
    size_t event_bytes = size_t{64} << 20;
  };
  struct ByName {
    bool operator()(const resource::ItemPtr& a,
                    const resource::ItemPtr& b) const {
      return a->name() < b->name();
    }
    bool operator()(const resource::ItemPtr& a, absl::string_view b) const {
      return a->name() < b;
    }
    bool operator()(absl::string_view a, const resource::ItemPtr& b) const {
      return a < b->name();
    }
  };
  using Present = resource::ChunkedSet<resource::ItemPtr, ByName>;

  explicit RecentChanges(Limits limits) : limits_(limits) {}

  void Load(const resource::Snapshot& snapshot);
  void Append(const journal::Store::Mark& mark);
  // Puts what the journal holds in the place of what the clock has made of it.
  void Correct(resource::ItemPtr item);

  // How much the events take that are kept.
  size_t event_bytes() const { return event_bytes_; }

  // Of the last entry; -1 before the first. Everything after first() is kept.
  int64_t head() const { return head_; }
  const std::string& head_token() const { return head_token_; }
  int64_t first() const { return first_; }
  size_t size() const { return entries_.size(); }
  // Whether the last entry of this name deleted its resource.
  bool IsDeleted(absl::string_view name) const {
    const resource::ItemPtr* item = present_.Find(name);
    return item != nullptr && (*item)->deleted();
  }
  // What an older state of a resource may name that is deleted by now; empty
  // for the last. Not to be kept longer than this.
  DeletedNames DeletedSince(const resource::Item& old) const;
  // Revision of the last change of a resource that is deleted now; -1: none.
  int64_t last_deletion() const {
    return deletions_.empty() ? -1 : *deletions_.rbegin();
  }
  // As of head(). Costs a pointer per some 500 resources.
  Present CopyPresent() {
    owner_ = resource::NextOwner();
    return present_;
  }

  const RecentChange& At(int64_t revision) const {
    return *entries_[static_cast<size_t>(revision - first_ - 1)];
  }
  // The entry's event for the callers of this fingerprint, of whom `caller` is
  // one; empty when it tells them nothing. Made once.
  std::shared_ptr<const std::string> EventAt(int64_t revision,
                                             const std::string& fingerprint,
                                             const Caller& caller);

 private:
  void Trim();
  void DropEvents(RecentChange* change);
  // Drops the events of the oldest entries until they take less than `bytes`.
  void DropOldestEvents(size_t bytes);
  // Marks the kept entries of a resource that has just been deleted, or is
  // there again.
  void Withhold(absl::string_view name, bool withheld);

  const Limits limits_;
  int64_t head_ = -1;
  std::string head_token_;
  int64_t first_ = -1;
  std::deque<std::unique_ptr<RecentChange>> entries_;
  size_t bytes_ = 0;
  size_t event_bytes_ = 0;
  Present present_;
  std::set<int64_t> deletions_;  // of each deleted resource its last change
  uint64_t owner_ = resource::NextOwner();
};

}  // namespace transparency::changes
