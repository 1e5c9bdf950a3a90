#pragma once

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/rpc/call.h"
#include "gateway/invoker/owners.h"
#include "grpcpp/client_context.h"

namespace transparency::gateway {

// The headers of a call that this process received, with the id and the trace
// that it goes by.
rpc::Metadata HeadersOf(const rpc::Call& call);

// Those of a call that this process makes itself for one that it received: the
// field mask of that is of its own answer.
rpc::Metadata HeadersForOwnCall(const rpc::Call& call);

// What an owner's error says.
enum class OwnerError {
  kRefusal,  // of the request or the caller: asking again brings the same
  kDefect,   // something is wrong there
  kAway,     // it cannot answer now
};
OwnerError OwnerErrorOf(const absl::Status& status);

// What every call to an owner has in common, unary or streaming: its context,
// and what is learnt from its answer. Not thread-safe.
class OnwardCall {
 public:
  // `owner` outlives the call; `method` is a path.
  OnwardCall(Owner* owner, absl::string_view method,
             const rpc::Metadata& headers, absl::Time deadline);

  grpc::ClientContext* context() { return &context_; }
  // A message goes out now. Any thread.
  void Sending() { sending_ = true; }

  // The answer's headers, once they have come. The revision in them is learnt:
  // of a stream only when it is higher, since nothing holds its beginning back
  // until a replica has what the call was told.
  rpc::Metadata AnswerHeaders(bool of_stream);
  rpc::Metadata AnswerTrailers() const;
  // The status as the client is to see it: an owner's own goes unchanged; one
  // that gRPC made, because no answer came or a limit cut the call off, is said
  // in our words: OUTCOME_UNKNOWN of a change that has left, whatever the code.
  // Owners always say more than a code and a message, gRPC never does.
  grpc::Status Final(const grpc::Status& status) const;

  const std::string& method() const { return method_; }

 private:
  // A message is not known to have stayed here.
  bool Left() const;

  Owner* owner_;
  const std::string method_;
  std::string told_revision_;
  std::string request_id_;
  std::atomic<bool> sending_{false};
  grpc::ClientContext context_;
};

}  // namespace transparency::gateway
