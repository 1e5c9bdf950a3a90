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
};

}  // namespace transparency::gateway
