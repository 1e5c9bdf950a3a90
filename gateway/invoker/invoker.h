#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/rpc/call.h"

namespace transparency::gateway {

// What a unary call came to. `status` carries the google.rpc details as
// payloads; `message` is empty unless it is OK.
struct UnaryReply {
  absl::Status status;
  std::string message;
  rpc::Metadata headers;
  rpc::Metadata trailers;
};

// A call under way. Destroying the handle cancels the call unless it is over;
// `done` is called all the same, with CANCELLED. Any thread may destroy it,
// also inside `done`.
class Cancel {
 public:
  Cancel() = default;
  Cancel(const Cancel&) = delete;
  Cancel& operator=(const Cancel&) = delete;
  virtual ~Cancel() = default;
};

// A stream of answers under way. Destroying it cancels the call; OnEnd is
// called all the same.
class AnswerStream : public Cancel {
 public:
  // Asks for the message behind the one told last, once for each; the first
  // comes unasked. Nothing is read from the owner beyond what was asked for:
  // that is the back-pressure. On any thread.
  virtual void Next() = 0;
};

// Who takes the answers of a stream. Reactions come one at a time, on any
// thread, perhaps before the call that starts the stream returns; they must not
// block. Whatever lock one of them takes must not be held around Next or while
// the stream's handle is destroyed, for a reaction may run inside those.
class AnswerReader {
 public:
  virtual ~AnswerReader() = default;
  // The owner has accepted the call: at most once, before all messages. Does
  // not come when it refuses.
  virtual void OnHeaders(rpc::Metadata headers) = 0;
  virtual void OnMessage(std::string message) = 0;
  // Once, the last reaction. `status` carries the google.rpc details.
  virtual void OnEnd(absl::Status status, rpc::Metadata trailers) = 0;
};

// The one way in which every door of the gateway calls a method, whoever owns
// it. Thread-safe.
class Invoker {
 public:
  virtual ~Invoker() = default;

  // Calls `method` ("/package.Service/Method") with a serialized request.
  // `headers` are in lower case. `done` runs exactly once, on any thread,
  // perhaps before this returns, and no later than shortly after `deadline`.
  virtual std::unique_ptr<Cancel> Unary(
      absl::string_view method, rpc::Metadata headers, absl::Time deadline,
      std::string message, std::function<void(UnaryReply)> done) = 0;

  // The same for a method with a stream of answers. `deadline` may be infinite;
  // the owner has a cap of its own. `reader` is kept until OnEnd has run. Null
  // when nobody has the method, which OnEnd has told then.
  virtual std::unique_ptr<AnswerStream> ServerStream(
      absl::string_view method, rpc::Metadata headers, absl::Time deadline,
      std::string message, std::shared_ptr<AnswerReader> reader) = 0;
};

}  // namespace transparency::gateway
