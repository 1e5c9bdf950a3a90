#pragma once

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace transparency::log {

// Lets so many lines of one kind a second into a log, so that whoever causes
// them cannot fill the disk, and counts the others. Thread-safe.
class LogSampler {
 public:
  // `per_second` of at least 1; as many at once.
  explicit LogSampler(double per_second) : per_second_(per_second) {}

  // True: write the line; `left_out` says how many were left out since the last
  // one that was written.
  bool Allow(absl::Time now, int64_t* left_out);

 private:
  const double per_second_;
  absl::Mutex mutex_;
  double room_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time filled_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  int64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace transparency::log
