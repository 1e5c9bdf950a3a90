#include "common/server/port_probe.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/server/socket_address.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel_posix.h"

namespace transparency::server {
namespace {

constexpr absl::Duration kRemembered = absl::Seconds(1);

absl::Status Failed(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

// Waits until the socket is ready for `events`.
bool Ready(int socket, short events, absl::Time deadline) {
  pollfd look{socket, events, 0};
  const auto left = absl::ToInt64Milliseconds(deadline - absl::Now());
  return poll(&look, 1, static_cast<int>(std::max<int64_t>(left, 0))) == 1;
}

// A connection to a port of this machine, from one that `from_port` is told.
absl::StatusOr<int> Connect(absl::string_view host, int port,
                            absl::Time deadline,
                            const std::function<void(int)>& from_port) {
  auto target = SocketAddress::Parse(absl::StrCat(host, ":", port));
  if (!target.ok()) return target.status();
  target->FromAllToLoopback();
  SocketAddress own = *target;
  own.set_port(0);
  const int socket =
      ::socket(target->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return Failed("no socket");
  absl::Cleanup close_socket = [socket] { close(socket); };
  if (bind(socket, own.get(), own.size) != 0 ||
      getsockname(socket, own.get(), &own.size) != 0) {
    return Failed("no port to ask from");
  }
  if (from_port) from_port(own.port());
  if (connect(socket, target->get(), target->size) != 0 &&
      errno != EINPROGRESS) {
    return Failed("no connection");
  }
  int error = 0;
  socklen_t size = sizeof(error);
  if (!Ready(socket, POLLOUT, deadline)) {
    return absl::DeadlineExceededError("no connection in time");
  }
  getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    errno = error;
    return Failed("no connection");
  }
  std::move(close_socket).Cancel();
  return socket;
}

}  // namespace

absl::Status ProbeGrpc(absl::string_view host, int port,
                       absl::Duration patience,
                       const std::function<void(int)>& from_port) {
  const absl::Time deadline = absl::Now() + patience;
  auto socket = Connect(host, port, deadline, from_port);
  if (!socket.ok()) return socket.status();
  // The channel closes the socket.
  auto channel = grpc::CreateInsecureChannelFromFd("probe", *socket);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(deadline));
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status = grpc::health::v1::Health::NewStub(channel)->Check(
      &context, {}, &response);
  if (status.ok()) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("no answer: ", status.error_message()));
}

absl::Status ProbeHttp(absl::string_view host, int port,
                       absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  auto connected = Connect(host, port, deadline, nullptr);
  if (!connected.ok()) return connected.status();
  const int socket = *connected;
  absl::Cleanup close_socket = [socket] { close(socket); };
  constexpr absl::string_view kRequest =
      "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  if (send(socket, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) < 0) {
    return Failed("no request");
  }
  char answer[16];
  if (!Ready(socket, POLLIN, deadline)) {
    return absl::DeadlineExceededError("no answer in time");
  }
  const ssize_t size = recv(socket, answer, sizeof(answer), 0);
  const bool is_http =
      size > 0 &&
      absl::StartsWith(absl::string_view(answer, static_cast<size_t>(size)),
                       "HTTP/1.1 ");
  return is_http ? absl::OkStatus()
                 : absl::UnavailableError("the answer is not HTTP");
}

absl::Status RememberedProbe::Ask() {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = absl::Now();
  if (now >= until_) {
    last_ = probe_();
    until_ = absl::Now() + kRemembered;
  }
  return last_;
}

}  // namespace transparency::server
