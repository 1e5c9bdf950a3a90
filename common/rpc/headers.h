#pragma once

#include "absl/strings/string_view.h"

// The headers of a call that the suite reads. All others end where the call
// arrives: they are neither kept nor handed on, so that no byte of theirs can
// do harm behind the door.
namespace transparency::rpc {

enum class HeaderUse {
  kNone,     // the header is dropped
  kClient,   // any client may send it
  kGateway,  // it is believed from the gateway alone, else dropped
};

// The address that the gateway saw its client at: an IP address without port.
inline constexpr char kClientAddressHeader[] = "x-client-address";
// The gateway's own bearer token, beside that of its client. Whoever shows a
// token with the role kGatewayRole is believed what it says of its clients.
inline constexpr char kGatewayTokenHeader[] = "x-gateway-token";
inline constexpr char kSeenRevisionHeader[] = "x-seen-revision";

// `key` in lower case, as HTTP/2 has it.
HeaderUse UseOfHeader(absl::string_view key);

// Whether values of this key may be any bytes: it has "-bin" at its end, and
// something before that.
bool IsBinaryHeader(absl::string_view key);

// Whether a key, or a value of a key that is not binary, may stand in a gRPC
// call. gRPC's client API aborts the process over one that may not, while
// its server hands it to the handler.
bool IsHeaderKey(absl::string_view key);
bool IsHeaderValue(absl::string_view value);

// Whether `path` has the form "/package.Service/Method" of protobuf names, at
// most 256 characters.
bool IsMethodPath(absl::string_view path);

}  // namespace transparency::rpc
