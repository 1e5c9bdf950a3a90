#include "common/resource/snapshot.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "common/fields/references.h"

namespace transparency::resource {
namespace {

using google::protobuf::Message;

constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();
constexpr int64_t kLast = std::numeric_limits<int64_t>::max();

IndexKey DueKey(absl::Time when) {
  static const uint64_t group = Key("\x01 due").group;
  return {group, absl::ToUnixMicros(when)};
}

IndexKey PendingKey() {
  static const uint64_t group = Key("\x01 pending").group;
  return {group, 0};
}

IndexKey ReferenceKey(absl::string_view name) {
  return Key("\x01 reference", name);
}

bool Less(const IndexKey& a, const IndexKey& b) {
  return a.group != b.group ? a.group < b.group : a.order < b.order;
}

// Every key under which an item, whose message this is, stands in the index.
// Replaces `keys`.
void KeysOf(const Item& item, const Message& message,
            std::vector<IndexKey>* keys) {
  keys->clear();
  if (item.clock_pending()) keys->push_back(PendingKey());
  if (item.deleted()) return;
  if (item.next_change() != absl::InfiniteFuture()) {
    keys->push_back(DueKey(item.next_change()));
  }
  fields::VisitReferences(message, [&](const fields::Reference& reference) {
    keys->push_back(ReferenceKey(reference.name()));
  });
  if (item.kind().rules.keys) item.kind().rules.keys(message, keys);
  // The same name may stand in several fields.
  std::sort(keys->begin(), keys->end(), Less);
  const auto same = [](const IndexKey& x, const IndexKey& y) {
    return x.group == y.group && x.order == y.order;
  };
  keys->erase(std::unique(keys->begin(), keys->end(), same), keys->end());
}

bool Holds(const Message& message, absl::string_view name) {
  bool found = false;
  fields::VisitReferences(message, [&](const fields::Reference& reference) {
    found = found || reference.name() == name;
  });
  return found;
}

// Calls `take(source)` for the source whose next element is the least, `less`
// comparing two sources by that, until all `left(source)` are false.
template <class Left, class LessNext, class Take>
void Merge(size_t sources, const Left& left, const LessNext& less,
           const Take& take) {
  while (true) {
    size_t least = sources;
    for (size_t i = 0; i < sources; ++i) {
      if (left(i) && (least == sources || less(i, least))) least = i;
    }
    if (least == sources) return;
    take(least);
  }
}

}  // namespace

bool Snapshot::ByKey::operator()(const IndexEntry& a,
                                 const IndexEntry& b) const {
  if (Less(a.key, b.key)) return true;
  if (Less(b.key, a.key)) return false;
  return a.item->name() < b.item->name();
}

bool Snapshot::ByKey::operator()(const IndexEntry& a, const IndexKey& b) const {
  return Less(a.key, b);
}

bool Snapshot::ByKey::operator()(const IndexKey& a, const IndexEntry& b) const {
  return Less(a, b.key);
}

Snapshot::Snapshot(const Catalogue* catalogue)
    : catalogue_(catalogue),
      items_(catalogue->kinds().size()),
      deleted_(catalogue->kinds().size()) {}

size_t Snapshot::Slot(const Kind& kind) const {
  const auto& kinds = catalogue_->kinds();
  size_t slot = 0;
  while (kinds[slot].get() != &kind) ++slot;
  return slot;
}

const ItemPtr* Snapshot::FindPtr(absl::string_view name) const {
  const Kind* kind = catalogue_->ByName(name);
  return kind == nullptr ? nullptr : items_[Slot(*kind)].Find(name);
}

const Item* Snapshot::Find(absl::string_view name) const {
  const ItemPtr* item = FindPtr(name);
  return item == nullptr ? nullptr : item->get();
}

const Item* Snapshot::FindLive(absl::string_view name) const {
  const Item* item = Find(name);
  return item == nullptr || item->deleted() ? nullptr : item;
}

ItemPtr Snapshot::Share(absl::string_view name) const {
  const ItemPtr* item = FindPtr(name);
  return item == nullptr ? nullptr : *item;
}

void Snapshot::Scan(const Kind& kind, absl::string_view from,
                    absl::FunctionRef<bool(const Item&)> visit) const {
  items_[Slot(kind)].ScanFrom(
      from, [&](const ItemPtr& item) { return visit(*item); });
}

void Snapshot::ShareAll(const Kind& kind,
                        absl::FunctionRef<void(const ItemPtr&)> take) const {
  items_[Slot(kind)].ScanFrom(absl::string_view(), [&](const ItemPtr& item) {
    take(item);
    return true;
  });
}

size_t Snapshot::Count(const Kind& kind) const {
  return items_[Slot(kind)].size();
}

size_t Snapshot::CountDeleted(const Kind& kind) const {
  return deleted_[Slot(kind)];
}

void Snapshot::Lookup(IndexKey from, int64_t until,
                      absl::FunctionRef<bool(const Item&)> visit) const {
  index_.ScanFrom(from, [&](const IndexEntry& entry) {
    if (entry.key.group != from.group || entry.key.order > until) return false;
    return entry.item->deleted() || visit(*entry.item);
  });
}

void Snapshot::Referrers(absl::string_view name,
                         absl::FunctionRef<bool(const Item&)> visit) const {
  std::unique_ptr<Message> scratch;
  Lookup(ReferenceKey(name), kLast, [&](const Item& item) {
    return !Holds(item.message(&scratch), name) || visit(item);
  });
}

absl::Time Snapshot::next_change() const {
  absl::Time next = absl::InfiniteFuture();
  const uint64_t due = DueKey(absl::UnixEpoch()).group;
  index_.ScanFrom(IndexKey{due, kFirst}, [&](const IndexEntry& entry) {
    if (entry.key.group == due) next = absl::FromUnixMicros(entry.key.order);
    return false;
  });
  return next;
}

std::vector<const Item*> Snapshot::ClockPending(size_t limit) const {
  std::vector<const Item*> pending;
  const uint64_t group = PendingKey().group;
  index_.ScanFrom(PendingKey(), [&](const IndexEntry& entry) {
    if (entry.key.group != group || pending.size() >= limit) return false;
    pending.push_back(entry.item);
    return true;
  });
  return pending;
}

ItemPtr SnapshotBuilder::Put(ItemPtr item, const Message* message) {
  const size_t slot = snapshot_.Slot(item->kind());
  auto& items = snapshot_.items_[slot];
  ItemPtr before;
  if (const ItemPtr* found = items.Find(absl::string_view(item->name()))) {
    before = *found;
    Index(*before, nullptr, false);
    if (before->deleted()) --snapshot_.deleted_[slot];
  }
  Index(*item, message, true);
  if (item->deleted()) ++snapshot_.deleted_[slot];
  items.Put(std::move(item), owner_);
  return before;
}

void SnapshotPart::Add(ItemPtr item, const Message& message) {
  KeysOf(*item, message, &keys_);
  for (const IndexKey& key : keys_) places_.push_back({key, items_.size()});
  items_.push_back(std::move(item));
}

void SnapshotPart::Sort() {
  if (!std::is_sorted(items_.begin(), items_.end(), Snapshot::ByName())) {
    std::vector<size_t> order(items_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [this](size_t a, size_t b) {
      return items_[a]->name() < items_[b]->name();
    });
    std::vector<ItemPtr> sorted(items_.size());
    std::vector<size_t> numbers(items_.size());
    for (size_t number = 0; number < order.size(); ++number) {
      sorted[number] = std::move(items_[order[number]]);
      numbers[order[number]] = number;
    }
    items_ = std::move(sorted);
    Renumber(numbers);
  }
  std::sort(places_.begin(), places_.end(), [](const Place& a, const Place& b) {
    if (Less(a.key, b.key)) return true;
    return !Less(b.key, a.key) && a.number < b.number;
  });
}

void SnapshotPart::Renumber(const std::vector<size_t>& numbers) {
  for (Place& place : places_) place.number = numbers[place.number];
}

void SnapshotBuilder::Fill(std::vector<SnapshotPart> parts) {
  const size_t count = parts.size();
  std::vector<size_t> at(count);
  std::vector<const Item*> items;  // of all parts, by name
  std::vector<std::vector<size_t>> numbers(count);
  Merge(
      count, [&](size_t i) { return at[i] < parts[i].items_.size(); },
      [&](size_t a, size_t b) {
        return parts[a].items_[at[a]]->name() < parts[b].items_[at[b]]->name();
      },
      [&](size_t i) {
        ItemPtr& item = parts[i].items_[at[i]++];
        numbers[i].push_back(items.size());
        items.push_back(item.get());
        const size_t slot = snapshot_.Slot(item->kind());
        if (item->deleted()) ++snapshot_.deleted_[slot];
        snapshot_.items_[slot].Append(std::move(item), owner_);
      });
  for (size_t i = 0; i < count; ++i) parts[i].Renumber(numbers[i]);
  std::fill(at.begin(), at.end(), size_t{0});
  Merge(
      count, [&](size_t i) { return at[i] < parts[i].places_.size(); },
      [&](size_t a, size_t b) {
        const SnapshotPart::Place& x = parts[a].places_[at[a]];
        const SnapshotPart::Place& y = parts[b].places_[at[b]];
        if (Less(x.key, y.key)) return true;
        return !Less(y.key, x.key) && x.number < y.number;
      },
      [&](size_t i) {
        const SnapshotPart::Place& place = parts[i].places_[at[i]++];
        snapshot_.index_.Append({place.key, items[place.number]}, owner_);
      });
}

void SnapshotBuilder::Remove(absl::string_view name) {
  const ItemPtr item = snapshot_.Share(name);
  if (item == nullptr) return;
  Index(*item, nullptr, false);
  const size_t slot = snapshot_.Slot(item->kind());
  if (item->deleted()) --snapshot_.deleted_[slot];
  snapshot_.items_[slot].Erase(absl::string_view(item->name()), owner_);
}

void SnapshotBuilder::Advance(absl::Time now) {
  if (now <= snapshot_.instant_) return;
  while (snapshot_.next_change() <= now) {
    std::vector<ItemPtr> due;
    const IndexKey first{DueKey(now).group, kFirst};
    snapshot_.Lookup(first, DueKey(now).order, [&](const Item& item) {
      due.push_back(snapshot_.Share(item.name()));
      return true;
    });
    for (const ItemPtr& item : due) Put(item->At(now));
  }
  snapshot_.instant_ = now;
}

void SnapshotBuilder::SetHead(int64_t revision, std::string digest) {
  snapshot_.revision_ = revision;
  snapshot_.digest_ = std::move(digest);
}

void SnapshotBuilder::Index(const Item& item, const Message* message,
                            bool add) {
  std::vector<IndexKey> keys;
  KeysOf(item, message != nullptr ? *message : item.message(&scratch_), &keys);
  for (const IndexKey& key : keys) {
    const Snapshot::IndexEntry entry{key, &item};
    if (add) {
      snapshot_.index_.Put(entry, owner_);
    } else {
      snapshot_.index_.Erase(entry, owner_);
    }
  }
}

}  // namespace transparency::resource
