#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "gateway/http/compression.h"
#include "gateway/http/front.h"
#include "gateway/http/options.h"
#include "gateway/invoker/invoker.h"

namespace transparency::gateway::http {

class Connection;

// What all connections of a server share.
struct Shared {
  Options options;
  std::unique_ptr<Front> front;
  Invoker* invoker = nullptr;
  Observer* observer = nullptr;  // may be null

  // Connections open, over all workers.
  absl::Mutex mutex;
  int open ABSL_GUARDED_BY(mutex) = 0;

  // False when there are as many as may be.
  bool TryOpen();
  void Closed();
  void CutOff(absl::string_view why);

  // Streams open, over all workers; the same.
  std::atomic<int> streams{0};
  bool TryOpenStream();
  void StreamClosed();

  // Bytes of bodies held now, over all workers.
  std::atomic<size_t> held{0};
  bool Full() const { return held.load() > options.max_held_bytes; }
};

// One thread and the connections that live on it. All but Start, Drain, Stop
// and the destructor run on that thread.
class Worker {
 public:
  explicit Worker(Shared* shared);
  ~Worker();

  void Start();
  // Asks; they return at once.
  void Drain();
  void Stop();
  // After Stop.
  void Join();

  // On any thread: takes over a connection just accepted.
  void Adopt(boost::asio::ip::tcp::socket socket);
  void Remove(const std::shared_ptr<Connection>& connection);

  boost::asio::io_context& context() { return context_; }
  Shared& shared() { return shared_; }
  Gzip& gzip() { return gzip_; }
  bool draining() const { return draining_; }
  // The value of the Date header, made anew each second.
  const std::string& date();

 private:
  void Tick();

  Shared& shared_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type>
      work_;
  // One timer for the time-outs of all connections: moving a timer at each
  // step of each request would cost more than looking at all of them now and
  // then.
  boost::asio::steady_timer tick_;
  const std::chrono::nanoseconds tick_interval_;
  Gzip gzip_;
  absl::flat_hash_set<std::shared_ptr<Connection>> connections_;
  bool draining_ = false;
  bool stopping_ = false;
  absl::Time date_second_ = absl::InfinitePast();
  std::string date_;
  std::thread thread_;
};

}  // namespace transparency::gateway::http
