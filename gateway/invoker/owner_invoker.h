#pragma once

#include <memory>
#include <string>

#include "gateway/invoker/invoker.h"
#include "gateway/invoker/owners.h"
#include "grpcpp/channel.h"

namespace transparency::gateway {

// Calls owners' methods at their owners and the gateway's own at `own`, a
// channel to this process's own gRPC port. What it is given outlives every
// call.
class OwnerInvoker : public Invoker {
 public:
  OwnerInvoker(const Owners* owners, std::shared_ptr<grpc::Channel> own);

  std::unique_ptr<Cancel> Unary(absl::string_view method, rpc::Metadata headers,
                                absl::Time deadline, std::string message,
                                std::function<void(UnaryReply)> done) override;
  std::unique_ptr<AnswerStream> ServerStream(
      absl::string_view method, rpc::Metadata headers, absl::Time deadline,
      std::string message, std::shared_ptr<AnswerReader> reader) override;

 private:
  // Null when nobody has the method.
  Owner* OwnerOf(absl::string_view method) const;

  const Owners* owners_;
  // This process, as one more owner.
  mutable Owner self_;
};

}  // namespace transparency::gateway
