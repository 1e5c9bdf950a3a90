#include "common/server/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace transparency::server {
namespace {

constexpr int kReserve = 512;
constexpr int kLeast = 16;

}  // namespace

int RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kReserve;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int>(
      std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<int>::max()));
}

int MostConnections(int descriptor_limit) {
  return std::max(kLeast, (descriptor_limit - kReserve) / 4);
}

}  // namespace transparency::server
