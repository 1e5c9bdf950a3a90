#include "common/log/log_sampler.h"

#include <algorithm>
#include <utility>

namespace transparency::log {

bool LogSampler::Allow(absl::Time now, int64_t* left_out) {
  absl::MutexLock lock(&mutex_);
  if (now > filled_) {
    const double gained = absl::ToDoubleSeconds(now - filled_) * per_second_;
    room_ = std::min(per_second_, room_ + gained);
    filled_ = now;
  }
  if (room_ < 1) {
    ++left_out_;
    return false;
  }
  room_ -= 1;
  *left_out = std::exchange(left_out_, 0);
  return true;
}

}  // namespace transparency::log
