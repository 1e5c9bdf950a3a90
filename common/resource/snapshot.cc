#include "common/resource/snapshot.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "google/api/resource.pb.h"
#include "google/protobuf/descriptor.h"

namespace transparency::resource {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
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

bool IsReference(const FieldDescriptor* field) {
  return field->type() == FieldDescriptor::TYPE_STRING &&
         field->options().HasExtension(google::api::resource_reference);
}

// Where messages of one type hold resource names, themselves or further down.
struct References {
  struct Below {
    const FieldDescriptor* field;
    const References* type;
  };
  std::vector<const FieldDescriptor*> names;
  std::vector<Below> below;
};

// Knows them by type; asks each descriptor once. Thread-safe.
class ReferenceMap {
 public:
  const References* Of(const Descriptor* type) {
    {
      absl::ReaderMutexLock lock(&mutex_);
      const auto found = types_.find(type);
      if (found != types_.end()) return found->second.get();
    }
    absl::MutexLock lock(&mutex_);
    return Find(type);
  }

 private:
  const References* Find(const Descriptor* type)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    auto& slot = types_[type];
    if (slot != nullptr) return slot.get();
    slot = std::make_unique<References>();
    References* references = slot.get();  // the slot may move
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      std::set<const Descriptor*> seen;
      if (IsReference(field)) {
        references->names.push_back(field);
      } else if (field->message_type() != nullptr &&
                 Holds(field->message_type(), &seen)) {
        references->below.push_back({field, Find(field->message_type())});
      }
    }
    return references;
  }

  static bool Holds(const Descriptor* type, std::set<const Descriptor*>* seen) {
    if (!seen->insert(type).second) return false;
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      if (IsReference(field) || (field->message_type() != nullptr &&
                                 Holds(field->message_type(), seen))) {
        return true;
      }
    }
    return false;
  }

  absl::Mutex mutex_;
  absl::flat_hash_map<const Descriptor*, std::unique_ptr<References>> types_
      ABSL_GUARDED_BY(mutex_);
};

using NameVisitor = absl::FunctionRef<void(const std::string&)>;

void VisitReferences(const Message& message, const References& references,
                     NameVisitor visit) {
  const auto* reflection = message.GetReflection();
  std::string scratch;
  for (const FieldDescriptor* field : references.names) {
    if (!field->is_repeated()) {
      const std::string& name =
          reflection->GetStringReference(message, field, &scratch);
      if (!name.empty()) visit(name);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      visit(
          reflection->GetRepeatedStringReference(message, field, i, &scratch));
    }
  }
  for (const auto& [field, type] : references.below) {
    if (!field->is_repeated()) {
      if (reflection->HasField(message, field)) {
        VisitReferences(reflection->GetMessage(message, field), *type, visit);
      }
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      VisitReferences(reflection->GetRepeatedMessage(message, field, i), *type,
                      visit);
    }
  }
}

// Calls `visit` with every resource name that the message refers to.
void VisitReferences(const Message& message, NameVisitor visit) {
  static auto* const map = new ReferenceMap;
  VisitReferences(message, *map->Of(message.GetDescriptor()), visit);
}

bool Less(const IndexKey& a, const IndexKey& b) {
  return a.group != b.group ? a.group < b.group : a.order < b.order;
}

// Every key under which an item stands in the index.
std::vector<IndexKey> KeysOf(const Item& item) {
  std::vector<IndexKey> keys;
  if (item.clock_pending()) keys.push_back(PendingKey());
  if (item.deleted()) return keys;
  if (item.next_change() != absl::InfiniteFuture()) {
    keys.push_back(DueKey(item.next_change()));
  }
  VisitReferences(item.message(), [&](const std::string& name) {
    keys.push_back(ReferenceKey(name));
  });
  if (item.kind().rules.keys) item.kind().rules.keys(item.message(), &keys);
  // The same name may stand in several fields.
  std::sort(keys.begin(), keys.end(), Less);
  const auto same = [](const IndexKey& x, const IndexKey& y) {
    return x.group == y.group && x.order == y.order;
  };
  keys.erase(std::unique(keys.begin(), keys.end(), same), keys.end());
  return keys;
}

