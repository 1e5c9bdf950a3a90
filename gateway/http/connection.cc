#include "gateway/http/connection.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status/status.h"

namespace transparency::gateway::http {
namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

// The invoker ends a call at its deadline; this much later the connection no
// longer waits for it.
constexpr absl::Duration kInvokerGrace = absl::Seconds(1);

// How long a refused client may go on sending, so that it reads the refusal:
// closing at once would reset the connection and lose it.
constexpr absl::Duration kLingerTimeout = absl::Seconds(2);

// Buffers larger than this are given back after the request.
constexpr size_t kMostKept = 64 * 1024;

const char* ReasonPhrase(int http_status) {
  switch (http_status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

// Never lets a value break out of its line, wherever it came from.
void AppendHeader(absl::string_view name, absl::string_view value,
                  std::string* head) {
  absl::StrAppend(head, name, ": ");
  for (char c : value) {
    head->push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' '
                                                                      : c);
  }
  head->append("\r\n");
}

absl::Status Defect() {
  return status::Refuse(absl::StatusCode::kInternal, "DEFECT",
                        "The gateway failed; this is a defect of it.");
}

}  // namespace

// Shared with the invoker's callback, which may come on any thread and after
// the connection is gone.
class Connection::Pending : public std::enable_shared_from_this<Pending> {
 public:
  explicit Pending(Connection* connection) : connection_(connection) {}

  // On any thread.
  void Done(UnaryReply reply) {
    absl::MutexLock lock(&mutex_);
    if (connection_ == nullptr) return;
    // The lock keeps the connection, and with it the worker, from going away
    // until the handler is posted.
    asio::post(connection_->worker_.context(),
               [self = shared_from_this(), reply = std::move(reply)]() mutable {
                 self->Deliver(std::move(reply));
               });
  }

  // The connection waits no longer. Cancels the call if it still runs.
  void Detach() {
    std::unique_ptr<Cancel> handle;
    {
      absl::MutexLock lock(&mutex_);
      connection_ = nullptr;
      handle = std::move(handle_);
    }
  }

  void Hold(std::unique_ptr<Cancel> handle) {
    absl::MutexLock lock(&mutex_);
    handle_ = std::move(handle);
  }

 private:
  // On the worker's thread, like Detach.
  void Deliver(UnaryReply reply) {
    Connection* connection;
    {
      absl::MutexLock lock(&mutex_);
      connection = connection_;
    }
    if (connection != nullptr) connection->OnReply(std::move(reply));
  }

