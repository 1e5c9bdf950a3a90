#pragma once

#include "common/rpc/stream.h"
#include "gateway/invoker/owners.h"

namespace transparency::gateway {

// Serves every method that the gateway does not own by its owner, whatever its
// kind: messages, deadline, cancellation, headers, trailers and status details
// go through unchanged, and neither side is read faster than the other takes
// it. A method of no configured owner is UNIMPLEMENTED. `owners` outlives the
// server.
rpc::StreamFactory PassThrough(const Owners* owners);

}  // namespace transparency::gateway
