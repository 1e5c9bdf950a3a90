#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/resource/chunked_set.h"
#include "common/resource/item.h"
#include "common/resource/kind.h"

namespace transparency::resource {

// All resources of a service at one revision and instant. A value: copies are
// cheap and share what has not changed. Const methods are thread-safe. Domain
// rules read this and nothing else.
class Snapshot {
 public:
  explicit Snapshot(const Catalogue* catalogue);

  const Catalogue& catalogue() const { return *catalogue_; }
  // Of the last journal entry applied; -1 before the first.
  int64_t revision() const { return revision_; }
  // Chain digest at that revision, 32 bytes; empty before the first.
  const std::string& digest() const { return digest_; }
  // The instant at which the resources are in effect.
  absl::Time instant() const { return instant_; }
  // The first instant at which the clock changes one of them.
  absl::Time next_change() const;

  // The item of this name, deleted ones too; null when there is none. Lives as
  // long as this snapshot.
  const Item* Find(absl::string_view name) const;
  // Find, but a deleted one does not exist.
  const Item* FindLive(absl::string_view name) const;
  // The shared pointer behind Find, to keep an item longer than the snapshot.
  ItemPtr Share(absl::string_view name) const;
  // The live resource of this name and type, or null.
  template <class T>
  const T* Get(absl::string_view name) const {
    const Item* item = FindLive(name);
    return item != nullptr && item->kind().descriptor == T::descriptor()
               ? &item->as<T>()
               : nullptr;
  }

  // Items of a kind in name order, from the first not less than `from`, deleted
  // ones too, until `visit` returns false.
  void Scan(const Kind& kind, absl::string_view from,
            absl::FunctionRef<bool(const Item&)> visit) const;
  // All items of a kind in name order, deleted ones too, to be kept.
  void ShareAll(const Kind& kind,
                absl::FunctionRef<void(const ItemPtr&)> take) const;
  // Live resources of a type whose names begin with `prefix` (a parent's name
  // and "/", or empty), in name order, until `visit` returns false.
  template <class T>
  void ForEach(absl::string_view prefix,
               absl::FunctionRef<bool(const T&)> visit) const {
    const Kind* kind = catalogue_->ByDescriptor(T::descriptor());
    Scan(*kind, prefix, [&](const Item& item) {
      if (!absl::StartsWith(item.name(), prefix)) return false;
      return item.deleted() || visit(item.as<T>());
    });
  }
  // How many items of a kind there are, deleted ones too.
  size_t Count(const Kind& kind) const;
  // How many of them are deleted.
  size_t CountDeleted(const Kind& kind) const;

  // Live items under `from.group` with from.order <= order <= until, in order.
  void Lookup(IndexKey from, int64_t until,
              absl::FunctionRef<bool(const Item&)> visit) const;
  // Live resources of type T under exactly this key.
  template <class T>
  void Lookup(IndexKey key, absl::FunctionRef<bool(const T&)> visit) const {
    Lookup(key, key.order, [&](const Item& item) {
      return item.kind().descriptor != T::descriptor() || visit(item.as<T>());
    });
  }
  // Live items one of whose `resource_reference` fields holds `name`.
  void Referrers(absl::string_view name,
                 absl::FunctionRef<bool(const Item&)> visit) const;
  // Items that the clock has changed since their last journal entry, at most
  // `limit`.
  std::vector<const Item*> ClockPending(size_t limit) const;

 private:
  friend class SnapshotBuilder;
  friend class SnapshotPart;

  struct ByName {
    bool operator()(const ItemPtr& a, const ItemPtr& b) const {
      return a->name() < b->name();
    }
    bool operator()(const ItemPtr& a, absl::string_view b) const {
      return a->name() < b;
    }
    bool operator()(absl::string_view a, const ItemPtr& b) const {
      return a < b->name();
    }
  };
  // Trivial to copy, since a change copies a chunk of them for each of its
  // keys.
  struct IndexEntry {
    IndexKey key;
    const Item* item;  // one of items_
  };
  struct ByKey {
    bool operator()(const IndexEntry& a, const IndexEntry& b) const;
    bool operator()(const IndexEntry& a, const IndexKey& b) const;
    bool operator()(const IndexKey& a, const IndexEntry& b) const;
  };

  const ItemPtr* FindPtr(absl::string_view name) const;
  size_t Slot(const Kind& kind) const;

  const Catalogue* catalogue_;
  int64_t revision_ = -1;
  std::string digest_;
  absl::Time instant_ = absl::InfinitePast();
  std::vector<ChunkedSet<ItemPtr, ByName>> items_;  // one per kind
  std::vector<size_t> deleted_;                     // how many, per kind
  ChunkedSet<IndexEntry, ByKey> index_;
};

// Some of the items that fill an empty snapshot: a load makes one on each of
// several threads. Not thread-safe.
class SnapshotPart {
 public:
  // `message`: the item's; its etag is not looked at.
  void Add(ItemPtr item, const google::protobuf::Message& message);
  // Once all have been added.
  void Sort();

 private:
  friend class SnapshotBuilder;

  // Under which key an item stands, by its number: in the order of names once
  // sorted, and quicker to compare than those.
  struct Place {
    IndexKey key;
    size_t number;
  };

  // Gives the items other numbers.
  void Renumber(const std::vector<size_t>& numbers);

  std::vector<ItemPtr> items_;  // of all kinds, by name
  std::vector<Place> places_;   // of them all, by key and number
  std::vector<IndexKey> keys_;  // of the item being added
};

// Makes the next snapshot out of one. Not thread-safe.
class SnapshotBuilder {
 public:
  explicit SnapshotBuilder(const Snapshot& base)
      : snapshot_(base), owner_(NextOwner()) {}

  // What has been built so far; changes as building goes on.
  const Snapshot& view() const { return snapshot_; }

  // Puts an item in the place of the one of its name; returns that one, or
  // null. `message`: the item's where it is at hand.
  ItemPtr Put(ItemPtr item, const google::protobuf::Message* message = nullptr);
  // Puts what sorted parts hold, no two of one name, into a snapshot that is
  // empty. A load of very many: faster than one by one.
  void Fill(std::vector<SnapshotPart> parts);
  // Takes an item out (undoing a create, or a record that is purged).
  void Remove(absl::string_view name);
  // Brings every resource into effect at `now`; never back in time.
  void Advance(absl::Time now);
  void SetHead(int64_t revision, std::string digest);

  // The snapshot; the builder must not be used after.
  Snapshot Build() && { return std::move(snapshot_); }

 private:
  void Index(const Item& item, const google::protobuf::Message* message,
             bool add);

  Snapshot snapshot_;
  std::unique_ptr<google::protobuf::Message> scratch_;
  uint64_t owner_;
};

}  // namespace transparency::resource
