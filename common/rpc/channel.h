#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"

namespace transparency::rpc {

struct ChannelOptions {
  absl::Duration keepalive = absl::Seconds(20);
  absl::Duration keepalive_timeout = absl::Seconds(5);
  // Between attempts to connect, so that a restarted server is found at once.
  absl::Duration backoff_initial = absl::Milliseconds(100);
  absl::Duration backoff_max = absl::Seconds(1);
  int max_message_bytes = 8 << 20;
  // gRPC service config, JSON; checked. Empty: none.
  std::string service_config;
};

// A channel without encryption to `target` ("127.0.0.1:7101", "unix:/run/x").
// Connects when first used. INVALID_ARGUMENT for a target or service config
// that gRPC would not accept.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(
    const std::string& target, const ChannelOptions& options = {});

}  // namespace transparency::rpc
