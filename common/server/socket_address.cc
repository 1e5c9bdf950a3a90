#include "common/server/socket_address.h"

#include <arpa/inet.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/rpc/client_address.h"
#include "common/server/admin_listener.h"

namespace transparency::server {
namespace {

const sockaddr_in& Four(const SocketAddress& address) {
  return reinterpret_cast<const sockaddr_in&>(address.storage);
}
sockaddr_in& Four(SocketAddress& address) {
  return reinterpret_cast<sockaddr_in&>(address.storage);
}
const sockaddr_in6& Six(const SocketAddress& address) {
  return reinterpret_cast<const sockaddr_in6&>(address.storage);
}
sockaddr_in6& Six(SocketAddress& address) {
  return reinterpret_cast<sockaddr_in6&>(address.storage);
}

}  // namespace

absl::StatusOr<SocketAddress> SocketAddress::Parse(absl::string_view text) {
  auto address = ParseAddress(text);
  if (!address.ok()) return address.status();
  SocketAddress parsed;
  const std::string host = address->host.empty() ? "::" : address->host;
  if (inet_pton(AF_INET, host.c_str(), &Four(parsed).sin_addr) == 1) {
    parsed.storage.ss_family = AF_INET;
    parsed.size = sizeof(sockaddr_in);
  } else if (inet_pton(AF_INET6, host.c_str(), &Six(parsed).sin6_addr) == 1) {
    parsed.storage.ss_family = AF_INET6;
    parsed.size = sizeof(sockaddr_in6);
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("not an address to listen on: ", text,
                     "; expected an IP address, a colon and a port, such as "
                     "127.0.0.1:7100"));
  }
  parsed.set_port(address->port);
  return parsed;
}

int SocketAddress::port() const {
  return ntohs(family() == AF_INET6 ? Six(*this).sin6_port
                                    : Four(*this).sin_port);
}

void SocketAddress::set_port(int port) {
  const uint16_t wire = htons(static_cast<uint16_t>(port));
  if (family() == AF_INET6) {
    Six(*this).sin6_port = wire;
  } else {
    Four(*this).sin_port = wire;
  }
}

std::string SocketAddress::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET6) {
    inet_ntop(AF_INET6, &Six(*this).sin6_addr, text, sizeof(text));
    return rpc::HostOfPeer(absl::StrCat("ipv6:[", text, "]:0"));
  }
  inet_ntop(AF_INET, &Four(*this).sin_addr, text, sizeof(text));
  return text;
}

bool SocketAddress::is_loopback() const {
  const std::string text = host();
  return text == "::1" || absl::StartsWith(text, "127.");
}

void SocketAddress::FromAllToLoopback() {
  if (family() == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&Six(*this).sin6_addr)) {
    Six(*this).sin6_addr = in6addr_loopback;
  }
  if (family() == AF_INET && Four(*this).sin_addr.s_addr == INADDR_ANY) {
    Four(*this).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }
}

}  // namespace transparency::server
