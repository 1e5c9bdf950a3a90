// The half of Connection that answers with a stream.

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/refusals.h"
#include "gateway/http/connection_inbox.h"

namespace transparency::gateway::http {
namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

absl::Status Draining() {
  return status::Draining("The gateway is being stopped; resume at another.");
}

}  // namespace

// Brings the owner's answers to the worker's thread.
class Connection::Incoming : public AnswerReader {
 public:
  explicit Incoming(std::shared_ptr<Inbox> inbox) : inbox_(std::move(inbox)) {}

  void OnHeaders(rpc::Metadata headers) override {
    inbox_->Post(
        [headers = std::move(headers)](Connection* connection) mutable {
          connection->arrived_.headers = std::move(headers);
          connection->arrived_.accepted = true;
          connection->Wake();
        });
  }
  void OnMessage(std::string message) override {
    inbox_->Post(
        [message = std::move(message)](Connection* connection) mutable {
          connection->arrived_.message = std::move(message);
          connection->Wake();
        });
  }
  void OnEnd(absl::Status status, rpc::Metadata trailers) override {
    inbox_->Post([status = std::move(status), trailers = std::move(trailers)](
                     Connection* connection) mutable {
      Arrived& arrived = connection->arrived_;
      arrived.accepted = arrived.accepted || status.ok();
      arrived.trailers = std::move(trailers);
      arrived.end = std::move(status);
      connection->Wake();
    });
  }

 private:
  const std::shared_ptr<Inbox> inbox_;
};

Connection::Awaitable<void> Connection::RunStream(rest::Call* call) {
  absl::Status room = shared_.clients->BeginStream(place_.client());
  if (!room.ok()) {
    response_ = shared_.front->Failed(room);
    co_return;
  }
  const Place place(shared_.clients.get(), place_.client(),
                    &Clients::EndStream);
  arrived_ = Arrived();
  arrived_.streaming = true;
  SetCallDeadline(*call);
  read_ahead_ = true;
  StartRead();
  inbox_ = std::make_shared<Inbox>(this);
  std::unique_ptr<AnswerStream> handle = shared_.invoker->ServerStream(
      route_->rpc, std::move(call->headers), call->deadline,
      std::move(call->message), std::make_shared<Incoming>(inbox_));
  AnswerStream* const answers = handle.get();
  inbox_->Hold(std::move(handle));
  request_.body = std::string();
  Hold(0);

  Enter(Phase::kCall);
  deadline_ = call_deadline_;
  while (!arrived_.accepted && !arrived_.end && !aborted_ &&
         Interruption().ok()) {
    co_await Woken();
  }
  if (!arrived_.end)
    co_await AwaitStream(shared_.options.first_message_patience);
  const bool refused = arrived_.end && !arrived_.end->ok() && !arrived_.message;
  if (arrived_.accepted && !refused && !aborted_) {
    co_await SendStream(call->stream.get(), answers);
  } else {
    reply_ = UnaryReply{arrived_.end ? *arrived_.end : Interruption(),
                        "",
                        {},
                        std::move(arrived_.trailers)};
    client_gone_ = end_of_input_;
  }
  read_ahead_ = false;
  inbox_->Detach();
  inbox_ = nullptr;
  arrived_ = Arrived();
}

// Why the stream ends although its owner goes on.
absl::Status Connection::Interruption() const {
  // Written in case the client only closed its sending side.
  if (end_of_input_) return ClientWentAway();
  if (steady_clock::now() >= call_deadline_) return TimeRanOut();
  if (worker_.draining()) return Draining();
  return absl::OkStatus();
}

// What is due to the client, into `out`; the status when that is the end.
absl::optional<absl::Status> Connection::TakeArrived(
    rest::StreamEncoder* encoder, std::string* out) {
  absl::Status end;
  if (arrived_.message) {
    const std::string message = *std::exchange(arrived_.message, {});
    std::string piece;
    end = encoder->Append(message, &piece);
    if (end.ok()) {
      AppendPiece(piece, out);
      return absl::nullopt;
    }
  } else if (arrived_.end) {
    end = *arrived_.end;
  } else {
    end = Interruption();
    if (end.ok()) return absl::nullopt;
  }
  AppendPiece(encoder->End(end), out);
  if (!is_http_10_) out->append("0\r\n\r\n");
  return end;
}

// Waits until something is due, or until `most` (0: for ever) has passed.
Connection::Awaitable<void> Connection::AwaitStream(absl::Duration most) {
  Enter(Phase::kCall);
  deadline_ = call_deadline_;
  if (most > absl::ZeroDuration()) {
    deadline_ = std::min(deadline_,
                         steady_clock::now() + absl::ToChronoNanoseconds(most));
  }
  while (!arrived_.message && !arrived_.end && !timed_out_ && !aborted_ &&
         Interruption().ok()) {
    co_await Woken();
  }
}

Connection::Awaitable<void> Connection::SendStream(rest::StreamEncoder* encoder,
                                                   AnswerStream* answers) {
  response_ = encoder->Head(arrived_.headers);
  // A client of HTTP/1.0 knows the end of the body by the connection's.
  response_.close = !keep_alive_ || is_http_10_;
  shared_.front->Complete(request_, request_id_, &worker_.gzip(), &response_);
  const absl::Duration heartbeat = encoder->Heartbeat().empty()
                                       ? absl::ZeroDuration()
                                       : shared_.options.heartbeat_interval;
  absl::optional<absl::Status> end;
  std::string out = Head();
  if (request_.method == "HEAD") {
    end = absl::OkStatus();
  } else {
    AppendPiece(encoder->Opening(), &out);
  }
  bytes_out_ = 0;
  while (true) {
    const bool taken = !end && arrived_.message;
    if (!end) end = TakeArrived(encoder, &out);
    bool written = true;
    if (!out.empty()) written = co_await WriteOut(&out);
    if (!written) {
      client_gone_ = true;
      end = end.value_or(ClientWentAway());
    }
    if (end || aborted_) break;
    if (taken) answers->Next();
    co_await AwaitStream(heartbeat);
    if (timed_out_) AppendPiece(encoder->Heartbeat(), &out);
  }
  if (aborted_) co_return;
  client_gone_ = client_gone_ || end_of_input_;
  response_.close = response_.close || client_gone_ || worker_.draining();
  response_.code = end->code();
  Report(client_gone_);
}

// As a chunk of HTTP/1.1; an empty one would end the body.
void Connection::AppendPiece(absl::string_view piece, std::string* out) const {
  if (piece.empty()) return;
  if (is_http_10_) {
    absl::StrAppend(out, piece);
  } else {
    absl::StrAppend(out, absl::Hex(piece.size()), "\r\n", piece, "\r\n");
  }
}

Connection::Awaitable<bool> Connection::WriteOut(std::string* out) {
  Hold(out->size());
  Enter(Phase::kWrite);
  boost::system::error_code error;
  bytes_out_ += co_await asio::async_write(
      socket_, asio::buffer(*out),
      asio::redirect_error(asio::use_awaitable, error));
  *out = std::string();
  Hold(0);
  co_return !error;
}

}  // namespace transparency::gateway::http
