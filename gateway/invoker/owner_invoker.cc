#include "gateway/invoker/owner_invoker.h"

#include <utility>

#include "absl/strings/match.h"
#include "common/rpc/status_mapping.h"
#include "common/rpc/stream.h"
#include "gateway/invoker/onward_call.h"
#include "gateway/invoker/owner_stream.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"

namespace transparency::gateway {
namespace {

constexpr char kOwnPackage[] = "/transparency.gateway.";

// One call; kept by gRPC's completion and by the caller's handle.
struct OneCall {
  OneCall(Owner* owner, absl::string_view method, const rpc::Metadata& headers,
          absl::Time deadline)
      : stub(owner->channel), onward(owner, method, headers, deadline) {}

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
  reply.headers = call->onward.AnswerHeaders(/*of_stream=*/false);
  reply.trailers = call->onward.AnswerTrailers();
  reply.status = rpc::FromGrpc(call->onward.Final(status));
  if (reply.status.ok()) reply.message = rpc::ToString(call->answer);
  return reply;
}

// Sends the one request of a stream and hands its answers to the reader.
class OneRequest : public OwnerStream::Client {
 public:
  OneRequest(std::shared_ptr<OwnerStream> owner,
             std::shared_ptr<AnswerReader> reader)
      : owner_(std::move(owner)), reader_(std::move(reader)) {}

  void OnHeaders(rpc::Metadata headers) override {
    if (!headers.empty()) Accept(std::move(headers));
  }
  void OnAnswer(grpc::ByteBuffer answer) override {
    Accept({});
    reader_->OnMessage(rpc::ToString(answer));
  }
  void OnSent() override { owner_->HalfClose(); }
  void OnEnd(const grpc::Status& status, rpc::Metadata trailers) override {
    reader_->OnEnd(rpc::FromGrpc(status), std::move(trailers));
  }

 private:
  void Accept(rpc::Metadata headers) {
    if (!std::exchange(accepted_, true)) reader_->OnHeaders(std::move(headers));
  }

  const std::shared_ptr<OwnerStream> owner_;
  const std::shared_ptr<AnswerReader> reader_;
  bool accepted_ = false;
};

class RunningStream : public AnswerStream {
 public:
  explicit RunningStream(std::shared_ptr<OwnerStream> owner)
      : owner_(std::move(owner)) {}
  ~RunningStream() override { owner_->Cancel(); }
  void Next() override { owner_->ReadNext(); }

 private:
  const std::shared_ptr<OwnerStream> owner_;
};

}  // namespace

OwnerInvoker::OwnerInvoker(const Owners* owners,
                           std::shared_ptr<grpc::Channel> own)
    : owners_(owners) {
  self_.name = "gateway";
  self_.channel = std::move(own);
  self_.gateway_token = owners->gateway_token();
}

Owner* OwnerInvoker::OwnerOf(absl::string_view method) const {
  return absl::StartsWith(method, kOwnPackage) ? &self_
                                               : owners_->OfMethod(method);
}

std::unique_ptr<Cancel> OwnerInvoker::Unary(
    absl::string_view method, rpc::Metadata headers, absl::Time deadline,
    std::string message, std::function<void(UnaryReply)> done) {
  Owner* owner = OwnerOf(method);
  if (owner == nullptr) {
    done({NobodysMethod(method), "", {}, {}});
    return nullptr;
  }
  auto call = std::make_shared<OneCall>(owner, method, headers, deadline);
  call->request = rpc::ToByteBuffer(std::move(message));
  call->onward.Sending();
  call->stub.UnaryCall(call->onward.context(), call->onward.method(),
                       grpc::StubOptions(), &call->request, &call->answer,
                       [call, done = std::move(done)](grpc::Status status) {
                         done(Reply(call.get(), status));
                       });
  return std::make_unique<CancelCall>(call);
}

std::unique_ptr<AnswerStream> OwnerInvoker::ServerStream(
    absl::string_view method, rpc::Metadata headers, absl::Time deadline,
    std::string message, std::shared_ptr<AnswerReader> reader) {
  Owner* owner = OwnerOf(method);
  if (owner == nullptr) {
    reader->OnEnd(NobodysMethod(method), {});
    return nullptr;
  }
  auto stream = std::make_shared<OwnerStream>(owner, OwnerStream::Kind::kStream,
                                              method, headers, deadline);
  stream->Start(std::make_shared<OneRequest>(stream, std::move(reader)));
  stream->Send(rpc::ToByteBuffer(std::move(message)));
  return std::make_unique<RunningStream>(std::move(stream));
}

}  // namespace transparency::gateway
