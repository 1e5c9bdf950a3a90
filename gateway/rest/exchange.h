#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/variant.h"
#include "common/rpc/call.h"
#include "gateway/invoker/invoker.h"
#include "gateway/rest/route_table.h"

// What passes between a connection, the front and the codecs. A connection
// knows bytes and time-outs, the front knows which codec serves a request, a
// codec knows one protocol over the invoker; none knows the others' part.
namespace transparency::gateway::rest {

// One request, whole.
struct Request {
  std::string method;  // as sent: "GET"
  std::string target;  // as sent
  std::string path;    // of the target, still percent-encoded
  std::string query;   // without the "?"
  std::vector<std::pair<std::string, std::string>> headers;  // lower-case names
  std::string body;
  std::string client_address;  // in numbers, without port
  absl::Time received;

  // The first header of this name, which is in lower case.
  absl::optional<absl::string_view> Header(absl::string_view name) const;
  // How many there are of it.
  int CountHeader(absl::string_view name) const;
};

// One answer, whole but for the body of a stream. Content-Length, Date,
// Connection and the CORS headers are added to it later.
struct Response {
  int http_status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string content_type = "application/json";
  std::string body;
  // The body in its place, where many answers share it: it takes no memory of
  // its own, however slowly clients read.
  std::shared_ptr<const std::string> page;
  bool has_body = true;                           // false for 204 and 304
  bool compressed = false;                        // the body is gzip
  bool streamed = false;                          // the body comes in pieces
  bool close = false;                             // the connection ends with it
  absl::StatusCode code = absl::StatusCode::kOk;  // for the observer

  const std::string& content() const { return page != nullptr ? *page : body; }
};

// Turns the answers of one streaming call into the body of one HTTP answer,
// piece by piece. Not thread-safe.
class StreamEncoder {
 public:
  virtual ~StreamEncoder() = default;

  // The answer up to its body, once the owner has accepted the call.
  virtual Response Head(const rpc::Metadata& headers) const = 0;
  // What the body begins with; may be empty.
  virtual std::string Opening() const = 0;
  // Appends one message. INTERNAL when it is none of the method's.
  virtual absl::Status Append(const std::string& message,
                              std::string* body) = 0;
  // What tells the client how the stream ended; may be empty.
  virtual std::string End(const absl::Status& status) const = 0;
  // The sign of life of an idle stream; empty where the form has none.
  virtual absl::string_view Heartbeat() const = 0;
};

class Codec;

// A request turned into the call that it asks for. A codec keeps in a type of
// its own what it needs to encode the answer.
struct Call {
  virtual ~Call() = default;

  const Codec* codec = nullptr;
  const Route* route = nullptr;
  std::string request_id;
  std::string traceparent;
  std::unique_ptr<StreamEncoder> stream;  // null: a unary call
  // Handed to the invoker, which leaves them empty.
  std::string message;
  rpc::Metadata headers;
  absl::Time deadline;
};

// Either the call that a request asks for, or at once its answer.
using Plan = absl::variant<Response, std::unique_ptr<Call>>;

// One protocol. Thread-safe.
class Codec {
 public:
  virtual ~Codec() = default;

  // `match` is found; `request` outlives the call.
  virtual Plan Decode(const Request& request, RouteMatch match) const = 0;
  // Of a stream only what was refused before it began.
  virtual Response Encode(const Request& request, const Call& call,
                          UnaryReply reply) const = 0;
};

// What was served, for access log and metrics. The views end with the call.
struct Finished {
  absl::string_view http_method;
  absl::string_view route;  // the pattern; empty when none matched
  absl::string_view rpc;    // "/package.Service/Method", or empty
  absl::string_view request_id;
  absl::string_view traceparent;
  absl::string_view client_address;
  bool anonymous = false;  // no token came with the request
  int http_status = 0;
  absl::StatusCode code = absl::StatusCode::kOk;
  absl::Duration latency;    // from the request's last byte to the answer's
  bool streamed = false;     // an answer that was a stream, ended with `code`
  size_t bytes_in = 0;       // of the body
  size_t bytes_out = 0;      // head and body
  bool client_gone = false;  // the answer did not reach it
};

// Hooks, called on the server's threads: they must not block.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnFinished(const Finished& finished) = 0;
  // Connections open now; after each change.
  virtual void OnConnections(int open) { static_cast<void>(open); }
  // Streams open now; after each change.
  virtual void OnStreams(int open) { static_cast<void>(open); }
  // A connection from this address was cut off or refused: "slow_head",
  // "slow_body", "slow_reader", "crowded", "too_many", "bad_request".
  virtual void OnCutOff(absl::string_view why, absl::string_view address) {
    static_cast<void>(why);
    static_cast<void>(address);
  }
};

}  // namespace transparency::gateway::rest
