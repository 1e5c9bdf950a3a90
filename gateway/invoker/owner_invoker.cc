#include "gateway/invoker/owner_invoker.h"

#include <utility>

#include "absl/strings/match.h"
#include "common/rpc/status_mapping.h"
#include "common/rpc/stream.h"
#include "gateway/invoker/onward_call.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"

namespace transparency::gateway {
namespace {

constexpr char kOwnPackage[] = "/transparency.gateway.";

// One call; kept by gRPC's completion and by the caller's handle.
struct OneCall {
  OneCall(Owner* owner, const rpc::Metadata& headers, absl::Time deadline)
      : stub(owner->channel), onward(owner, headers, deadline) {}

  grpc::GenericStub stub;
  OnwardCall onward;
  grpc::ByteBuffer request;
  grpc::ByteBuffer answer;
};

class CancelCall : public Cancel {
 public:
  explicit CancelCall(std::shared_ptr<OneCall> call) : call_(std::move(call)) {}
  ~CancelCall() override { call_->onward.context()->TryCancel(); }

 private:
  const std::shared_ptr<OneCall> call_;
};

UnaryReply Reply(OneCall* call, const grpc::Status& status) {
  UnaryReply reply;
  reply.headers = call->onward.AnswerHeaders();
  reply.trailers = call->onward.AnswerTrailers();
  reply.status = rpc::FromGrpc(call->onward.Final(status));
  if (reply.status.ok()) reply.message = rpc::ToString(call->answer);
  return reply;
}

}  // namespace

OwnerInvoker::OwnerInvoker(const Owners* owners,
                           std::shared_ptr<grpc::Channel> own)
    : owners_(owners) {
  self_.name = "gateway";
  self_.channel = std::move(own);
}

std::unique_ptr<Cancel> OwnerInvoker::Unary(
    absl::string_view method, rpc::Metadata headers, absl::Time deadline,
    std::string message, std::function<void(UnaryReply)> done) {
  Owner* owner = absl::StartsWith(method, kOwnPackage)
                     ? &self_
                     : owners_->OfMethod(method);
  if (owner == nullptr) {
    done({NobodysMethod(method), "", {}, {}});
    return nullptr;
  }
  auto call = std::make_shared<OneCall>(owner, headers, deadline);
  call->request = rpc::ToByteBuffer(std::move(message));
  call->stub.UnaryCall(call->onward.context(), std::string(method),
                       grpc::StubOptions(), &call->request, &call->answer,
                       [call, done = std::move(done)](grpc::Status status) {
                         done(Reply(call.get(), status));
                       });
  return std::make_unique<CancelCall>(call);
}

}  // namespace transparency::gateway
