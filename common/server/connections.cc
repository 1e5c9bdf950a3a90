#include "common/server/connections.h"

#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"

namespace transparency::server {
namespace {

constexpr absl::Duration kPause = absl::Milliseconds(2);

std::vector<int> OpenDescriptors() {
  std::vector<int> descriptors;
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return descriptors;
  while (const dirent* entry = readdir(folder)) {
    int descriptor = -1;
    if (absl::SimpleAtoi(entry->d_name, &descriptor)) {
      descriptors.push_back(descriptor);
    }
  }
  closedir(folder);
  return descriptors;
}

int LocalPort(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return -1;
  }
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
  }
  return -1;
}

bool IsListening(int socket) {
  int listening = 0;
  socklen_t size = sizeof(listening);
  return getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) ==
             0 &&
         listening != 0;
}

// Returns how many there are.
int EndOurSide(int port) {
  int count = 0;
  for (const int descriptor : OpenDescriptors()) {
    // A number may come to mean another file at any time; a duplicate does not.
    const int socket = dup(descriptor);
    if (socket < 0) continue;
    if (LocalPort(socket) == port && !IsListening(socket)) {
      ++count;
      shutdown(socket, SHUT_WR);
    }
    close(socket);
  }
  return count;
}

}  // namespace

void EndConnections(int port, absl::Time deadline) {
  // Some may come meanwhile.
  while (EndOurSide(port) > 0 && absl::Now() < deadline) {
    absl::SleepFor(kPause);
  }
}

}  // namespace transparency::server
