#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace transparency::methods {

// Keeps the first few of many in the order of `Less`, as a heap with the last
// of them on top. Not thread-safe.
template <class T, class Less>
class FirstOf {
 public:
  explicit FirstOf(size_t count) : count_(count) {}

  // Whether Add would keep it.
  bool Takes(const T& candidate) const {
    return kept_.size() < count_ || Less()(candidate, kept_.front());
  }

  void Add(T candidate) {
    if (!Takes(candidate)) return;
    if (kept_.size() == count_) {
      std::pop_heap(kept_.begin(), kept_.end(), Less());
      kept_.pop_back();
    }
    kept_.push_back(std::move(candidate));
    std::push_heap(kept_.begin(), kept_.end(), Less());
  }

  // Those kept, in order; leaves nothing behind.
  std::vector<T> Take() {
    std::sort_heap(kept_.begin(), kept_.end(), Less());
    return std::exchange(kept_, {});
  }

 private:
  const size_t count_;
  std::vector<T> kept_;
};

}  // namespace transparency::methods
