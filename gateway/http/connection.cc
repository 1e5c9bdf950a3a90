#include "gateway/http/connection.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status/refusals.h"
#include "gateway/http/answer_head.h"
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
// How much it may send then: more would cost the thread's time.
constexpr size_t kMostDropped = 8 * 1024 * 1024;

// Larger requests and answers than this are read and written elsewhere: here
// they would cost other connections half a millisecond.
constexpr size_t kMostInline = 32 * 1024;

// Buffers larger than this are given back after the request.
constexpr size_t kMostKept = 64 * 1024;

absl::Status Defect() {
  return status::Defect("The gateway failed; this is a defect of it.");
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, std::string address,
                       Place place, Worker* worker)
    : worker_(*worker),
      shared_(worker->shared()),
      socket_(std::move(socket)),
      address_(std::move(address)),
      place_(std::move(place)),
      wake_(worker->context(), steady_clock::time_point::max()) {}

Connection::~Connection() {
  if (inbox_ != nullptr) inbox_->Detach();
  Hold(0);
}

void Connection::Hold(size_t bytes) {
  shared_.clients->Hold(place_.client(), held_, bytes);
  held_ = bytes;
}

void Connection::Start() {
  boost::system::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  asio::co_spawn(
      worker_.context(), [self = shared_from_this()] { return self->Run(); },
      asio::detached);
}

absl::Duration Connection::TimeoutOf(Phase phase) const {
  const Options& options = shared_.options;
  switch (phase) {
    case Phase::kIdle:
      return worker_.draining()
                 ? std::min(options.idle_timeout, options.drain_idle_timeout)
                 : options.idle_timeout;
    case Phase::kHead:
      return options.head_timeout;
    case Phase::kBody:
      return options.body_timeout;
    case Phase::kCall:  // RunCall sets its own
    case Phase::kWrite:
      return options.write_timeout;
    case Phase::kLinger:
      return kLingerTimeout;
  }
  return options.write_timeout;
}

void Connection::Enter(Phase phase) {
  phase_ = phase;
  timed_out_ = false;
  phase_began_ = steady_clock::now();
  deadline_ = phase_began_ + absl::ToChronoNanoseconds(TimeoutOf(phase));
}

bool Connection::KeepsWaiting(steady_clock::time_point now) const {
  if (timed_out_ || phase_ == Phase::kCall || phase_ == Phase::kLinger) {
    return false;
  }
  const absl::Duration allowed = phase_ == Phase::kIdle
                                     ? shared_.options.crowded_idle_timeout
                                     : TimeoutOf(phase_) / 10;
  return now - phase_began_ >= absl::ToChronoNanoseconds(allowed);
}

