#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"

namespace transparency::rpc {

// How often a stream gives a sign of life: what the request's field
// `heartbeat_interval` says, 15 seconds when that is null. INVALID_ARGUMENT
// unless it is 1 to 60 seconds.
absl::StatusOr<absl::Duration> HeartbeatInterval(
    const google::protobuf::Duration* given);

}  // namespace transparency::rpc
