#include "common/changes/recent_changes.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "common/changes/watch_event.h"

namespace transparency::changes {

using journal::v1::Change;
using resource::Item;
using resource::ItemPtr;

namespace {

// What an erasure leaves of a resource.
ItemPtr Erased(const Item& before, const journal::Entry& entry) {
  Item::Stored stored;
  stored.message = before.WithoutPersonal();
  stored.revision = entry.revision;
  stored.recorded_in_effect = true;
  return Item::Make(before.kind(), std::move(stored), entry.record_time);
}

size_t BytesOf(const RecentChange& change) {
  return change.after == nullptr ? 0 : change.after->bytes().size();
}

}  // namespace

void RecentChanges::Load(const resource::Snapshot& snapshot) {
  std::vector<ItemPtr> items;
  for (const auto& kind : snapshot.catalogue().kinds()) {
    const auto before = static_cast<std::ptrdiff_t>(items.size());
    snapshot.ShareAll(*kind,
                      [&](const ItemPtr& item) { items.push_back(item); });
    // Those of one kind come in order.
    std::inplace_merge(items.begin(), items.begin() + before, items.end(),
                       ByName());
  }
  owner_ = resource::NextOwner();
  present_.Clear();
  deletions_.clear();
  for (ItemPtr& item : items) {
    if (item->deleted()) deletions_.insert(item->revision());
    present_.Append(std::move(item), owner_);
  }
  entries_.clear();
  bytes_ = event_bytes_ = 0;
  head_ = first_ = snapshot.revision();
  head_token_ =
      head_ < 0 ? kBeginning : journal::Store::RevisionToken(snapshot);
}

void RecentChanges::Correct(ItemPtr item) {
  present_.Put(std::move(item), owner_);
}

void RecentChanges::Append(const journal::Store::Mark& mark) {
  const journal::Entry& entry = mark.applied->entry;
  auto change = std::make_unique<RecentChange>();
  change->revision = mark.revision;
  change->token = journal::Store::RevisionToken(mark.revision, mark.digest);
  change->record_time = entry.record_time;
  change->after = mark.applied->item;
  const ItemPtr* before = present_.Find(absl::string_view(entry.name));
  if (before != nullptr) change->before = *before;
  if (change->after == nullptr && change->before != nullptr &&
      entry.kind == Change::ERASED) {
    change->after = Erased(*change->before, entry);
  }
  if (change->after != nullptr) {
    present_.Put(change->after, owner_);
  }
  head_ = mark.revision;
  head_token_ = change->token;
  bytes_ += BytesOf(*change);
  const ItemPtr was = change->before;
  const ItemPtr is = change->after;
  entries_.push_back(std::move(change));
  const bool deleted = is != nullptr && is->deleted();
  if (was != nullptr && was->deleted()) deletions_.erase(was->revision());
  if (deleted) deletions_.insert(mark.revision);
  if (deleted || (was != nullptr && was->deleted())) {
    Withhold(entry.name, deleted);
    // They may name it.
    DropOldestEvents(0);
  }
  Trim();
}

void RecentChanges::Withhold(absl::string_view name, bool withheld) {
  for (const auto& kept : entries_) {
    if (kept->after != nullptr && kept->after->name() == name) {
      kept->withheld = withheld;
    }
  }
}

void RecentChanges::Trim() {
  while (entries_.size() > limits_.entries ||
         (bytes_ > limits_.bytes && entries_.size() > 1)) {
    bytes_ -= BytesOf(*entries_.front());
    DropEvents(entries_.front().get());
    entries_.pop_front();
    ++first_;
  }
  if (entries_.size() > limits_.with_events) {
    DropEvents(entries_[entries_.size() - limits_.with_events - 1].get());
  }
}

void RecentChanges::DropEvents(RecentChange* change) {
  event_bytes_ -= std::exchange(change->event_bytes, 0);
  change->events.clear();
}

DeletedNames RecentChanges::DeletedSince(const Item& old) const {
  if (deletions_.empty()) return nullptr;
  const ItemPtr* last = present_.Find(absl::string_view(old.name()));
  if (last != nullptr && (*last)->revision() == old.revision()) return nullptr;
  return [this](absl::string_view name) { return IsDeleted(name); };
}

void RecentChanges::DropOldestEvents(size_t bytes) {
  for (const auto& kept : entries_) {
    if (event_bytes_ <= bytes) return;
    DropEvents(kept.get());
  }
}

std::shared_ptr<const std::string> RecentChanges::EventAt(
    int64_t revision, const std::string& fingerprint, const Caller& caller) {
  RecentChange& change = *entries_[static_cast<size_t>(revision - first_ - 1)];
  const auto make = [&] {
    return std::make_shared<const std::string>(EventOf(
        {change.before.get(), change.after.get()}, caller, change.token,
        change.record_time,
        change.after == nullptr ? nullptr : DeletedSince(*change.after)));
  };
  const bool keep =
      revision > head_ - static_cast<int64_t>(limits_.with_events);
  if (!keep) return make();
  std::shared_ptr<const std::string>& kept = change.events[fingerprint];
  if (kept != nullptr) return kept;
  // What the map and the pointer take beside the texts.
  constexpr size_t kOverhead = 128;
  kept = make();
  std::shared_ptr<const std::string> event = kept;
  const size_t bytes = fingerprint.size() + event->size() + kOverhead;
  change.event_bytes += bytes;
  event_bytes_ += bytes;
  if (event_bytes_ > limits_.event_bytes)
    DropOldestEvents(limits_.event_bytes / 2);
  return event;
}

}  // namespace transparency::changes
