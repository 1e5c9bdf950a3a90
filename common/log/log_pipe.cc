#include "common/log/log_pipe.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace transparency::log {
namespace {

// A pipe that has any room has it for as many bytes (pipe(7)).
constexpr size_t kAtOnce = PIPE_BUF;

bool HasRoom(int descriptor) {
  pollfd wanted{descriptor, POLLOUT, 0};
  int ready = 0;
  do {
    ready = poll(&wanted, 1, 0);
  } while (ready < 0 && errno == EINTR);
  return ready == 1 && (wanted.revents & POLLOUT) != 0;
}

}  // namespace

bool LogPipe::Write(absl::string_view line) {
  if (!WriteRest() || !HasRoom(descriptor_)) return false;
  rest_ = std::string(line);
  WriteRest();
  return true;
}

bool LogPipe::WriteRest() {
  size_t written = 0;
  while (written < rest_.size() && HasRoom(descriptor_)) {
    const ssize_t size = write(descriptor_, rest_.data() + written,
                               std::min(rest_.size() - written, kAtOnce));
    if (size < 0 && errno == EINTR) continue;
    // Nobody will ever take it.
    if (size < 0 && errno != EAGAIN) written = rest_.size();
    if (size < 0) break;
    written += static_cast<size_t>(size);
  }
  rest_.erase(0, written);
  return rest_.empty();
}

}  // namespace transparency::log
