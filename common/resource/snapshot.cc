#include "common/resource/snapshot.h"

#include <limits>
#include <utility>

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

// Calls `visit` with every resource name that the message refers to.
void VisitReferences(const Message& message,
                     absl::FunctionRef<void(const std::string&)> visit) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  std::string scratch;
  for (const FieldDescriptor* field : fields) {
    const int count =
        field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    if (IsReference(field)) {
      for (int i = 0; i < count; ++i) {
        visit(field->is_repeated()
                  ? reflection->GetRepeatedStringReference(message, field, i,
                                                           &scratch)
                  : reflection->GetStringReference(message, field, &scratch));
      }
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      for (int i = 0; i < count; ++i) {
        VisitReferences(field->is_repeated()
                            ? reflection->GetRepeatedMessage(message, field, i)
                            : reflection->GetMessage(message, field),
                        visit);
      }
    }
  }
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
  return keys;
}

bool Less(const IndexKey& a, const IndexKey& b) {
  return a.group != b.group ? a.group < b.group : a.order < b.order;
}

bool Holds(const Item& item, absl::string_view reference) {
  bool found = false;
  VisitReferences(item.message(), [&](const std::string& name) {
    found = found || name == reference;
  });
  return found;
}

}  // namespace

bool Snapshot::ByKey::operator()(const IndexEntry& a,
                                 const IndexEntry& b) const {
  if (Less(a.key, b.key)) return true;
  if (Less(b.key, a.key)) return false;
  return *a.name < *b.name;
}

bool Snapshot::ByKey::operator()(const IndexEntry& a, const IndexKey& b) const {
  return Less(a.key, b);
}

bool Snapshot::ByKey::operator()(const IndexKey& a, const IndexEntry& b) const {
  return Less(a, b.key);
}

Snapshot::Snapshot(const Catalogue* catalogue)
    : catalogue_(catalogue), items_(catalogue->kinds().size()) {}

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

void Snapshot::Lookup(IndexKey from, int64_t until,
                      absl::FunctionRef<bool(const Item&)> visit) const {
  index_.ScanFrom(from, [&](const IndexEntry& entry) {
    if (entry.key.group != from.group || entry.key.order > until) return false;
    const ItemPtr* item =
        items_[Slot(*entry.kind)].Find(absl::string_view(*entry.name));
    return (*item)->deleted() || visit(**item);
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
    pending.push_back(
        items_[Slot(*entry.kind)].Find(absl::string_view(*entry.name))->get());
    return true;
  });
  return pending;
}

ItemPtr SnapshotBuilder::Put(ItemPtr item) {
  auto& items = snapshot_.items_[snapshot_.Slot(item->kind())];
  ItemPtr before;
  if (const ItemPtr* found = items.Find(absl::string_view(item->name()))) {
    before = *found;
    Index(before, false);
  }
  Index(item, true);
  items.Put(std::move(item), owner_);
  return before;
}

void SnapshotBuilder::Remove(absl::string_view name) {
  const ItemPtr item = snapshot_.Share(name);
  if (item == nullptr) return;
  Index(item, false);
  snapshot_.items_[snapshot_.Slot(item->kind())].Erase(
      absl::string_view(item->name()), owner_);
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
    Snapshot::IndexEntry entry{key, item->shared_name(), &item->kind()};
    if (add) {
      snapshot_.index_.Put(std::move(entry), owner_);
    } else {
      snapshot_.index_.Erase(entry, owner_);
    }
  }
}

}  // namespace transparency::resource
