#pragma once

#include <atomic>
#include <memory>

#include "common/server/frame_guard.h"

namespace transparency::server {

// What became of a guarded socket: the limit that its client broke, or null.
using Verdict = std::atomic<const FrameGuard::Breach*>;

// Has a FrameGuard look at whatever recvmsg reads of `socket`, until the socket
// is closed; once a limit is broken, recvmsg fails with ECONNRESET. False when
// the descriptor is beyond those that can be guarded.
//
// gRPC offers no place between a socket and its parser, so this library defines
// recvmsg and close for the whole process: they are the system's, but for
// descriptors that are guarded. gRPC reads a socket on one thread at a time and
// closes it when nobody reads it any more.
bool GuardSocket(int socket, std::shared_ptr<Verdict> verdict);

}  // namespace transparency::server
