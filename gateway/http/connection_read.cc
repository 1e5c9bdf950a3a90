// The half of Connection that reads requests and refuses what is none.

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gateway/http/connection.h"
#include "gateway/http/host.h"
#include "gateway/json/field_text.h"

namespace transparency::gateway::http {
namespace {

// Of empty lines before a request.
constexpr size_t kMostBlankBytes = 64;

namespace asio = boost::asio;
namespace beast = boost::beast;

// How much of further requests is read while a call runs: to see that the
// client goes away one must read.
constexpr size_t kMostReadAhead = 64 * 1024;

absl::string_view ToAbsl(beast::string_view text) {
  return absl::string_view(text.data(), text.size());
}

}  // namespace

void Connection::StartRead() {
  if (reading_ || end_of_input_ || aborted_) return;
  reading_ = true;
  socket_.async_read_some(
      asio::buffer(scratch_),
      [self = shared_from_this()](boost::system::error_code error,
                                  size_t size) { self->OnRead(error, size); });
}

void Connection::OnRead(boost::system::error_code error, size_t size) {
  reading_ = false;
  if (error) {
    end_of_input_ = true;
  } else {
    in_.append(scratch_.data(), size);
  }
  if (read_ahead_ && in_.size() < kMostReadAhead) {
    StartRead();
    if (!end_of_input_) return;
  }
  Wake();
}

// Beast takes a line that begins with a blank for more of the one before, as
// old servers did; others see another header there. So it is refused (RFC 9112,
// 5.2). `head` is the next part of a request's head, nothing behind it.
void Connection::LookForFolds(absl::string_view head) {
  for (char c : head) {
    folded_ = folded_ || (line_begins_ && (c == ' ' || c == '\t'));
    line_begins_ = c == '\n';
  }
}

// Gives what was read to the parser. False when a refusal is due.
bool Connection::ParseSome() {
  while (!in_.empty() && !parser_->is_done()) {
    beast::error_code error;
    const size_t used = parser_->put(asio::buffer(in_), error);
    if (head_checked_) {
      body_bytes_ += used;
    } else {
      LookForFolds(absl::string_view(in_).substr(0, used));
    }
    in_.erase(0, used);
    if (!head_checked_) {
      // Beast's own limit holds for what is read at once, not for the sum.
      head_bytes_ += used;
      if (head_bytes_ + (parser_->is_header_done() ? 0 : in_.size()) >
          shared_.options.max_head_bytes) {
        error = beast::http::error::header_limit;
      }
    }
    if (error && error != beast::http::error::need_more) {
      RefuseParse(error);
      return false;
    }
    if (!head_checked_ && parser_->is_header_done()) {
      head_checked_ = true;
      if (!CheckHead()) return false;
      const absl::Status room = shared_.clients->MayHoldMore(client());
      if (!room.ok() && !parser_->is_done()) {
        RefuseWith(shared_.front->Failed(room));
        return false;
      }
      parser_->eager(true);
      Enter(Phase::kBody);
    }
    if (!HoldBody()) return false;
    if (used == 0) break;
  }
  return true;
}

// Holds what has come of the body. Beast bounds neither the extensions of
// chunks nor the trailer, which may go on for ever. False when a refusal is
// due.
bool Connection::HoldBody() {
  // A chunk of one byte takes six.
  constexpr size_t kForEachByte = 8;
  const size_t body = parser_->get().body().size();
  const size_t unread = parser_->is_done() ? 0 : in_.size();
  Hold(body + (parser_->chunked() ? body_bytes_ + unread : 0));
  if (!head_checked_ || !parser_->chunked() ||
      body_bytes_ + unread <=
          shared_.options.max_head_bytes + kForEachByte * body) {
    return true;
  }
  Refuse(400, "body",
         absl::StrCat("the extensions of its chunks and its trailer have more "
                      "than ",
                      shared_.options.max_head_bytes, " bytes"));
  return false;
}

Connection::Awaitable<Connection::ReadResult> Connection::ReadRequest() {
  parser_.emplace();
  parser_->header_limit(
      static_cast<std::uint32_t>(shared_.options.max_head_bytes));
  parser_->body_limit(shared_.options.max_body_bytes);
  head_checked_ = wants_continue_ = client_gone_ = false;
  line_begins_ = folded_ = false;
  keep_alive_ = is_http_10_ = false;
  request_ = rest::Request();
  request_.client_address = address_;
  response_ = rest::Response();
  request_id_.clear();
  traceparent_.clear();
  route_ = nullptr;
  bytes_in_ = 0;
  head_bytes_ = body_bytes_ = blank_bytes_ = 0;
  bool begun = false;
  Enter(Phase::kIdle);
  while (true) {
    if (!begun) {
      // An empty line before a request is to be ignored (RFC 9112, 2.2).
      size_t blank = 0;
      while (absl::StartsWith(absl::string_view(in_).substr(blank), "\r\n")) {
        blank += 2;
      }
      in_.erase(0, blank);
      blank_bytes_ += blank;
      if (blank_bytes_ > kMostBlankBytes) {
        co_return Refuse(400, "request", "expected one, not empty lines");
      }
    }
    if (!in_.empty() && in_ != "\r") {
      if (!begun) Enter(Phase::kHead);
      begun = true;
      if (!ParseSome()) co_return ReadResult::kRefused;
      if (parser_->is_done()) {
        TakeRequest();
        co_return ReadResult::kRequest;
      }
    }
    if (aborted_) co_return ReadResult::kClosed;
    if (timed_out_) co_return TimedOut();
    if (end_of_input_) {
      if (!begun) co_return ReadResult::kClosed;
      co_return Refuse(400, head_checked_ ? "body" : "request",
                       "it ends before it is complete");
    }
    if (wants_continue_) co_await SendContinue();
    StartRead();
    co_await Woken();
  }
}

Connection::Awaitable<void> Connection::SendContinue() {
  wants_continue_ = false;
  static constexpr char kContinue[] = "HTTP/1.1 100 Continue\r\n\r\n";
  boost::system::error_code ignored;
  co_await asio::async_write(
      socket_, asio::buffer(kContinue, sizeof(kContinue) - 1),
      asio::redirect_error(asio::use_awaitable, ignored));
}

Connection::ReadResult Connection::TimedOut() {
  if (gave_way_ && phase_ != Phase::kIdle) {
    return Refuse(408, "request",
                  "it came too slowly for a time when connections are scarce");
  }
  switch (phase_) {
    case Phase::kHead:
      shared_.CutOff("slow_head", address_);
      return Refuse(
          408, "request",
          absl::StrCat("its head took longer than ",
                       absl::FormatDuration(shared_.options.head_timeout)));
    case Phase::kBody:
      shared_.CutOff("slow_body", address_);
      return Refuse(
          408, "body",
          absl::StrCat("it took longer than ",
                       absl::FormatDuration(shared_.options.body_timeout)));
    default:
      return ReadResult::kClosed;
  }
}

Connection::ReadResult Connection::Refuse(int http_status,
                                          absl::string_view field,
                                          absl::string_view problem) {
  return RefuseWith(shared_.front->Refuse(http_status, field, problem));
}

Connection::ReadResult Connection::RefuseWith(rest::Response response) {
  response_ = std::move(response);
  request_.received = shared_.options.now();
  request_id_ = RequestIdFor(request_);
  shared_.front->Complete(request_, request_id_, &worker_.gzip(), &response_);
  response_.close = true;
  return ReadResult::kRefused;
}

Connection::ReadResult Connection::TooLong(int http_status,
                                           absl::string_view field,
                                           size_t limit) {
  return RefuseWith(shared_.front->TooLong(http_status, field, limit));
}

Connection::ReadResult Connection::RefuseParse(beast::error_code code) {
  using beast::http::error;
  const Options& options = shared_.options;
  shared_.CutOff("bad_request", address_);
  if (code == error::header_limit) {
    return TooLong(431, "header", options.max_head_bytes);
  }
  if (code == error::body_limit) {
    return TooLong(413, "body", options.max_body_bytes);
  }
  if (code == error::bad_version) {
    return Refuse(505, "version", "expected HTTP/1.1 or HTTP/1.0");
  }
  if (code == error::bad_method) {
    return Refuse(400, "method", "this is no HTTP method");
  }
  if (code == error::bad_target) {
    return Refuse(400, "target", "this is no request target");
  }
  if (code == error::bad_transfer_encoding) {
    return Refuse(400, "header Transfer-Encoding",
                  "expected chunked, without Content-Length");
  }
  if (code == error::bad_content_length ||
      code == error::multiple_content_length) {
    return Refuse(400, "header Content-Length",
                  "expected one whole number, without Transfer-Encoding");
  }
  if (parser_->is_header_done()) {
    return Refuse(400, "body", "its chunks are not well-formed");
  }
  return Refuse(400, "header", "expected lines of name, colon and value");
}

// False when the refusal is made.
bool Connection::CheckHead() {
  const auto& head = parser_->get();
  const Options& options = shared_.options;
  request_.method = std::string(head.method_string());
  // Before the body: what comes behind it as a trailer is no header.
  for (const auto& field : head.base()) {
    request_.headers.emplace_back(
        absl::AsciiStrToLower(ToAbsl(field.name_string())),
        std::string(field.value()));
  }
  keep_alive_ = head.keep_alive();
  is_http_10_ = head.version() == 10;
  if (folded_) {
    Refuse(400, "header", "a line begins with a blank; expected a name");
    return false;
  }
  if (head.target().size() > options.max_target_bytes) {
    TooLong(414, "target", options.max_target_bytes);
    return false;
  }
  if (!SetTarget(ToAbsl(head.target()))) {
    Refuse(400, "target", "expected a path, such as /healthz");
    return false;
  }
  return CheckHost() && CheckFraming();
}

// For whom it is: Host, and what an absolute target has in its place.
bool Connection::CheckHost() {
  const int hosts = request_.CountHeader("host");
  if (hosts > 1 || (hosts == 0 && !is_http_10_)) {
    Refuse(400, "header Host", "expected exactly one");
    return false;
  }
  std::vector<absl::string_view> authorities;
  if (hosts == 1) authorities.push_back(*request_.Header("host"));
  if (!authority_.empty()) authorities.push_back(authority_);
  for (absl::string_view authority : authorities) {
    const std::string host = HostOf(authority);
    if (host.empty()) {
      Refuse(400, "header Host",
             "expected a host, or a host, a colon and a port");
      return false;
    }
    if (!shared_.hosts->Serves(host)) {
      Refuse(421, "header Host",
             absl::StrCat("this gateway is not served as ", json::Shown(host)));
      return false;
    }
  }
  return true;
}

// How the body comes, and what the client awaits before it sends it.
bool Connection::CheckFraming() {
  const auto coding = request_.Header("transfer-encoding");
  if (coding && is_http_10_) {
    Refuse(400, "header Transfer-Encoding", "HTTP/1.0 has none");
    return false;
  }
  if (coding && !absl::EqualsIgnoreCase(*coding, "chunked")) {
    Refuse(501, "header Transfer-Encoding", "expected chunked");
    return false;
  }
  // An upgrade may be passed over (RFC 9110, 7.8), and is; but a WebSocket's
  // client has no use for any other answer.
  if (absl::EqualsIgnoreCase(request_.Header("upgrade").value_or(""),
                             "websocket")) {
    Refuse(400, "header Upgrade",
           "there are no WebSockets here; streams come as server-sent events "
           "or as JSON lines");
    return false;
  }
  if (const auto expect = request_.Header("expect")) {
    if (!absl::EqualsIgnoreCase(*expect, "100-continue")) {
      Refuse(417, "header Expect", "expected 100-continue");
      return false;
    }
    wants_continue_ = !is_http_10_;
  }
  return true;
}

bool Connection::SetTarget(absl::string_view target) {
  request_.target = std::string(target);
  authority_.clear();
  // An absolute target is to be understood (RFC 9112, 3.2.2).
  for (absl::string_view scheme : {"http://", "https://"}) {
    if (absl::StartsWithIgnoreCase(target, scheme)) {
      target.remove_prefix(scheme.size());
      const size_t path = target.find_first_of("/?");
      authority_ = std::string(target.substr(0, path));
      if (authority_.empty()) return false;
      target = path == absl::string_view::npos ? absl::string_view("/")
                                               : target.substr(path);
      break;
    }
  }
  const size_t question = target.find('?');
  request_.path = std::string(target.substr(0, question));
  request_.query = question == absl::string_view::npos
                       ? ""
                       : std::string(target.substr(question + 1));
  return target.find('#') == absl::string_view::npos &&
         (absl::StartsWith(request_.path, "/") ||
          (request_.path == "*" && request_.method == "OPTIONS"));
}

void Connection::TakeRequest() {
  request_.body = std::move(parser_->get().body());
  bytes_in_ = request_.body.size();
  request_.received = shared_.options.now();
}

}  // namespace transparency::gateway::http
