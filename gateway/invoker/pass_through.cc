#include "gateway/invoker/pass_through.h"

#include <atomic>
#include <memory>
#include <utility>

#include "gateway/invoker/owner_stream.h"

namespace transparency::gateway {
namespace {

// One call: between the server's handler towards the client and the owner's
// side. Kept by both.
class PassedCall : public rpc::StreamHandler,
                   public OwnerStream::Client,
                   public std::enable_shared_from_this<PassedCall> {
 public:
  PassedCall(Owner* owner, std::shared_ptr<rpc::Stream> stream)
      : client_(std::move(stream)),
        owner_(std::make_shared<OwnerStream>(owner, HeadersOf(client_->call()),
                                             client_->call().deadline())) {
    const auto* method = client_->call().descriptor();
    unary_ = method != nullptr && !method->client_streaming() &&
             !method->server_streaming();
  }

  // From the client.
  void OnStart() override {
    owner_->Start(client_->call().method(), shared_from_this());
    client_->Read();
  }
  void OnMessage(grpc::ByteBuffer message) override {
    owner_->Send(std::move(message));
  }
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
  void OnAnswer(grpc::ByteBuffer answer) override {
    client_->Write(std::move(answer));
  }
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
  const std::shared_ptr<OwnerStream> owner_;
  bool unary_ = false;
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
