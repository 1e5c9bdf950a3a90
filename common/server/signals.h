#pragma once

#include <functional>
#include <thread>

namespace transparency::server {

// Waits for SIGTERM and SIGINT in a thread of its own, for a handler must not
// call gRPC. The signals must be blocked in every thread. One at a time.
class SignalWatch {
 public:
  // `reaction` runs for each signal, on the watch's thread.
  explicit SignalWatch(std::function<void(int signal)> reaction);
  // Stops waiting and joins.
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  void Wait();

  const std::function<void(int)> reaction_;
  const int signals_;  // signalfd
  const int end_;      // eventfd
  std::thread thread_;
};

}  // namespace transparency::server
