#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace transparency::server {

// Asks a gRPC server of this machine over a new connection, as a client would,
// whether it is healthy (grpc.health.v1, the whole server). `host` is what it
// listens on, as it stands before the port in an address ("127.0.0.1", "[::1]",
// "" for all). `from_port` is told the connection's own
// port before it is made. OK when an answer came within `patience`, whatever it
// said.
absl::Status ProbeGrpc(absl::string_view host, int port,
                       absl::Duration patience,
                       const std::function<void(int port)>& from_port);

// The same for an HTTP/1.1 server, asked for /healthz.
absl::Status ProbeHttp(absl::string_view host, int port,
                       absl::Duration patience);

// Remembers what a probe said for a second, so that whoever asks often costs no
// more. Thread-safe.
class RememberedProbe {
 public:
  explicit RememberedProbe(std::function<absl::Status()> probe)
      : probe_(std::move(probe)) {}

  absl::Status Ask();

 private:
  const std::function<absl::Status()> probe_;
  absl::Mutex mutex_;
  absl::Time until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Status last_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace transparency::server
