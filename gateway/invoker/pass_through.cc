#include "gateway/invoker/pass_through.h"

#include <atomic>
#include <memory>
#include <utility>

#include "gateway/invoker/owner_stream.h"

namespace transparency::gateway {
namespace {

// A method that is not in this contract counts as a stream: nothing is lost.
bool IsUnary(const google::protobuf::MethodDescriptor* method) {
  return method != nullptr && !method->client_streaming() &&
         !method->server_streaming();
}

// One call: between the server's handler towards the client and the owner's
// side. Kept by both.
class PassedCall : public rpc::StreamHandler,
                   public OwnerStream::Client,
                   public std::enable_shared_from_this<PassedCall> {
 public:
  PassedCall(Owner* owner, std::shared_ptr<rpc::Stream> stream)
      : client_(std::move(stream)),
        unary_(IsUnary(client_->call().descriptor())),
        owner_(std::make_shared<OwnerStream>(
            owner,
            unary_ ? OwnerStream::Kind::kUnary : OwnerStream::Kind::kStream,
            client_->call().method(), HeadersOf(client_->call()),
            client_->call().deadline())) {}

  // From the client.
  void OnStart() override {
    owner_->Start(shared_from_this());
    client_->Read();
  }
  void OnMessage(grpc::ByteBuffer message) override { owner_->Send(message); }
  void OnHalfClose() override { owner_->HalfClose(); }
  void OnWritten(bool ok) override { ok ? owner_->ReadNext() : Abandon(); }
  void OnAbandoned() override { Abandon(); }

  // From the owner.
  void OnHeaders(rpc::Metadata headers) override {
    for (const auto& [key, value] : headers) {
      client_->call().AddHeader(key, value);
    }
    if (!unary_) client_->SendHeaders();
  }
  void OnAnswer(grpc::ByteBuffer answer) override { client_->Write(answer); }
  void OnSent() override { client_->Read(); }
  void OnEnd(const grpc::Status& status, rpc::Metadata trailers) override {
    for (const auto& [key, value] : trailers) {
      client_->call().AddTrailer(key, value);
    }
    // Who abandons a call gives its client the reason.
    if (!abandoned_) client_->FinishRaw(status);
  }

 private:
  void Abandon() {
    abandoned_ = true;
    owner_->Cancel();
  }

  const std::shared_ptr<rpc::Stream> client_;
  const bool unary_;
  const std::shared_ptr<OwnerStream> owner_;
  std::atomic<bool> abandoned_{false};
};

}  // namespace

rpc::StreamFactory PassThrough(const Owners* owners) {
  return [owners](std::shared_ptr<rpc::Stream> stream)
             -> absl::StatusOr<std::shared_ptr<rpc::StreamHandler>> {
    Owner* owner = owners->OfMethod(stream->call().method());
    if (owner == nullptr) return NobodysMethod(stream->call().method());
    return std::make_shared<PassedCall>(owner, std::move(stream));
  };
}

}  // namespace transparency::gateway
