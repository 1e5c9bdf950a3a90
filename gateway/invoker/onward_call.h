#pragma once

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

// What every call to an owner has in common, unary or streaming: its context,
// and what is learnt from its answer. Not thread-safe.
class OnwardCall {
 public:
  // `owner` outlives the call.
  OnwardCall(Owner* owner, const rpc::Metadata& headers, absl::Time deadline);

  grpc::ClientContext* context() { return &context_; }

  // The answer's headers, once they have come; the revision in them is learnt.
  rpc::Metadata AnswerHeaders();
  rpc::Metadata AnswerTrailers() const;
  // The status as the client is to see it: an owner's own goes unchanged; one
  // that gRPC made here, because no answer came, is said in our words.
  grpc::Status Final(const grpc::Status& status) const;

 private:
  Owner* owner_;
  std::string told_revision_;
  std::string request_id_;
  bool answered_ = false;  // the owner's headers came
  grpc::ClientContext context_;
};

}  // namespace transparency::gateway