  absl::Mutex mutex_;
  Connection* connection_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Cancel> handle_ ABSL_GUARDED_BY(mutex_);
};

Connection::Connection(asio::ip::tcp::socket socket, Worker* worker)
    : worker_(*worker),
      shared_(worker->shared()),
      socket_(std::move(socket)),
      wake_(worker->context(), steady_clock::time_point::max()) {}

Connection::~Connection() {
  if (pending_ != nullptr) pending_->Detach();
  Hold(0);
  shared_.Closed();
}

void Connection::Hold(size_t bytes) {
  // Unsigned arithmetic wraps to the right sum.
  shared_.held += bytes - held_;
  held_ = bytes;
}

void Connection::Start() {
  boost::system::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  asio::co_spawn(
      worker_.context(), [self = shared_from_this()] { return self->Run(); },
      asio::detached);
}

void Connection::Enter(Phase phase) {
  const Options& options = shared_.options;
  absl::Duration timeout;
  switch (phase) {
    case Phase::kIdle:
      timeout = worker_.draining()
                    ? std::min(options.idle_timeout, options.drain_idle_timeout)
                    : options.idle_timeout;
      break;
    case Phase::kHead:
      timeout = options.head_timeout;
      break;
    case Phase::kBody:
      timeout = options.body_timeout;
      break;
    case Phase::kCall:  // RunCall sets its own
    case Phase::kWrite:
      timeout = options.write_timeout;
      break;
    case Phase::kLinger:
      timeout = kLingerTimeout;
      break;
  }
  phase_ = phase;
  timed_out_ = false;
  deadline_ = steady_clock::now() + absl::ToChronoNanoseconds(timeout);
}

void Connection::Tick(steady_clock::time_point now) {
  if (now < deadline_) return;
  boost::system::error_code ignored;
  if (timed_out_) {
    // It still waits for the client: to take an interim answer, say.
    if (now > deadline_ + absl::ToChronoNanoseconds(kLingerTimeout)) {
      socket_.close(ignored);
    }
    return;
  }
  timed_out_ = true;
  if (phase_ == Phase::kWrite) {
    shared_.CutOff("slow_reader");
    socket_.close(ignored);
  }
  Wake();
}

void Connection::BeginDrain() {
  if (phase_ == Phase::kIdle) Enter(Phase::kIdle);
}

void Connection::Abort() {
  aborted_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
  Wake();
}

Connection::Awaitable<void> Connection::Woken() {
  boost::system::error_code ignored;
  co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

Connection::Awaitable<void> Connection::Run() {
  auto self = shared_from_this();
  try {
    bool open = true;
    while (open) {
      const ReadResult result = co_await ReadRequest();
      if (result == ReadResult::kClosed) break;
      if (result == ReadResult::kRequest) co_await Serve();
      if (aborted_) break;
      open = co_await WriteResponse();
    }
    if (response_.close && !aborted_) co_await Linger();
  } catch (const std::exception&) {
    // Out of memory, at worst: this connection ends, the others go on.
  }
  if (pending_ != nullptr) pending_->Detach();
  pending_ = nullptr;
  boost::system::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
  worker_.Remove(self);
}

Plan Connection::Begin() {
  try {
    return shared_.front->Begin(request_);
  } catch (const std::exception&) {
    return shared_.front->Failed(Defect());
  }
}

Response Connection::Encode(const Call& call) {
  try {
    return call.codec->Encode(request_, call, *std::move(reply_));
  } catch (const std::exception&) {
    return shared_.front->Failed(Defect());
  }
}

Connection::Awaitable<void> Connection::Serve() {
  Plan plan = Begin();
  if (auto* answer = absl::get_if<Response>(&plan)) {
    response_ = std::move(*answer);
  } else if (shared_.Full()) {
    response_ = shared_.front->Overloaded();
  } else {
    co_await RunCall(absl::get<std::unique_ptr<Call>>(std::move(plan)));
    if (aborted_) co_return;
  }
  if (request_id_.empty()) request_id_ = RequestIdFor(request_);
  if (!keep_alive_ || worker_.draining()) response_.close = true;
  shared_.front->Complete(request_, request_id_, &worker_.gzip(), &response_);
  Hold(response_.body.size());
}

Connection::Awaitable<void> Connection::RunCall(std::unique_ptr<Call> call) {
  route_ = call->route;
  request_id_ = call->request_id;
  reply_.reset();
  Enter(Phase::kCall);
  deadline_ = steady_clock::now() +
              absl::ToChronoNanoseconds(call->deadline - shared_.options.now() +
                                        kInvokerGrace);
  read_ahead_ = true;
  StartRead();
  pending_ = std::make_shared<Pending>(this);
  pending_->Hold(shared_.invoker->Unary(
      route_->rpc, std::move(call->headers), call->deadline,
      std::move(call->message), [pending = pending_](UnaryReply reply) {
        pending->Done(std::move(reply));
      }));
  while (!reply_ && !end_of_input_ && !aborted_ && !timed_out_) {
    co_await Woken();
  }
  read_ahead_ = false;
  pending_->Detach();
  pending_ = nullptr;
  if (reply_) {
    response_ = Encode(*call);
  } else if (end_of_input_) {
    // Written in case it only closed its sending side.
    client_gone_ = true;
    response_ = shared_.front->Failed(
        status::Refuse(absl::StatusCode::kCancelled, "CALL_CANCELLED",
                       "The client went away before the call was done."));
    response_.close = true;
  } else if (timed_out_) {
    response_ = shared_.front->Failed(
        status::Refuse(absl::StatusCode::kDeadlineExceeded, "DEADLINE_PASSED",
                       "The call's time ran out."));
  }
}

void Connection::OnReply(UnaryReply reply) {
  reply_ = std::move(reply);
  Wake();
}

std::string Connection::Head() const {
  std::string head;
  head.reserve(768);
  absl::StrAppend(&head, "HTTP/1.1 ", response_.http_status, " ",
                  ReasonPhrase(response_.http_status), "\r\n");
  AppendHeader("Date", worker_.date(), &head);
  if (response_.has_body) {
    AppendHeader("Content-Type", response_.content_type, &head);
    absl::StrAppend(&head, "Content-Length: ", response_.body.size(), "\r\n");
  }
  for (const auto& [name, value] : response_.headers) {
    AppendHeader(name, value, &head);
  }
  if (response_.close) {
    head += "Connection: close\r\n";
  } else if (is_http_10_) {
    head += "Connection: keep-alive\r\n";
  }
  head += "\r\n";
  return head;
}

Connection::Awaitable<bool> Connection::WriteResponse() {
  const std::string head = Head();
  const bool with_body = response_.has_body && request_.method != "HEAD";
  const std::array<asio::const_buffer, 2> buffers = {
      asio::buffer(head),
      with_body ? asio::buffer(response_.body) : asio::const_buffer()};
  Enter(Phase::kWrite);
  boost::system::error_code error;
  bytes_out_ = co_await asio::async_write(
      socket_, buffers, asio::redirect_error(asio::use_awaitable, error));
  Report(client_gone_ || error);
  response_.body = std::string();
  request_.body = std::string();
  Hold(0);
  if (in_.capacity() > kMostKept && in_.size() < kMostKept) in_.shrink_to_fit();
  co_return !error && !response_.close;
}

void Connection::Report(bool client_gone) {
  if (shared_.observer == nullptr) return;
  Finished finished;
  finished.http_method = request_.method;
  if (route_ != nullptr) {
    finished.route = route_->pattern;
    finished.rpc = route_->rpc;
  }
  finished.request_id = request_id_;
  finished.traceparent = request_.Header("traceparent").value_or("");
  finished.http_status = response_.http_status;
  finished.code = response_.code;
  finished.latency = shared_.options.now() - request_.received;
  finished.bytes_in = bytes_in_;
  finished.bytes_out = bytes_out_;
  finished.client_gone = client_gone;
  shared_.observer->OnFinished(finished);
}

Connection::Awaitable<void> Connection::Linger() {
  boost::system::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  Enter(Phase::kLinger);
  while (!end_of_input_ && !aborted_ && !timed_out_) {
    in_.clear();
    StartRead();
    co_await Woken();
  }
}

}  // namespace transparency::gateway::http
