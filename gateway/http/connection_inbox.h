#pragma once

#include <boost/asio/post.hpp>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "gateway/http/connection.h"

// Within the connection only.
namespace transparency::gateway::http {

// Where the invoker's threads leave what they have for a connection, which may
// be gone by then, and what holds the call meanwhile.
class Connection::Inbox : public std::enable_shared_from_this<Inbox> {
 public:
  explicit Inbox(Connection* connection) : connection_(connection) {}

  // On any thread: runs `reaction` with the connection on its worker's thread,
  // unless it has detached by then.
  template <class Reaction>
  void Post(Reaction reaction) {
    absl::MutexLock lock(&mutex_);
    if (connection_ == nullptr) return;
    // The lock keeps the connection, and with it the worker, from going away
    // until the handler is posted.
    boost::asio::post(
        connection_->worker_.context(),
        [self = shared_from_this(), reaction = std::move(reaction)]() mutable {
          Connection* connection = self->connection();
          if (connection != nullptr) reaction(connection);
        });
  }

  // On the worker's thread, like Detach.
  void Hold(std::unique_ptr<Cancel> handle) {
    absl::MutexLock lock(&mutex_);
    handle_ = std::move(handle);
  }

  // The connection waits no longer. Cancels the call if it still runs.
  void Detach() {
    std::unique_ptr<Cancel> handle;
    absl::MutexLock lock(&mutex_);
    connection_ = nullptr;
    handle = std::move(handle_);
    // `handle` goes after the lock.
  }

 private:
  Connection* connection() {
    absl::MutexLock lock(&mutex_);
    return connection_;
  }

  absl::Mutex mutex_;
  Connection* connection_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Cancel> handle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace transparency::gateway::http
