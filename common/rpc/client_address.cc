#include "common/rpc/client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace transparency::rpc {
namespace {

// inet_pton, which takes a text to end at its first NUL.
bool Read(int family, absl::string_view text, void* address) {
  return text.find('\0') == absl::string_view::npos &&
         inet_pton(family, std::string(text).c_str(), address) == 1;
}

bool ReadIpv6(absl::string_view text, in6_addr* address) {
  return Read(AF_INET6, text, address);
}

std::string WriteIpv6(const in6_addr& address) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(AF_INET6, &address, text, sizeof(text));
  return text;
}

// An address as it is told: IPv6 in its shortest form, without a zone, and as
// IPv4 where it only carries that.
std::string Plain(absl::string_view host) {
  host = host.substr(0, host.find('%'));
  in6_addr address{};
  if (!ReadIpv6(host, &address)) return std::string(host);
  std::string text = WriteIpv6(address);
  if (IN6_IS_ADDR_V4MAPPED(&address)) return text.substr(text.rfind(':') + 1);
  return text;
}

}  // namespace

std::string HostOfPeer(absl::string_view peer) {
  const size_t colon = peer.find(':');
  const absl::string_view transport = peer.substr(0, colon);
  if (colon == absl::string_view::npos ||
      (transport != "ipv4" && transport != "ipv6")) {
    return std::string(transport);
  }
  peer.remove_prefix(transport.size() + 1);
  peer = peer.substr(0, peer.rfind(':'));
  // gRPC percent-encodes the brackets, and the sign before a zone.
  if (!absl::ConsumePrefix(&peer, "%5B")) absl::ConsumePrefix(&peer, "[");
  if (!absl::ConsumeSuffix(&peer, "%5D")) absl::ConsumeSuffix(&peer, "]");
  return Plain(peer);
}

bool IsIpAddress(absl::string_view text) {
  in_addr four{};
  in6_addr six{};
  return Read(AF_INET, text, &four) || ReadIpv6(text, &six);
}

std::string ShareOfAddress(absl::string_view address) {
  in6_addr six{};
  if (!ReadIpv6(address, &six)) return std::string(address);
  std::fill(std::begin(six.s6_addr) + 8, std::end(six.s6_addr), uint8_t{0});
  return absl::StrCat(WriteIpv6(six), "/64");
}

}  // namespace transparency::rpc
