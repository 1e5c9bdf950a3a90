#include "gateway/http/connection.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status/status.h"
#include "gateway/http/connection_inbox.h"

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

Connection::Connection(asio::ip::tcp::socket socket, Worker* worker)
    : worker_(*worker),
      shared_(worker->shared()),
      socket_(std::move(socket)),
      wake_(worker->context(), steady_clock::time_point::max()) {}

Connection::~Connection() {
  if (inbox_ != nullptr) inbox_->Detach();
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
  if (arrived_.streaming) Wake();
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
      if (response_.streamed) {
        open = !response_.close;
      } else {
        open = co_await WriteResponse();
      }
    }
    if (response_.close && !aborted_) co_await Linger();
  } catch (const std::exception&) {
    // Out of memory, at worst: this connection ends, the others go on.
  }
  if (inbox_ != nullptr) inbox_->Detach();
  inbox_ = nullptr;
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
    auto call = absl::get<std::unique_ptr<Call>>(std::move(plan));
    route_ = call->route;
    request_id_ = call->request_id;
    traceparent_ = call->traceparent;
    reply_.reset();
    if (call->stream != nullptr) {
      co_await RunStream(std::move(call));
    } else {
      co_await RunCall(std::move(call));
    }
    if (aborted_ || response_.streamed) co_return;
  }
  if (request_id_.empty()) request_id_ = RequestIdFor(request_);
  if (!keep_alive_ || worker_.draining()) response_.close = true;
  shared_.front->Complete(request_, request_id_, &worker_.gzip(), &response_);
  Hold(response_.body.size());
}

Connection::Awaitable<void> Connection::RunCall(std::unique_ptr<Call> call) {
  Enter(Phase::kCall);
  SetCallDeadline(*call);
  deadline_ = call_deadline_;
  read_ahead_ = true;
  StartRead();
  inbox_ = std::make_shared<Inbox>(this);
  inbox_->Hold(shared_.invoker->Unary(
      route_->rpc, std::move(call->headers), call->deadline,
      std::move(call->message), [inbox = inbox_](UnaryReply reply) {
        inbox->Post([reply = std::move(reply)](Connection* connection) mutable {
          connection->OnReply(std::move(reply));
        });
      }));
  while (!reply_ && !end_of_input_ && !aborted_ && !timed_out_) {
    co_await Woken();
  }
  read_ahead_ = false;
  inbox_->Detach();
  inbox_ = nullptr;
  if (reply_) {
    response_ = Encode(*call);
  } else if (end_of_input_) {
    // Written in case it only closed its sending side.
    client_gone_ = true;
    response_ = shared_.front->Failed(ClientWentAway());
    response_.close = true;
  } else if (timed_out_) {
    response_ = shared_.front->Failed(TimeRanOut());
  }
}

// After the invoker's own deadline.
void Connection::SetCallDeadline(const Call& call) {
  const absl::Duration left =
      call.deadline - shared_.options.now() + kInvokerGrace;
  call_deadline_ = left == absl::InfiniteDuration()
                       ? steady_clock::time_point::max()
                       : steady_clock::now() + absl::ToChronoNanoseconds(left);
}

absl::Status Connection::ClientWentAway() {
  return status::Refuse(absl::StatusCode::kCancelled, "CALL_CANCELLED",
                        "The client went away before the call was done.");
}

absl::Status Connection::TimeRanOut() {
  return status::Refuse(absl::StatusCode::kDeadlineExceeded, "DEADLINE_PASSED",
                        "The call's time ran out.");
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
    if (!response_.streamed) {
      absl::StrAppend(&head, "Content-Length: ", response_.body.size(), "\r\n");
    } else if (!is_http_10_) {
      head += "Transfer-Encoding: chunked\r\n";
    }
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
  // Of a request that became no call.
  if (traceparent_.empty()) {
    traceparent_ =
        rpc::ContinueTrace(request_.Header("traceparent").value_or(""));
  }
  finished.traceparent = traceparent_;
  finished.http_status = response_.http_status;
  finished.code = response_.code;
  finished.latency = shared_.options.now() - request_.received;
  finished.streamed = response_.streamed;
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
