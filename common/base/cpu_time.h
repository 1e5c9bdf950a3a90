#pragma once

#include <ctime>

#include "absl/time/time.h"

namespace transparency {

// The CPU time that the calling thread has used. It costs a system call where
// the kernel does not let user space read that clock.
inline absl::Duration ThreadCpuTime() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return absl::DurationFromTimespec(used);
}

}  // namespace transparency
