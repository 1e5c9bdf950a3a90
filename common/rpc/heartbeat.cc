#include "common/rpc/heartbeat.h"

#include "common/base/times.h"
#include "common/status/status.h"

namespace transparency::rpc {
namespace {

constexpr absl::Duration kDefault = absl::Seconds(15);
constexpr absl::Duration kShortest = absl::Seconds(1);
constexpr absl::Duration kLongest = absl::Seconds(60);

}  // namespace

absl::StatusOr<absl::Duration> HeartbeatInterval(
    const google::protobuf::Duration* given) {
  if (given == nullptr) return kDefault;
  const absl::Duration interval = times::ToDuration(*given);
  if (interval < kShortest || interval > kLongest) {
    return status::InvalidField("heartbeat_interval",
                                "expected 1 to 60 seconds");
  }
  return interval;
}

}  // namespace transparency::rpc
