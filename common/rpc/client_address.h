#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace transparency::rpc {

// The IP address of a gRPC peer such as "ipv4:192.0.2.7:50051" or
// "ipv6:%5B2001:db8::7%5D:50051": "192.0.2.7", "2001:db8::7". An IPv4 address
// that came over IPv6 is told as IPv4. Other transports: the text before the
// first colon, such as "unix".
std::string HostOfPeer(absl::string_view peer);

// Whether `text` is an IP address in numbers, without port or brackets.
bool IsIpAddress(absl::string_view text);

// What the shares of a caller without a name are counted under: its address; of
// IPv6 its first 64 bits, since a host has all addresses below them.
std::string ShareOfAddress(absl::string_view address);

}  // namespace transparency::rpc
