#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace transparency::server {

// An IP address and port as the system's calls take them.
struct SocketAddress {
  // "127.0.0.1:7100", "[::1]:0", ":7100" for all addresses. INVALID_ARGUMENT
  // for what is none; names other than "localhost" are none.
  static absl::StatusOr<SocketAddress> Parse(absl::string_view text);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  sa_family_t family() const { return storage.ss_family; }
  int port() const;
  void set_port(int port);
  // In numbers, as rpc::HostOfPeer tells it.
  std::string host() const;
  bool is_loopback() const;
  // Makes "all addresses" the loopback of its kind, which is one of them.
  void FromAllToLoopback();

  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
};

}  // namespace transparency::server
