#pragma once

#include <atomic>
#include <memory>

#include "absl/synchronization/mutex.h"
#include "grpcpp/alarm.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/status.h"

// Within common/rpc only.
namespace transparency::rpc {

// What a completion queue hands back.
class QueueEvent {
 public:
  // On the thread that polls the queue; must not block.
  virtual void Happen(bool ok) = 0;

 protected:
  ~QueueEvent() = default;
};

// Counts what queues have yet to hand back: awaited calls, and calls that are
// not over. gRPC aborts when anything is asked of a queue that is shut down, so
// that this is waited for first. Thread-safe.
class Outstanding {
 public:
  void Add() { count_.fetch_add(1); }
  void Drop() {
    if (count_.fetch_sub(1) != 1) return;
    // Waiters look again when the mutex is let go.
    absl::MutexLock lock(&mutex_);
  }
  void WaitForNone() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](std::atomic<int>* count) { return count->load() == 0; }, &count_));
  }

 private:
  std::atomic<int> count_{0};
  absl::Mutex mutex_;
};

// gRPC's end of one call that a server receives: what may be asked of it, and
// what it tells of it, which comes on the one thread of the call's queue. Made
// before the call comes, for gRPC fills it in; its call owns it from then on.
//
// At most one read and one write are under way at a time, and exactly one
// finish ends each call. Operations may come from any thread.
class Wire {
 public:
  // What a call does when something has happened.
  class Reactions {
   public:
    // A message has come, or (`ok` false) the client has sent all. Not told of
    // a client that has gone.
    virtual void OnReadDone(bool ok) = 0;
    // A message is out, or never will be. Not told of the finish.
    virtual void OnWriteDone(bool ok) = 0;
    // The client has gone, or its deadline has passed.
    virtual void OnCancel() = 0;
    // gRPC has done with the call: the last of all. May destroy the wire.
    virtual void OnDone() = 0;

   protected:
    ~Reactions() = default;
  };

  // Both outlive the wire's call, that is OnDone.
  Wire(grpc::ServerCompletionQueue* queue, Outstanding* outstanding);
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // Asks `service` for the next call; `arrived` happens on the queue, not `ok`
  // when the server has been shut down, and nothing else happens before.
  void Await(grpc::AsyncGenericService* service, QueueEvent* arrived);
  // To be called as `arrived` happens.
  void Begin(Reactions* reactions) {
    outstanding_->Add();
    reactions_ = reactions;
  }

  grpc::GenericServerContext& context() { return context_; }
  const grpc::GenericServerContext& context() const { return context_; }
  void TryCancel() { context_.TryCancel(); }

  // `into` stays until OnReadDone.
  void Read(grpc::ByteBuffer* into);
  // What is written may be let go of at once.
  void Write(const grpc::ByteBuffer& message, grpc::WriteOptions options);
  void SendHeaders();
  void Finish(const grpc::Status& status);
  void WriteAndFinish(const grpc::ByteBuffer& message);

 private:
  // An event of this wire.
  template <void (Wire::*kReaction)(bool)>
  class Event final : public QueueEvent {
   public:
    explicit Event(Wire* wire) : wire_(wire) {}
    void Happen(bool ok) override {
      (wire_->*kReaction)(ok);
      wire_->Returned();
    }

   private:
    Wire* const wire_;
  };

  void ReadDone(bool ok);
  void ReadAllThere(bool);
  void WriteDone(bool ok) { reactions_->OnWriteDone(ok); }
  void Nothing(bool) {}
  void Over(bool);
  void Asked() { owed_.fetch_add(1, std::memory_order_relaxed); }
  void Returned();

  grpc::ServerCompletionQueue* const queue_;
  Outstanding* const outstanding_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  Reactions* reactions_ = nullptr;
  // What the queue has yet to hand back: at first the end and the finish.
  std::atomic<int> owed_{2};
  bool gone_ = false;  // of the queue's thread
  std::unique_ptr<grpc::Alarm> behind_;
  Event<&Wire::ReadDone> read_{this};
  Event<&Wire::ReadAllThere> read_all_there_{this};
  Event<&Wire::WriteDone> write_{this};
  Event<&Wire::Nothing> headers_{this};
  Event<&Wire::Nothing> finish_{this};
  Event<&Wire::Over> over_{this};
};

}  // namespace transparency::rpc
