#include "common/rpc/shared_place.h"

namespace transparency::rpc {

SharedPlace::Taken SharedPlace::Take(absl::string_view caller, size_t count) {
  absl::MutexLock lock(&mutex_);
  if (count > seats_ - taken_) return Taken::kFull;
  const auto found = by_caller_.find(caller);
  const size_t held = found == by_caller_.end() ? 0 : found->second;
  if (count > per_caller_ - held) return Taken::kOverShare;
  if (found == by_caller_.end()) {
    by_caller_.emplace(caller, count);
  } else {
    found->second += count;
  }
  taken_ += count;
  return Taken::kYes;
}

void SharedPlace::Return(absl::string_view caller, size_t count) {
  absl::MutexLock lock(&mutex_);
  taken_ -= count;
  const auto found = by_caller_.find(caller);
  found->second -= count;
  if (found->second == 0) by_caller_.erase(found);
}

}  // namespace transparency::rpc
