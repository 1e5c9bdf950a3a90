#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace transparency::rpc {

// A queue in which callers take turns: the next one is the first of the caller
// who has waited longest for his turn. Not thread-safe.
template <class T>
class Turns {
 public:
  void Push(const std::string& caller, T item) {
    std::deque<T>& own = by_caller_[caller];
    if (own.empty()) order_.push_back(caller);
    own.push_back(std::move(item));
    ++size_;
  }

  // Not when empty.
  T Pop() {
    const std::string caller = std::move(order_.front());
    order_.pop_front();
    const auto found = by_caller_.find(caller);
    T item = std::move(found->second.front());
    found->second.pop_front();
    --size_;
    if (found->second.empty()) {
      by_caller_.erase(found);
    } else {
      order_.push_back(caller);
    }
    return item;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // How many of them are this caller's.
  size_t Of(const std::string& caller) const {
    const auto found = by_caller_.find(caller);
    return found == by_caller_.end() ? 0 : found->second.size();
  }

 private:
  // Each caller with something in the queue once.
  std::deque<std::string> order_;
  absl::flat_hash_map<std::string, std::deque<T>> by_caller_;
  size_t size_ = 0;
};

}  // namespace transparency::rpc
