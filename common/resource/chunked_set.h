#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace transparency::resource {

// Tells the chunks that one builder made, which it may change in place, from
// those that a published snapshot shares.
inline uint64_t NextOwner() {
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

// A sorted set in chunks that copies share until they change: a copy costs one
// pointer per chunk, a change copies one chunk at most. `Less` orders entries
// and looks them up by anything it compares an entry with, both ways round.
//
// Why not a library: Debian's immer has no ordered container. Thread-safe as a
// value: any number of readers, or one writer of a copy of its own.
template <class Entry, class Less>
class ChunkedSet {
 public:
  // Entries of a full chunk; it is then split in two.
  static constexpr size_t kChunkEntries = 512;

  size_t size() const { return size_; }

  // Calls `visit(entry)` for each entry not less than `from`, in order, until
  // it returns false.
  template <class Key, class Visit>
  void ScanFrom(const Key& from, Visit&& visit) const {
    auto chunk = ChunkOf(from);
    if (chunk == chunks_.end()) return;
    auto entry = LowerBound(**chunk, from);
    while (true) {
      for (; entry != (*chunk)->entries.end(); ++entry) {
        if (!visit(*entry)) return;
      }
      if (++chunk == chunks_.end()) return;
      entry = (*chunk)->entries.begin();
    }
  }

  // The entry equal to `key`, or null. It lives as long as this value or a
  // copy.
  template <class Key>
  const Entry* Find(const Key& key) const {
    auto chunk = ChunkOf(key);
    if (chunk == chunks_.end()) return nullptr;
    auto entry = LowerBound(**chunk, key);
    if (entry == (*chunk)->entries.end() || Less()(key, *entry)) return nullptr;
    return &*entry;
  }

  // Puts `entry` in the place of the equal one, if there is one.
  void Put(Entry entry, uint64_t owner) {
    if (chunks_.empty()) {
      chunks_.push_back(std::make_shared<Chunk>(owner));
      chunks_.front()->entries.push_back(std::move(entry));
      ++size_;
      return;
    }
    size_t at = static_cast<size_t>(ChunkOf(entry) - chunks_.begin());
    if (at == chunks_.size()) --at;
    Chunk& chunk = Own(at, owner);
    auto place = std::lower_bound(chunk.entries.begin(), chunk.entries.end(),
                                  entry, Less());
    if (place != chunk.entries.end() && !Less()(entry, *place)) {
      *place = std::move(entry);
      return;
    }
    const bool at_end = place == chunk.entries.end();
    chunk.entries.insert(place, std::move(entry));
    ++size_;
    if (chunk.entries.size() > kChunkEntries) Split(at, owner, at_end);
  }

  void Clear() {
    chunks_.clear();
    size_ = 0;
  }

  // Puts an entry that is greater than all others in.
  void Append(Entry entry, uint64_t owner) {
    if (chunks_.empty() || chunks_.back()->owner != owner ||
        chunks_.back()->entries.size() == kChunkEntries) {
      chunks_.push_back(std::make_shared<Chunk>(owner));
    }
    chunks_.back()->entries.push_back(std::move(entry));
    ++size_;
  }

  // Takes the entry equal to `key` out; false when there is none.
  template <class Key>
  bool Erase(const Key& key, uint64_t owner) {
    auto found = ChunkOf(key);
    if (found == chunks_.end()) return false;
    const auto at = static_cast<size_t>(found - chunks_.begin());
    auto shared = LowerBound(**found, key);
    if (shared == (*found)->entries.end() || Less()(key, *shared)) return false;
    const auto offset = shared - (*found)->entries.begin();
    Chunk& chunk = Own(at, owner);
    chunk.entries.erase(chunk.entries.begin() + offset);
    --size_;
    if (chunk.entries.empty()) {
      chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(at));
    }
    return true;
  }

 private:
  struct Chunk {
    explicit Chunk(uint64_t owner_id) : owner(owner_id) {
      entries.reserve(kChunkEntries + 1);
    }
    uint64_t owner;
    std::vector<Entry> entries;
  };
  using Chunks = std::vector<std::shared_ptr<Chunk>>;

  // The first chunk whose last entry is not less than `key`.
  template <class Key>
  typename Chunks::const_iterator ChunkOf(const Key& key) const {
    return std::partition_point(
        chunks_.begin(), chunks_.end(),
        [&](const auto& chunk) { return Less()(chunk->entries.back(), key); });
  }

  template <class Key>
  static typename std::vector<Entry>::const_iterator LowerBound(
      const Chunk& chunk, const Key& key) {
    return std::partition_point(
        chunk.entries.begin(), chunk.entries.end(),
        [&](const Entry& entry) { return Less()(entry, key); });
  }

  Chunk& Own(size_t at, uint64_t owner) {
    if (chunks_[at]->owner != owner) {
      auto copy = std::make_shared<Chunk>(owner);
      copy->entries.insert(copy->entries.end(), chunks_[at]->entries.begin(),
                           chunks_[at]->entries.end());
      chunks_[at] = std::move(copy);
    }
    return *chunks_[at];
  }

  // Loads come in order: a chunk that overflows at its end stays nearly full.
  void Split(size_t at, uint64_t owner, bool at_end) {
    Chunk& left = *chunks_[at];
    auto right = std::make_shared<Chunk>(owner);
    const auto middle =
        left.entries.begin() +
        static_cast<std::ptrdiff_t>(at_end ? left.entries.size() - 1
                                           : left.entries.size() / 2);
    std::move(middle, left.entries.end(), std::back_inserter(right->entries));
    left.entries.erase(middle, left.entries.end());
    chunks_.insert(chunks_.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                   std::move(right));
  }

  Chunks chunks_;
  size_t size_ = 0;
};

}  // namespace transparency::resource
