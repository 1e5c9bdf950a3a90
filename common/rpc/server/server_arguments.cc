#include "common/rpc/server/server_arguments.h"

#include "grpc/compression.h"
#include "grpc/impl/codegen/grpc_types.h"

namespace transparency::rpc {
namespace {

// Clients may ping every 10 s, also between calls; OpenChannel does every 20 s,
// and only while calls run.
constexpr int kKeepaliveMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kLeastPingIntervalMs = 10'000;
// Several times what a call's headers may have: beyond this gRPC refuses a call
// in its own words, below it ServiceOptions::max_header_bytes does in ours.
constexpr int kMaxMetadataBytes = 64 << 10;
// From a connection to the end of its handshake, the client's settings.
constexpr int kHandshakeTimeoutMs = 10'000;
// Of one connection. As many as a process serves calls and streams, since a
// gateway has one connection for all its clients; what one caller gets of them
// is counted elsewhere.
constexpr int kMaxConcurrentStreams = 16'384;

}  // namespace

void SetServerArguments(int max_message_bytes, grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(max_message_bytes);
  builder->SetMaxSendMessageSize(max_message_bytes);
  for (const grpc_compression_algorithm algorithm :
       {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder->SetCompressionAlgorithmSupportStatus(algorithm, false);
  }
  const struct {
    const char* name;
    int value;
  } kArguments[] = {
      // Two processes on one port would share its calls unseen.
      {GRPC_ARG_ALLOW_REUSEPORT, 0},
      {GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0},
      {GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs},
      {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
       kLeastPingIntervalMs},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
      {GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes},
      {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs},
      {GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxConcurrentStreams},
  };
  for (const auto& argument : kArguments) {
    builder->AddChannelArgument(argument.name, argument.value);
  }
}

}  // namespace transparency::rpc
