#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "absl/types/optional.h"
#include "gateway/http/worker.h"
#include "gateway/rest/exchange.h"

namespace transparency::gateway::http {

// One client's connection: reads requests, runs them one after another, writes
// the answers, and keeps the limits. Lives on its worker's thread.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `address` is the client's, in numbers and without port.
  Connection(boost::asio::ip::tcp::socket socket, std::string address,
             Place place, Worker* worker);
  ~Connection();

  // Serves until the connection is closed.
  void Start();
  // Cuts off what has run out of time.
  void Tick(std::chrono::steady_clock::time_point now);
  // Whether its client has kept it waiting for as long as is allowed while
  // there are too many connections, and since when.
  bool KeepsWaiting(std::chrono::steady_clock::time_point now) const;
  std::chrono::steady_clock::time_point waits_since() const {
    return phase_began_;
  }
  // Cuts it off like one that has run out of time.
  void GiveWay(std::chrono::steady_clock::time_point now);
  const Client& client() const { return *place_.client(); }
  // Closes it soon if no request begins, else after the request.
  void BeginDrain();
  // Closes it now and cancels its call.
  void Abort();

 private:
  using Parser =
      boost::beast::http::request_parser<boost::beast::http::string_body>;
  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;

  // What a connection is doing; each has its own time-out.
  enum class Phase { kIdle, kHead, kBody, kCall, kWrite, kLinger };
  enum class ReadResult { kRequest, kRefused, kClosed };

  class Inbox;
  class Incoming;

  // What has come of a stream and is not yet on its way to the client.
  struct Arrived {
    bool streaming = false;  // a stream is under way
    bool accepted = false;   // by the owner, with these headers
    rpc::Metadata headers;
    absl::optional<std::string> message;
    absl::optional<absl::Status> end;
    rpc::Metadata trailers;
  };

  Awaitable<void> Run();
  Awaitable<ReadResult> ReadRequest();
  Awaitable<void> Serve();
  // Each leaves in reply_ what is to be encoded, if anything.
  Awaitable<void> RunCall(rest::Call* call);
  Awaitable<void> RunStream(rest::Call* call);
  // Runs `job` and returns when it is done; heavy ones on a thread of their
  // own, where nothing else of the connection may be touched meanwhile.
  Awaitable<void> Do(bool heavy, HeavyWork::Job job);
  Awaitable<void> FinishResponse(const rest::Call* call);
  Awaitable<void> SendStream(rest::StreamEncoder* encoder,
                             AnswerStream* answers);
  // False when the client is gone. Empties `out`.
  Awaitable<bool> WriteOut(std::string* out);
  Awaitable<bool> WriteResponse();
  Awaitable<void> Linger();
  Awaitable<void> SendContinue();
  // Waits for the next Wake.
  Awaitable<void> Woken();

  absl::Duration TimeoutOf(Phase phase) const;
  void Enter(Phase phase);
  // At most one read is under way; it fills in_.
  void StartRead();
  void OnRead(boost::system::error_code error, size_t size);
  void Wake() { wake_.cancel(); }
  void OnReply(UnaryReply reply);
  void SetCallDeadline(const rest::Call& call);
  absl::optional<absl::Status> TakeArrived(rest::StreamEncoder* encoder,
                                           std::string* out);
  Awaitable<void> AwaitStream(absl::Duration most);
  absl::Status Interruption() const;
  void AppendPiece(absl::string_view piece, std::string* out) const;
  static absl::Status ClientWentAway();
  static absl::Status TimeRanOut();

  // The rest of a request's head; false when refusal_ says why.
  bool CheckHead();
  bool CheckHost();
  bool CheckFraming();
  void LookForFolds(absl::string_view head);
  bool ParseSome();
  bool HoldBody();
  ReadResult RefuseParse(boost::beast::error_code error);
  ReadResult Refuse(int http_status, absl::string_view field,
                    absl::string_view problem);
  ReadResult TooLong(int http_status, absl::string_view field, size_t limit);
  ReadResult RefuseWith(rest::Response response);
  ReadResult TimedOut();
  void TakeRequest();
  bool SetTarget(absl::string_view target);
  // Exceptions end here.
  rest::Plan Begin();
  rest::Response Encode(const rest::Call& call);
  std::string Head() const;
  void Report(bool client_gone);
  // Accounts for `bytes` of bodies in place of what it held before.
  void Hold(size_t bytes);

  Worker& worker_;
  Shared& shared_;
  boost::asio::ip::tcp::socket socket_;
  const std::string address_;
  const Place place_;
  boost::asio::steady_timer wake_;

  Phase phase_ = Phase::kIdle;
  std::chrono::steady_clock::time_point phase_began_;
  std::chrono::steady_clock::time_point deadline_;
  bool timed_out_ = false;
  bool gave_way_ = false;  // timed out early, for others
  bool aborted_ = false;

  std::array<char, 16 * 1024> scratch_;
  std::string in_;  // read, not yet parsed
  bool reading_ = false;
  bool read_ahead_ = false;  // go on reading while a call runs
  bool end_of_input_ = false;

  absl::optional<Parser> parser_;
  bool head_checked_ = false;
  bool line_begins_ = false;  // the next byte of the head does
  bool folded_ = false;       // a line of the head began with a blank
  std::string authority_;     // of an absolute target
  bool wants_continue_ = false;
  bool keep_alive_ = false;
  bool is_http_10_ = false;
  bool client_gone_ = false;
  rest::Request request_;
  std::string request_id_;
  rest::Response response_;
  size_t head_bytes_ = 0;
  size_t body_bytes_ = 0;   // as it came, with what frames it
  size_t blank_bytes_ = 0;  // before the request
  size_t bytes_in_ = 0;
  size_t bytes_out_ = 0;
  size_t held_ = 0;

  // Of the call that runs.
  std::shared_ptr<Inbox> inbox_;
  std::chrono::steady_clock::time_point call_deadline_;
  absl::optional<UnaryReply> reply_;
  Arrived arrived_;
  const rest::Route* route_ = nullptr;
  std::string traceparent_;
};

}  // namespace transparency::gateway::http
