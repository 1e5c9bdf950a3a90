#include "common/rpc/server/call_queues.h"

#include <utility>

namespace transparency::rpc {
namespace {

// Calls that gRPC may hand over without being asked again.
constexpr int kAwaitedAtOnce = 16;

}  // namespace

// Waits for one call.
class CallQueues::Arrival final : public QueueEvent {
 public:
  Arrival(CallQueues* queues, grpc::ServerCompletionQueue* queue)
      : queues_(queues),
        queue_(queue),
        wire_(std::make_unique<Wire>(queue, &queues->outstanding_)) {}

  void Await() {
    queues_->outstanding_.Add();
    wire_->Await(&queues_->service_, this);
  }

  void Happen(bool ok) override {
    const std::unique_ptr<Arrival> self(this);
    if (ok) {
      queues_->AwaitCall(queue_);
      queues_->on_call_(std::move(wire_));
    }
    queues_->outstanding_.Drop();
  }

 private:
  CallQueues* const queues_;
  grpc::ServerCompletionQueue* const queue_;
  std::unique_ptr<Wire> wire_;
};

CallQueues::CallQueues(int count,
                       std::function<void(std::unique_ptr<Wire>)> on_call)
    : count_(count), on_call_(std::move(on_call)) {}

void CallQueues::Stop() {
  if (std::exchange(stopped_, true)) return;
  outstanding_.WaitForNone();
  for (Queue& queue : queues_) queue.queue->Shutdown();
  for (Queue& queue : queues_) {
    if (queue.thread.joinable()) {
      queue.thread.join();
    } else {
      Poll(queue.queue.get());
    }
  }
}

void CallQueues::Register(grpc::ServerBuilder* builder) {
  builder->RegisterAsyncGenericService(&service_);
  for (int i = 0; i < count_; ++i) {
    queues_.push_back({builder->AddCompletionQueue(), {}});
  }
}

void CallQueues::Start() {
  for (Queue& queue : queues_) {
    for (int i = 0; i < kAwaitedAtOnce; ++i) AwaitCall(queue.queue.get());
    queue.thread = std::thread([polled = queue.queue.get()] { Poll(polled); });
  }
}

void CallQueues::AwaitCall(grpc::ServerCompletionQueue* queue) {
  (new Arrival(this, queue))->Await();
}

void CallQueues::Poll(grpc::ServerCompletionQueue* queue) {
  void* event = nullptr;
  bool ok = false;
  while (queue->Next(&event, &ok)) {
    static_cast<QueueEvent*>(event)->Happen(ok);
  }
}

}  // namespace transparency::rpc
