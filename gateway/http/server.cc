#include "gateway/http/server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/http/worker.h"

namespace transparency::gateway::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// How long to wait with accepting when the process has no descriptors left.
constexpr auto kAcceptPause = std::chrono::milliseconds(50);

std::string TooMany() {
  static constexpr char kBody[] =
      "{\"error\":{\"code\":503,\"message\":\"Too many connections; try again "
      "later.\",\"status\":\"UNAVAILABLE\",\"details\":[{\"@type\":"
      "\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"OVERLOADED\","
      "\"domain\":\"gateway.transparency\"}]}}";
  return absl::StrCat(
      "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
      "Content-Length: ",
      sizeof(kBody) - 1, "\r\nRetry-After: 1\r\nConnection: close\r\n\r\n",
      kBody);
}

absl::StatusOr<tcp::endpoint> ParseEndpoint(absl::string_view listen) {
  const size_t colon = listen.rfind(':');
  std::string host(listen.substr(0, colon));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  int port = -1;
  boost::system::error_code error;
  auto address = asio::ip::make_address(host, error);
  if (error && host == "localhost") {
    error.clear();
    address = asio::ip::address_v4::loopback();
  }
  if (colon == absl::string_view::npos || error ||
      !absl::SimpleAtoi(listen.substr(colon + 1), &port) || port < 0 ||
      port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", listen,
                     "\" is no address to listen on; expected an IP address, "
                     "a colon and a port, such as 127.0.0.1:7180."));
  }
  return tcp::endpoint(address, static_cast<unsigned short>(port));
}

}  // namespace

class Server::Impl {
 public:
  Impl(Options options,
       std::vector<const google::protobuf::ServiceDescriptor*> services,
       Invoker* invoker, Observer* observer)
      : services_(std::move(services)) {
    shared_.options = std::move(options);
    shared_.invoker = invoker;
    shared_.observer = observer;
  }

  ~Impl() { Stop(); }

  absl::Status Start();
  bool Drain(absl::Time deadline);
  void Stop();
  int port() const { return port_; }

 private:
  asio::awaitable<void> Accept();
  void CloseAcceptor();
  void TurnAway(tcp::socket socket);

  const std::vector<const google::protobuf::ServiceDescriptor*> services_;
  Shared shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  // Lives on the first worker's thread.
  std::unique_ptr<tcp::acceptor> acceptor_;
  std::unique_ptr<asio::steady_timer> pause_;
  size_t next_worker_ = 0;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
};

absl::Status Server::Impl::Start() {
  absl::StatusOr<std::unique_ptr<Front>> front =
      Front::Make(shared_.options, services_);
  if (!front.ok()) return front.status();
  shared_.front = *std::move(front);
  absl::StatusOr<tcp::endpoint> endpoint =
      ParseEndpoint(shared_.options.listen);
  if (!endpoint.ok()) return endpoint.status();
  const int threads = std::max(shared_.options.threads, 1);
  for (int i = 0; i < threads; ++i) {
    workers_.push_back(std::make_unique<Worker>(&shared_));
  }
  acceptor_ = std::make_unique<tcp::acceptor>(workers_[0]->context());
  pause_ = std::make_unique<asio::steady_timer>(workers_[0]->context());
  boost::system::error_code error;
  acceptor_->open(endpoint->protocol(), error);
  if (!error) {
    // Only lets a restart have the address of closed connections; a second
    // process is refused.
    acceptor_->set_option(tcp::acceptor::reuse_address(true), error);
  }
  if (!error) acceptor_->bind(*endpoint, error);
  if (!error)
    acceptor_->listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return absl::UnavailableError(absl::StrCat(
        "Cannot listen on ", shared_.options.listen, ": ", error.message()));
  }
  port_ = acceptor_->local_endpoint().port();
  asio::co_spawn(workers_[0]->context(), Accept(), asio::detached);
  for (auto& worker : workers_) worker->Start();
  return absl::OkStatus();
}

asio::awaitable<void> Server::Impl::Accept() {
  while (acceptor_->is_open()) {
    Worker& worker = *workers_[next_worker_++ % workers_.size()];
    tcp::socket socket(worker.context());
    boost::system::error_code error;
    co_await acceptor_->async_accept(
        socket, asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted) break;
    if (error) {
      // No descriptors or memory: at once it would be the same again.
      pause_->expires_after(kAcceptPause);
      co_await pause_->async_wait(
          asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    if (!shared_.TryOpen()) {
      TurnAway(std::move(socket));
      continue;
    }
    worker.Adopt(std::move(socket));
  }
}

// One attempt to say why, without waiting.
void Server::Impl::TurnAway(tcp::socket socket) {
  shared_.CutOff("too_many");
  boost::system::error_code ignored;
  socket.non_blocking(true, ignored);
  const std::string refusal = TooMany();
  socket.send(asio::buffer(refusal), 0, ignored);
  socket.shutdown(tcp::socket::shutdown_send, ignored);
}

void Server::Impl::CloseAcceptor() {
  asio::post(workers_[0]->context(), [this] {
    boost::system::error_code error;
    // Who was connected before gets an answer.
    acceptor_->non_blocking(true, error);
    while (!error && !stopping_) {
      Worker& worker = *workers_[next_worker_++ % workers_.size()];
      tcp::socket socket(worker.context());
      acceptor_->accept(socket, error);
      if (!error && shared_.TryOpen()) worker.Adopt(std::move(socket));
    }
    acceptor_->close(error);
    pause_->cancel();
  });
}

bool Server::Impl::Drain(absl::Time deadline) {
  if (port_ == 0) return true;
  shared_.front->BeginDrain();
  CloseAcceptor();
  for (auto& worker : workers_) worker->Drain();
  absl::MutexLock lock(&shared_.mutex);
  const auto none_open = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(shared_.mutex) {
    return shared_.open == 0;
  };
  return shared_.mutex.AwaitWithDeadline(absl::Condition(&none_open), deadline);
}

void Server::Impl::Stop() {
  if (port_ != 0) {
    port_ = 0;
    stopping_ = true;
    CloseAcceptor();
    for (auto& worker : workers_) worker->Stop();
    for (auto& worker : workers_) worker->Join();
  }
  acceptor_ = nullptr;
  pause_ = nullptr;
  workers_.clear();
}

Server::Server(Options options,
               std::vector<const google::protobuf::ServiceDescriptor*> services,
               Invoker* invoker, Observer* observer)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(services),
                                   invoker, observer)) {}

Server::~Server() = default;

absl::Status Server::Start() { return impl_->Start(); }
int Server::port() const { return impl_->port(); }
bool Server::Drain(absl::Time deadline) { return impl_->Drain(deadline); }
void Server::Stop() { impl_->Stop(); }

}  // namespace transparency::gateway::http
