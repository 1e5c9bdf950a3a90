#include "gateway/http/server.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status/refusals.h"
#include "gateway/http/answer_head.h"
#include "gateway/http/worker.h"

namespace transparency::gateway::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// How long to wait with accepting when the process has no descriptors left.
constexpr auto kAcceptPause = std::chrono::milliseconds(50);

// What a client is told that cannot be served for want of descriptors.
absl::Status NoDescriptors() {
  return status::Overloaded(
      "The gateway can take no further connection now; try again later.",
      absl::Seconds(1));
}

int OpenSpare() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

// In numbers, without port and zone; an IPv4 address that came over IPv6 as
// IPv4. Empty when the client is gone already.
std::string AddressOf(const tcp::socket& socket) {
  boost::system::error_code error;
  asio::ip::address address = socket.remote_endpoint(error).address();
  if (error) return "";
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6())
        .to_string();
  }
  const std::string text = address.to_string();
  return text.substr(0, text.find('%'));
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
       Invoker* invoker, rest::Observer* observer)
      : services_(std::move(services)) {
    shared_.options = std::move(options);
    shared_.invoker = invoker;
    shared_.observer = observer;
    shared_.clients = std::make_unique<Clients>(shared_.options, observer);
  }

  ~Impl() { Stop(); }

  absl::Status Start();
  bool Drain(absl::Time deadline);
  void Stop();
  int port() const { return port_; }

 private:
  asio::awaitable<void> Accept();
  void CloseAcceptor();
  bool AcceptOne();
  Worker& NextWorker();
  void TakeUp(tcp::socket socket, Worker* worker);
  void TurnAway(tcp::socket socket, absl::string_view address,
                const absl::Status& why);
  bool AnswerWithSpare();

  const std::vector<const google::protobuf::ServiceDescriptor*> services_;
  Shared shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  // Lives on the first worker's thread.
  std::unique_ptr<tcp::acceptor> acceptor_;
  std::unique_ptr<asio::steady_timer> pause_;
  // A descriptor for AnswerWithSpare; -1: none.
  int spare_ = -1;
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
  shared_.hosts = std::make_unique<HostRule>(endpoint->address().is_loopback(),
                                             shared_.options.hosts);
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
  if (!error) acceptor_->non_blocking(true, error);
  if (error) {
    return absl::UnavailableError(absl::StrCat(
        "Cannot listen on ", shared_.options.listen, ": ", error.message()));
  }
  port_ = acceptor_->local_endpoint().port();
  spare_ = OpenSpare();
  asio::co_spawn(workers_[0]->context(), Accept(), asio::detached);
  shared_.heavy_work.Start();
  for (auto& worker : workers_) worker->Start();
  return absl::OkStatus();
}

asio::awaitable<void> Server::Impl::Accept() {
  while (acceptor_->is_open()) {
    boost::system::error_code error;
    // Without a descriptor accepting fails also when nobody waits for it; hence
    // somebody is waited for first.
    co_await acceptor_->async_wait(
        tcp::acceptor::wait_read,
        asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted) break;
    bool accepted = false;
    try {
      accepted = AcceptOne();
    } catch (const std::exception&) {
      // No memory. Whatever happens, accepting goes on.
    }
    if (!accepted) {
      // At once it would be the same again.
      pause_->expires_after(kAcceptPause);
      co_await pause_->async_wait(
          asio::redirect_error(asio::use_awaitable, error));
    }
  }
}

// False when it cannot be tried again at once.
bool Server::Impl::AcceptOne() {
  Worker& worker = NextWorker();
  tcp::socket socket(worker.context());
  boost::system::error_code error;
  acceptor_->accept(socket, error);
  if (!error) {
    TakeUp(std::move(socket), &worker);
    return true;
  }
  if (error == asio::error::no_descriptors || error.value() == ENFILE) {
    return AnswerWithSpare();
  }
  // Whoever waited may have gone away meanwhile.
  return error == asio::error::would_block ||
         error == asio::error::connection_aborted;
}

Worker& Server::Impl::NextWorker() {
  return *workers_[next_worker_++ % workers_.size()];
}

void Server::Impl::TakeUp(tcp::socket socket, Worker* worker) {
  std::string address = AddressOf(socket);
  if (address.empty()) return;
  Client* client = nullptr;
  const absl::Status room = shared_.clients->BeginConnection(address, &client);
  for (const auto& each : workers_) each->Relieve();
  if (!room.ok()) {
    TurnAway(std::move(socket), address, room);
    return;
  }
  Place place(shared_.clients.get(), client, &Clients::EndConnection);
  worker->Adopt(std::move(socket), std::move(address), std::move(place));
}

// Without a descriptor nobody can be told anything, and whoever waits to be
// accepted keeps the port busy. So one is kept for that. False when it is gone:
// another thread took it meanwhile.
bool Server::Impl::AnswerWithSpare() {
  if (spare_ >= 0) close(spare_);
  spare_ = -1;
  tcp::socket socket(workers_[0]->context());
  boost::system::error_code error;
  acceptor_->accept(socket, error);
  if (!error) {
    const std::string address = AddressOf(socket);
    TurnAway(std::move(socket), address, NoDescriptors());
  }
  spare_ = OpenSpare();
  return spare_ >= 0 && (!error || error == asio::error::would_block);
}

// One attempt to say why, without waiting.
void Server::Impl::TurnAway(tcp::socket socket, absl::string_view address,
                            const absl::Status& why) {
  shared_.CutOff("too_many", address);
  const rest::Request nobody;
  rest::Response response = shared_.front->Failed(why);
  response.close = true;
  shared_.front->Complete(nobody, RequestIdFor(nobody), nullptr, &response);
  const std::string refusal =
      AnswerHead(response, workers_[0]->date(), false) + response.body;
  boost::system::error_code ignored;
  socket.non_blocking(true, ignored);
  socket.send(asio::buffer(refusal), 0, ignored);
  socket.shutdown(tcp::socket::shutdown_send, ignored);
  // What is not read when it closes would reset the connection.
  std::array<char, 4096> unread;
  socket.receive(asio::buffer(unread), 0, ignored);
}

void Server::Impl::CloseAcceptor() {
  asio::post(workers_[0]->context(), [this] {
    boost::system::error_code error;
    // Who was connected before gets an answer.
    while (!error && !stopping_) {
      Worker& worker = NextWorker();
      tcp::socket socket(worker.context());
      acceptor_->accept(socket, error);
      if (!error) TakeUp(std::move(socket), &worker);
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
  return shared_.clients->AwaitNoneOpen(deadline);
}

void Server::Impl::Stop() {
  if (port_ != 0) {
    port_ = 0;
    stopping_ = true;
    CloseAcceptor();
    for (auto& worker : workers_) worker->Stop();
    // Workers wait for what their connections have queued there.
    for (auto& worker : workers_) worker->Join();
    shared_.heavy_work.Stop();
  }
  acceptor_ = nullptr;
  pause_ = nullptr;
  workers_.clear();
  if (spare_ >= 0) close(spare_);
  spare_ = -1;
}

Server::Server(Options options,
               std::vector<const google::protobuf::ServiceDescriptor*> services,
               Invoker* invoker, rest::Observer* observer)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(services),
                                   invoker, observer)) {}

Server::~Server() = default;

absl::Status Server::Start() { return impl_->Start(); }
int Server::port() const { return impl_->port(); }
bool Server::Drain(absl::Time deadline) { return impl_->Drain(deadline); }
void Server::Stop() { impl_->Stop(); }

}  // namespace transparency::gateway::http