void Connection::GiveWay(steady_clock::time_point now) {
  shared_.CutOff("crowded", address_);
  gave_way_ = true;
  deadline_ = now;
  Tick(now);
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
    shared_.CutOff("slow_reader", address_);
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

rest::Plan Connection::Begin() {
  try {
    return shared_.front->Begin(request_);
  } catch (const std::exception&) {
    return shared_.front->Failed(Defect());
  }
}

rest::Response Connection::Encode(const rest::Call& call) {
  try {
    return call.codec->Encode(request_, call, *std::move(reply_));
  } catch (const std::exception&) {
    return shared_.front->Failed(Defect());
  }
}

Connection::Awaitable<void> Connection::Serve() {
  rest::Plan plan;
  co_await Do(request_.body.size() > kMostInline,
              [this, &plan](Gzip*) { plan = Begin(); });
  reply_.reset();
  std::unique_ptr<rest::Call> call;
  if (auto* answer = absl::get_if<rest::Response>(&plan)) {
    response_ = std::move(*answer);
  } else if (absl::Status room = shared_.clients->MayHoldMore(client());
             !room.ok()) {
    response_ = shared_.front->Failed(room);
  } else {
    call = absl::get<std::unique_ptr<rest::Call>>(std::move(plan));
    route_ = call->route;
    request_id_ = call->request_id;
    traceparent_ = call->traceparent;
    if (call->stream != nullptr) {
      co_await RunStream(call.get());
    } else {
      co_await RunCall(call.get());
    }
  }
  if (!aborted_ && !response_.streamed) co_await FinishResponse(call.get());
}

// Of all but a stream that has begun.
Connection::Awaitable<void> Connection::FinishResponse(const rest::Call* call) {
  if (request_id_.empty()) request_id_ = RequestIdFor(request_);
  const bool heavy = reply_ && reply_->message.size() > kMostInline;
  if (heavy) {
    // Nothing was changed by reading, so that it may still be refused, if what
    // is held beside it is enough.
    const bool is_read = request_.method == "GET" || request_.method == "HEAD";
    Hold(0);
    const absl::Status room = shared_.clients->MayHoldMore(client());
    Hold(reply_->message.size());
    if (is_read && !room.ok()) {
      reply_.reset();
      response_ = shared_.front->Failed(room);
    }
  }
  co_await Do(heavy, [this, call](Gzip* gzip) {
    if (reply_) response_ = Encode(*call);
    shared_.front->Complete(request_, request_id_, gzip, &response_);
  });
  reply_.reset();
  if (!keep_alive_ || client_gone_ || worker_.draining()) {
    response_.close = true;
  }
  Hold(response_.body.size());
}

Connection::Awaitable<void> Connection::Do(bool heavy, HeavyWork::Job job) {
  if (!heavy) {
    job(&worker_.gzip());
    co_return;
  }
  Enter(Phase::kCall);
  deadline_ = steady_clock::time_point::max();
  bool done = false;
  bool failed = false;
  shared_.heavy_work.Run(place_.client(), [self = shared_from_this(), &job,
                                           &done, &failed](Gzip* gzip) {
    try {
      job(gzip);
    } catch (const std::exception&) {
      failed = true;
    }
    asio::post(self->worker_.context(), [self, &done] {
      done = true;
      self->Wake();
    });
  });
  // Also when the connection is aborted: the job works on it.
  while (!done) co_await Woken();
  if (failed) throw std::runtime_error("out of memory");
}

Connection::Awaitable<void> Connection::RunCall(rest::Call* call) {
  absl::Status room = shared_.clients->BeginCall(place_.client());
  if (!room.ok()) {
    response_ = shared_.front->Failed(room);
    co_return;
  }
  const Place place(shared_.clients.get(), place_.client(), &Clients::EndCall);
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
  if (reply_) co_return;
  if (end_of_input_) {
    // Written in case it only closed its sending side.
    client_gone_ = true;
    response_ = shared_.front->Failed(ClientWentAway());
  } else if (timed_out_) {
    response_ = shared_.front->Failed(TimeRanOut());
  }
}

// After the invoker's own deadline.
void Connection::SetCallDeadline(const rest::Call& call) {
  const absl::Duration left =
      call.deadline - shared_.options.now() + kInvokerGrace;
  call_deadline_ = left == absl::InfiniteDuration()
                       ? steady_clock::time_point::max()
                       : steady_clock::now() + absl::ToChronoNanoseconds(left);
}

absl::Status Connection::ClientWentAway() {
  return status::CallCancelled(
      "The client went away before the call was done.");
}

absl::Status Connection::TimeRanOut() {
  return status::DeadlinePassed("The call's time ran out.");
}

void Connection::OnReply(UnaryReply reply) {
  Hold(reply.message.size());
  reply_ = std::move(reply);
  Wake();
}

std::string Connection::Head() const {
  return AnswerHead(response_, worker_.date(), is_http_10_);
}

Connection::Awaitable<bool> Connection::WriteResponse() {
  const std::string head = Head();
  const bool with_body = response_.has_body && request_.method != "HEAD";
  const std::array<asio::const_buffer, 2> buffers = {
      asio::buffer(head),
      with_body ? asio::buffer(response_.content()) : asio::const_buffer()};
  Enter(Phase::kWrite);
  boost::system::error_code error;
  bytes_out_ = co_await asio::async_write(
      socket_, buffers, asio::redirect_error(asio::use_awaitable, error));
  Report(client_gone_ || error);
  response_.body = std::string();
  response_.page.reset();
  request_.body = std::string();
  Hold(0);
  if (in_.capacity() > kMostKept && in_.size() < kMostKept) in_.shrink_to_fit();
  co_return !error && !response_.close;
}

void Connection::Report(bool client_gone) {
  if (shared_.observer == nullptr) return;
  rest::Finished finished;
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
  finished.client_address = address_;
  finished.anonymous = !request_.Header("authorization").has_value();
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
  size_t dropped = 0;
  while (!end_of_input_ && !aborted_ && !timed_out_ && dropped < kMostDropped) {
    dropped += in_.size();
    in_.clear();
    StartRead();
    co_await Woken();
  }
}

}  // namespace transparency::gateway::http