bool Holds(const Item& item, absl::string_view reference) {
  bool found = false;
  VisitReferences(item.message(), [&](const std::string& name) {
    found = found || name == reference;
  });
  return found;
}

template <class Entry, class Less>
void MergeInto(std::vector<Entry>* sorted, std::vector<Entry> more, Less less) {
  const auto middle = static_cast<std::ptrdiff_t>(sorted->size());
  if (middle == 0) {
    *sorted = std::move(more);
    return;
  }
  sorted->insert(sorted->end(), std::make_move_iterator(more.begin()),
                 std::make_move_iterator(more.end()));
  std::inplace_merge(sorted->begin(), sorted->begin() + middle, sorted->end(),
                     less);
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
  Lookup(ReferenceKey(name), kLast,
         [&](const Item& item) { return !Holds(item, name) || visit(item); });
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

ItemPtr SnapshotBuilder::Put(ItemPtr item) {
  const size_t slot = snapshot_.Slot(item->kind());
  auto& items = snapshot_.items_[slot];
  ItemPtr before;
  if (const ItemPtr* found = items.Find(absl::string_view(item->name()))) {
    before = *found;
    Index(before, false);
    if (before->deleted()) --snapshot_.deleted_[slot];
  }
  Index(item, true);
  if (item->deleted()) ++snapshot_.deleted_[slot];
  items.Put(std::move(item), owner_);
  return before;
}

void SnapshotPart::Sort() {
  const auto by_name = [](const ItemPtr& a, const ItemPtr& b) {
    return a->name() < b->name();
  };
  if (!std::is_sorted(items_.begin(), items_.end(), by_name)) {
    std::sort(items_.begin(), items_.end(), by_name);
  }
  // Numbers of items are in the order of names, and quicker to compare.
  std::vector<std::pair<IndexKey, size_t>> places;
  for (size_t i = 0; i < items_.size(); ++i) {
    for (const IndexKey& key : KeysOf(*items_[i])) places.emplace_back(key, i);
  }
  std::sort(places.begin(), places.end(), [](const auto& a, const auto& b) {
    if (Less(a.first, b.first)) return true;
    return !Less(b.first, a.first) && a.second < b.second;
  });
  entries_.reserve(places.size());
  for (const auto& [key, number] : places) {
    entries_.push_back({key, items_[number].get()});
  }
}

void SnapshotBuilder::Fill(std::vector<SnapshotPart> parts) {
  std::vector<ItemPtr> items;
  std::vector<Snapshot::IndexEntry> entries;
  for (SnapshotPart& part : parts) {
    MergeInto(&items, std::move(part.items_), Snapshot::ByName());
    MergeInto(&entries, std::move(part.entries_), Snapshot::ByKey());
  }
  std::vector<std::vector<ItemPtr>> by_kind(snapshot_.items_.size());
  for (ItemPtr& item : items) {
    const size_t slot = snapshot_.Slot(item->kind());
    if (item->deleted()) ++snapshot_.deleted_[slot];
    by_kind[slot].push_back(std::move(item));
  }
  for (size_t slot = 0; slot < by_kind.size(); ++slot) {
    snapshot_.items_[slot].Assign(std::move(by_kind[slot]), owner_);
  }
  snapshot_.index_.Assign(std::move(entries), owner_);
}

void SnapshotBuilder::Remove(absl::string_view name) {
  const ItemPtr item = snapshot_.Share(name);
  if (item == nullptr) return;
  Index(item, false);
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

void SnapshotBuilder::Index(const ItemPtr& item, bool add) {
  for (const IndexKey& key : KeysOf(*item)) {
    const Snapshot::IndexEntry entry{key, item.get()};
    if (add) {
      snapshot_.index_.Put(entry, owner_);
    } else {
      snapshot_.index_.Erase(entry, owner_);
    }
  }
}

}  // namespace transparency::resource
