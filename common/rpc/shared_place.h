#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace transparency::rpc {

// Something bounded that all callers share: calls under way, streams, waits,
// bytes. One caller gets a quarter of it at most, so that nobody takes it all.
// Thread-safe.
class SharedPlace {
 public:
  // `seats` of at least 1.
  explicit SharedPlace(size_t seats)
      : seats_(seats), per_caller_(seats < 4 ? 1 : seats / 4) {}

  enum class Taken {
    kYes,
    kFull,       // all seats are taken
    kOverShare,  // the caller has what one caller may have
  };

  // Takes `count` seats for the caller, or none. Those taken are given back
  // with Return, in any portions.
  Taken Take(absl::string_view caller, size_t count = 1);
  void Return(absl::string_view caller, size_t count = 1);

  size_t seats() const { return seats_; }
  size_t per_caller() const { return per_caller_; }

 private:
  const size_t seats_;
  const size_t per_caller_;
  absl::Mutex mutex_;
  size_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::string, size_t> by_caller_ ABSL_GUARDED_BY(mutex_);
};

// Seats that are returned when this goes out of scope. Movable.
class Seats {
 public:
  Seats() = default;
  // Holds what Take has granted; `place` outlives it.
  Seats(SharedPlace* place, absl::string_view caller, size_t count)
      : place_(place), caller_(caller), count_(count) {}
  Seats(Seats&& other) noexcept { *this = std::move(other); }
  Seats& operator=(Seats&& other) noexcept {
    Release();
    place_ = std::exchange(other.place_, nullptr);
    caller_ = std::move(other.caller_);
    count_ = other.count_;
    return *this;
  }
  ~Seats() { Release(); }

  void Release() {
    if (place_ != nullptr)
      std::exchange(place_, nullptr)->Return(caller_, count_);
  }

 private:
  SharedPlace* place_ = nullptr;
  std::string caller_;
  size_t count_ = 0;
};

}  // namespace transparency::rpc
