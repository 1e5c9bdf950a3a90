#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/rpc/call.h"
#include "gateway/invoker/onward_call.h"
#include "gateway/invoker/owners.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/client_callback.h"

namespace transparency::gateway {

// The owner's side of one call of any kind, with at most one message under way
// in each direction. Whoever holds the client's side drives it, from any
// thread; it keeps itself until the owner's side is over.
class OwnerStream
    : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
      public std::enable_shared_from_this<OwnerStream> {
 public:
  // The client's side. Reactions may run inside the operations below, and must
  // not block.
  class Client {
   public:
    virtual ~Client() = default;
    // The answer's headers, before every answer; empty when the owner refused
    // the call without any.
    virtual void OnHeaders(rpc::Metadata headers) = 0;
    virtual void OnAnswer(grpc::ByteBuffer answer) = 0;
    // The message of the last Send is out and the next may be sent.
    virtual void OnSent() = 0;
    // The last reaction. `status` is as the client is to see it.
    virtual void OnEnd(const grpc::Status& status, rpc::Metadata trailers) = 0;
  };

  enum class Kind { kUnary, kStream };

  // `owner` outlives the call.
  OwnerStream(Owner* owner, Kind kind, absl::string_view method,
              const rpc::Metadata& headers, absl::Time deadline);

  // Begins the call and reads its first answer. `client` is kept to the end.
  void Start(std::shared_ptr<Client> client);

  // Sends a message; not while one is under way. Nothing happens once the
  // sending side is closed or the call is cancelled.
  void Send(grpc::ByteBuffer message);
  void HalfClose();
  // Reads the answer behind the one told last, once for each.
  void ReadNext();
  void Cancel();

  void OnReadInitialMetadataDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  // Lets the client's side start operations until the owner's side is over.
  // gRPC demands that no operation starts once the last hold is gone; this is
  // the one hold, and it is let go of exactly once: by Close when nobody is
  // inside, else by the last to leave. No lock, since gRPC may run a reaction
  // inside the operation that causes it.
  class Gate {
   public:
    // False when closed; otherwise Leave must follow.
    bool Enter() {
      int state = state_.load();
      do {
        if ((state & kClosed) != 0) return false;
      } while (!state_.compare_exchange_weak(state, state + kEntrant));
      return true;
    }
    // Each true when the hold is to be let go of now.
    bool Leave() { return state_.fetch_sub(kEntrant) == kEntrant + kClosed; }
    bool Close() { return state_.fetch_or(kClosed) == 0; }

   private:
    static constexpr int kClosed = 1;
    static constexpr int kEntrant = 2;
    std::atomic<int> state_{0};
  };

  void Leave() {
    if (gate_.Leave()) RemoveHold();
  }
  void Close() {
    if (gate_.Close()) RemoveHold();
  }
  void Deliver();
  void DropAnswer() {
    if (answer_hold_.exchange(false)) RemoveHold();
  }

  grpc::GenericStub stub_;
  const Kind kind_;
  OnwardCall onward_;
  std::shared_ptr<Client> client_;
  Gate gate_;
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> answer_hold_{false};
  // gRPC may tell of the first answer before it tells of the headers, which go
  // first: whichever comes second delivers.
  static constexpr int kHeaders = 1;
  static constexpr int kAnswer = 2;
  std::atomic<int> arrived_{0};
  grpc::ByteBuffer request_;  // on its way to the owner
  grpc::ByteBuffer answer_;   // on its way from the owner
  std::shared_ptr<OwnerStream> self_;
};

}  // namespace transparency::gateway
