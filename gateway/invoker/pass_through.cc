#include "gateway/invoker/pass_through.h"

#include <atomic>
#include <memory>
#include <utility>

#include "common/rpc/status_mapping.h"
#include "gateway/invoker/onward_call.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/client_callback.h"

namespace transparency::gateway {
namespace {

// Lets the client's side of a call start operations on the owner's side until
// the owner's side is over. gRPC demands that no operation starts once the last
// hold is gone; this is the one hold, and it is let go of exactly once: after
// Close, by whoever leaves last. No lock, since gRPC may run a reaction inside
// the operation that causes it.
class Gate {
 public:
  // False when closed; otherwise Leave must follow.
  bool Enter() {
    if ((state_.fetch_add(kEntrant) & kClosed) == 0) return true;
    state_.fetch_sub(kEntrant);
    return false;
  }
  // True when the hold is to be let go of now.
  bool Leave() {
    return state_.fetch_sub(kEntrant) == kEntrant + kClosed && First();
  }
  bool Close() { return state_.fetch_or(kClosed) == 0 && First(); }

 private:
  static constexpr int kClosed = 1;
  static constexpr int kEntrant = 2;
  bool First() { return !let_go_.exchange(true); }

  std::atomic<int> state_{0};
  std::atomic<bool> let_go_{false};
};

// One call: the server's handler towards the client and the reactor towards the
// owner. Keeps itself until the owner's side is over.
class PassedCall
    : public rpc::StreamHandler,
      public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
      public std::enable_shared_from_this<PassedCall> {
 public:
  PassedCall(Owner* owner, std::shared_ptr<rpc::Stream> stream)
      : client_(std::move(stream)),
        stub_(owner->channel),
        onward_(owner, Headers(client_->call()), client_->call().deadline()) {
    const auto* method = client_->call().descriptor();
    unary_ = method != nullptr && !method->client_streaming() &&
             !method->server_streaming();
  }

  // From the client.
  void OnStart() override {
    self_ = shared_from_this();
    stub_.PrepareBidiStreamingCall(onward_.context(), client_->call().method(),
                                   grpc::StubOptions(), this);
    AddHold();
    StartCall();
    StartRead(&answer_);
    client_->Read();
  }
  void OnMessage(grpc::ByteBuffer message) override {
    if (!gate_.Enter()) return;
    request_.Swap(&message);
    StartWrite(&request_);
    Leave();
  }
  void OnHalfClose() override {
    if (!gate_.Enter()) return;
    StartWritesDone();
    Leave();
    Close();
  }
  void OnWritten(bool ok) override {
    if (!answer_hold_.exchange(false)) return;
    if (ok) {
      StartRead(&answer_);
    } else {
      onward_.context()->TryCancel();
    }
    RemoveHold();
  }
  void OnAbandoned() override {
    abandoned_ = true;
    onward_.context()->TryCancel();
    Close();
    DropAnswer();
  }

  // From the owner.
  void OnReadInitialMetadataDone(bool ok) override {
    if (ok) {
      for (const auto& [key, value] : onward_.AnswerHeaders()) {
        client_->call().AddHeader(key, value);
      }
      if (!unary_) client_->SendHeaders();
    }
    if ((arrived_.fetch_or(kHeaders) & kAnswer) != 0) Deliver();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return Close();
    // The next read starts in OnWritten, on the client's side: a second hold
    // until then. A stream that has ended meanwhile reacts no more.
    AddHold();
    answer_hold_ = true;
    if ((arrived_.fetch_or(kAnswer) & kHeaders) != 0) Deliver();
  }
  void OnWriteDone(bool ok) override {
    if (ok) client_->Read();
  }
  void OnDone(const grpc::Status& status) override {
    std::shared_ptr<PassedCall> self = std::move(self_);
    for (const auto& [key, value] : onward_.AnswerTrailers()) {
      client_->call().AddTrailer(key, value);
    }
    // Who abandons a call gives its client the reason.
    if (!abandoned_) client_->FinishRaw(onward_.Final(status));
  }

 private:
  static rpc::Metadata Headers(rpc::Call& call) {
    rpc::Metadata headers = call.headers();
    auto set = [&headers](absl::string_view key, const std::string& value) {
      for (auto& header : headers) {
        if (header.first == key) {
          header.second = value;
          return;
        }
      }
      headers.emplace_back(std::string(key), value);
    };
    set("x-request-id", call.request_id());
    set("traceparent", call.traceparent());
    return headers;
  }

  void Leave() {
    if (gate_.Leave()) RemoveHold();
  }
  void Close() {
    if (gate_.Close()) RemoveHold();
  }
  void Deliver() {
    client_->Write(std::move(answer_));
    if (abandoned_) DropAnswer();
  }
  void DropAnswer() {
    if (answer_hold_.exchange(false)) RemoveHold();
  }

  const std::shared_ptr<rpc::Stream> client_;
  grpc::GenericStub stub_;
  OnwardCall onward_;
  bool unary_ = false;
  Gate gate_;
  std::atomic<bool> abandoned_{false};
  std::atomic<bool> answer_hold_{false};
  // gRPC may tell of the first answer before it tells of the headers, which go
  // first: whichever comes second delivers.
  static constexpr int kHeaders = 1;
  static constexpr int kAnswer = 2;
  std::atomic<int> arrived_{0};
  grpc::ByteBuffer request_;  // on its way to the owner
  grpc::ByteBuffer answer_;   // on its way from the owner
  std::shared_ptr<PassedCall> self_;
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
