#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "prometheus/registry.h"

namespace transparency::server {

// A host and port: "127.0.0.1:7191", "[::1]:0", ":7191" for all addresses.
struct Address {
  std::string host;
  int port = 0;
};
absl::StatusOr<Address> ParseAddress(absl::string_view text);

// Plain HTTP for those who operate a process: /metrics (Prometheus text),
// /healthz (200 while the process lives), /readyz (200 while it wants calls,
// else 503 and why not). One thread, 64 connections, of which one address gets
// a quarter, short time-outs. On a loopback address it answers 421 to other
// names than localhost and loopback addresses.
class AdminListener {
 public:
  // `registry` and what `ready` refers to outlive the listener; `ready` is
  // called on its thread, and OK when calls are wanted.
  static absl::StatusOr<std::unique_ptr<AdminListener>> Start(
      absl::string_view listen, const prometheus::Registry* registry,
      std::function<absl::Status()> ready);
  virtual ~AdminListener() = default;

  virtual int port() const = 0;
};

}  // namespace transparency::server
