#include "common/server/guarded_sockets.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

namespace transparency::server {
namespace {

struct Guarded {
  FrameGuard guard;
  std::shared_ptr<Verdict> verdict;
};

constexpr size_t kDescriptors = size_t{1} << 16;

// By descriptor. Constant-initialised, for other libraries close descriptors
// before main.
std::array<std::atomic<Guarded*>, kDescriptors> guarded_sockets;

std::atomic<Guarded*>* SlotOf(int descriptor) {
  const auto index = static_cast<size_t>(descriptor);
  return descriptor >= 0 && index < kDescriptors ? &guarded_sockets[index]
                                                 : nullptr;
}

// False when what has been read breaks a limit.
bool Take(Guarded* socket, const msghdr& message, size_t size) {
  const absl::Time now = absl::Now();
  bool fine = true;
  for (size_t i = 0; i < message.msg_iovlen && size > 0 && fine; ++i) {
    const iovec& part = message.msg_iov[i];
    const size_t length = std::min(part.iov_len, size);
    fine = socket->guard.Take(
        absl::string_view(static_cast<const char*>(part.iov_base), length),
        now);
    size -= length;
  }
  if (!fine) socket->verdict->store(socket->guard.broken());
  return fine;
}

}  // namespace

bool GuardSocket(int socket, std::shared_ptr<Verdict> verdict) {
  std::atomic<Guarded*>* slot = SlotOf(socket);
  if (slot == nullptr) return false;
  auto guarded = std::make_unique<Guarded>();
  guarded->verdict = std::move(verdict);
  delete slot->exchange(guarded.release());
  return true;
}

}  // namespace transparency::server

extern "C" ssize_t recvmsg(int descriptor, msghdr* message, int flags) {
  using transparency::server::SlotOf;
  const ssize_t size = syscall(SYS_recvmsg, descriptor, message, flags);
  if (size <= 0) return size;
  const auto* slot = SlotOf(descriptor);
  auto* socket = slot == nullptr ? nullptr : slot->load();
  if (socket == nullptr ||
      transparency::server::Take(socket, *message, static_cast<size_t>(size))) {
    return size;
  }
  errno = ECONNRESET;
  return -1;
}

extern "C" int close(int descriptor) {
  auto* slot = transparency::server::SlotOf(descriptor);
  // Nearly always null: others close much oftener than gRPC.
  if (slot != nullptr && slot->load(std::memory_order_relaxed) != nullptr) {
    delete slot->exchange(nullptr);
  }
  return static_cast<int>(syscall(SYS_close, descriptor));
}
