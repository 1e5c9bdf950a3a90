// Headers, trailers, method paths and peers of calls: what the suite keeps or
// sends is what gRPC takes, whose client API aborts the process over anything
// else. Input: a key, a line feed, a value, a line feed, a path or peer.

#include <string>

#include "common/rpc/call.h"
#include "common/rpc/client_address.h"
#include "common/rpc/headers.h"
#include "grpc/grpc.h"
#include "grpc/impl/codegen/grpc_types.h"
#include "grpc/slice.h"
#include "tests/fuzz/fuzz.h"

namespace rpc = transparency::rpc;
using transparency::fuzz::Require;

namespace {

bool GrpcTakes(absl::string_view key, absl::string_view value) {
  const grpc_slice name = grpc_slice_from_copied_buffer(key.data(), key.size());
  const grpc_slice text =
      grpc_slice_from_copied_buffer(value.data(), value.size());
  const bool takes = grpc_header_key_is_legal(name) != 0 &&
                     (grpc_is_binary_header(name) != 0 ||
                      grpc_header_nonbin_value_is_legal(text) != 0);
  grpc_slice_unref(name);
  grpc_slice_unref(text);
  return takes;
}

void CheckFields(const rpc::Metadata& fields) {
  for (const auto& [key, value] : fields) {
    Require(GrpcTakes(key, value), "what an answer bears is taken by gRPC",
            key);
  }
}

void CheckAddress(absl::string_view peer) {
  const std::string host = rpc::HostOfPeer(peer);
  const std::string share = rpc::ShareOfAddress(host);
  Require(rpc::ShareOfAddress(share) == share || rpc::IsIpAddress(host),
          "a share that is no address stays what it is");
  if (rpc::IsIpAddress(host)) {
    Require(rpc::IsHeaderValue(host), "an address may be handed on");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parts =
      transparency::fuzz::Lines(transparency::fuzz::Text(data, size), 2);
  const absl::string_view key = parts[0], value = parts[1], path = parts[2];
  if (rpc::UseOfHeader(key) != rpc::HeaderUse::kNone) {
    Require(rpc::IsHeaderKey(key), "a header that is read has a legal key");
  }
  if (rpc::IsHeaderKey(key) && rpc::IsHeaderValue(value)) {
    Require(GrpcTakes(key, value), "what is handed on is taken by gRPC");
  }
  if (rpc::IsMethodPath(path)) {
    Require(rpc::IsHeaderValue(path) && path.size() <= 256,
            "a path that is called may be sent");
  }
  rpc::Arrival arrival;
  arrival.headers = {{"x-request-id", std::string(value)},
                     {"traceparent", std::string(value)}};
  arrival.address = rpc::HostOfPeer(path);
  rpc::Call call(std::move(arrival));
  call.AddHeader(key, value);
  call.AddTrailer(key, value);
  CheckFields(call.TakeHeaders());
  CheckFields(call.TakeTrailers());
  CheckFields({{"x-request-id", call.request_id()},
               {"traceparent", call.traceparent()}});
  CheckAddress(path);
  return 0;
}
