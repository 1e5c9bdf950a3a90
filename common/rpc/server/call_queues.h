#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "common/rpc/server/wire.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/server_builder.h"

// Within common/rpc only.
namespace transparency::rpc {

// The completion queues of a server, each polled by one thread: a call is read,
// answered and written on the thread that polled its connection, where gRPC's
// callbacks would hand it from thread to thread.
class CallQueues {
 public:
  // `on_call` runs for each call on its queue's thread, and takes its wire; it
  // must not block.
  CallQueues(int count, std::function<void(std::unique_ptr<Wire>)> on_call);
  ~CallQueues() { Stop(); }
  CallQueues(const CallQueues&) = delete;
  CallQueues& operator=(const CallQueues&) = delete;

  // Makes the queues those of the server to be built. Once.
  void Register(grpc::ServerBuilder* builder);
  // Begins to take calls, once the server runs.
  void Start();
  // Waits for the last call to be over and joins the threads. To be called
  // between the shutdown of the server, if there is one, and its end.
  void Stop();

 private:
  struct Queue {
    std::unique_ptr<grpc::ServerCompletionQueue> queue;
    std::thread thread;
  };
  class Arrival;

  static void Poll(grpc::ServerCompletionQueue* queue);
  void AwaitCall(grpc::ServerCompletionQueue* queue);

  const int count_;
  const std::function<void(std::unique_ptr<Wire>)> on_call_;
  grpc::AsyncGenericService service_;
  Outstanding outstanding_;
  std::vector<Queue> queues_;
  bool stopped_ = false;
};

}  // namespace transparency::rpc
