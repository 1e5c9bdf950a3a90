#include "common/server/admin_listener.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/rpc/client_address.h"
#include "common/rpc/shared_place.h"
#include "common/server/socket_address.h"
#include "prometheus/text_serializer.h"

namespace transparency::server {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr auto kAcceptPause = std::chrono::milliseconds(50);
constexpr auto kTimeout = std::chrono::seconds(10);
// One address gets a quarter of them.
constexpr int kMaxConnections = 64;
constexpr size_t kMaxHeaderBytes = 8 << 10;
constexpr size_t kMaxBodyBytes = 1 << 10;

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

// Whether a Host header names this machine to itself. A page in a browser can
// bring a name of its own to resolve to a loopback address (DNS rebinding), but
// then asks under that name.
bool IsLoopbackName(absl::string_view host) {
  const bool has_port =
      !host.empty() && host.back() != ']' && absl::StrContains(host, ':');
  auto address = SocketAddress::Parse(has_port ? std::string(host)
                                               : absl::StrCat(host, ":0"));
  return address.ok() && address->is_loopback();
}

class Listener final : public AdminListener {
 public:
  Listener(const prometheus::Registry* registry,
           std::function<absl::Status()> ready)
      : registry_(registry),
        ready_(std::move(ready)),
        acceptor_(context_),
        pause_(context_) {}
  ~Listener() override {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Listen(absl::string_view listen);
  int port() const override { return acceptor_.local_endpoint().port(); }

 private:
  asio::awaitable<void> Accept();
  asio::awaitable<void> Converse(tcp::socket socket);
  Response Answer(const Request& request) const;

  const prometheus::Registry* const registry_;
  const std::function<absl::Status()> ready_;
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  rpc::SharedPlace connections_{kMaxConnections};
  bool only_loopback_ = false;
  std::thread thread_;
};

absl::Status Listener::Listen(absl::string_view listen) {
  auto address = ParseAddress(listen);
  if (!address.ok()) return address.status();
  boost::system::error_code error;
  const auto host = asio::ip::make_address(
      address->host.empty() ? "0.0.0.0" : address->host, error);
  const tcp::endpoint endpoint(host, static_cast<uint16_t>(address->port));
  if (!error) acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(kMaxConnections, error);
  only_loopback_ = !error && acceptor_.local_endpoint().address().is_loopback();
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", listen, ": ", error.message()));
  }
  asio::co_spawn(context_, Accept(), asio::detached);
  thread_ = std::thread([this] { context_.run(); });
  return absl::OkStatus();
}

asio::awaitable<void> Listener::Accept() {
  while (true) {
    boost::system::error_code error;
    tcp::socket socket = co_await acceptor_.async_accept(
        asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      // No descriptors or memory: at once it would be the same again.
      pause_.expires_after(kAcceptPause);
      co_await pause_.async_wait(
          asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    const auto client = socket.remote_endpoint(error);
    if (error) continue;
    const std::string share = rpc::ShareOfAddress(client.address().to_string());
    if (connections_.Take(share) != rpc::SharedPlace::Taken::kYes) continue;
    asio::co_spawn(context_, Converse(std::move(socket)),
                   [this, share](const std::exception_ptr&) {
                     connections_.Return(share);
                   });
  }
}

asio::awaitable<void> Listener::Converse(tcp::socket socket) {
  boost::beast::tcp_stream stream(std::move(socket));
  boost::beast::flat_buffer buffer;
  boost::system::error_code error;
  const auto token = [&error] {
    return asio::redirect_error(asio::use_awaitable, error);
  };
  while (true) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(kMaxHeaderBytes);
    parser.body_limit(kMaxBodyBytes);
    stream.expires_after(kTimeout);
    co_await http::async_read(stream, buffer, parser, token());
    if (error) break;
    Response response = Answer(parser.get());
    const bool keep_alive = response.keep_alive();
    stream.expires_after(kTimeout);
    co_await http::async_write(stream, response, token());
    if (error || !keep_alive) break;
  }
  stream.socket().shutdown(tcp::socket::shutdown_both, error);
}

Response Listener::Answer(const Request& request) const {
  const auto target = request.target();
  const bool is_read = request.method() == http::verb::get ||
                       request.method() == http::verb::head;
  Response response(http::status::ok, request.version());
  response.keep_alive(request.keep_alive());
  response.set(http::field::content_type, "text/plain; charset=utf-8");
  const auto host = request[http::field::host];
  if (only_loopback_ && !host.empty() &&
      !IsLoopbackName(absl::string_view(host.data(), host.size()))) {
    response.result(http::status::misdirected_request);
    response.body() = "expected localhost or a loopback address as Host\n";
  } else if (!is_read) {
    response.result(http::status::method_not_allowed);
    response.set(http::field::allow, "GET, HEAD");
    response.body() = "GET only\n";
  } else if (target == "/metrics") {
    response.set(http::field::content_type,
                 "text/plain; version=0.0.4; charset=utf-8");
    response.body() =
        prometheus::TextSerializer().Serialize(registry_->Collect());
  } else if (target == "/healthz") {
    response.body() = "alive\n";
  } else if (target == "/readyz") {
    const absl::Status ready = ready_();
    if (!ready.ok()) response.result(http::status::service_unavailable);
    response.body() = ready.ok()
                          ? "ready\n"
                          : absl::StrCat("not ready: ", ready.message(), "\n");
  } else {
    response.result(http::status::not_found);
    response.body() = "there are /metrics, /healthz and /readyz\n";
  }
  const size_t length = response.body().size();
  if (request.method() == http::verb::head) response.body().clear();
  response.content_length(length);
  return response;
}

}  // namespace

absl::StatusOr<Address> ParseAddress(absl::string_view text) {
  const size_t colon = text.rfind(':');
  Address address;
  if (colon == absl::string_view::npos ||
      !absl::SimpleAtoi(text.substr(colon + 1), &address.port) ||
      address.port < 0 || address.port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("not an address host:port: ", text));
  }
  absl::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  if (host == "localhost") host = "127.0.0.1";
  address.host = std::string(host);
  return address;
}

absl::StatusOr<std::unique_ptr<AdminListener>> AdminListener::Start(
    absl::string_view listen, const prometheus::Registry* registry,
    std::function<absl::Status()> ready) {
  auto listener = std::make_unique<Listener>(registry, std::move(ready));
  if (absl::Status status = listener->Listen(listen); !status.ok()) {
    return status;
  }
  return listener;
}

}  // namespace transparency::server
