#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/http/clients.h"
#include "gateway/http/compression.h"
#include "gateway/http/front.h"
#include "gateway/http/heavy_work.h"
#include "gateway/http/host.h"
#include "gateway/http/options.h"
#include "gateway/invoker/invoker.h"

namespace transparency::gateway::http {

class Connection;

// What all connections of a server share.
struct Shared {
  Options options;
  std::unique_ptr<Front> front;
  Invoker* invoker = nullptr;
  rest::Observer* observer = nullptr;  // may be null

  std::unique_ptr<const HostRule> hosts;
  // What the clients of all workers have of it.
  std::unique_ptr<Clients> clients;
  HeavyWork heavy_work;

  void CutOff(absl::string_view why, absl::string_view address);
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

  // On any thread: takes over a connection just accepted from `address`.
  void Adopt(boost::asio::ip::tcp::socket socket, std::string address,
             Place place);
  // On any thread: ends connections whose clients keep it waiting, if there are
  // too many connections.
  void Relieve();
  void Remove(const std::shared_ptr<Connection>& connection);

  boost::asio::io_context& context() { return context_; }
  Shared& shared() { return shared_; }
  Gzip& gzip() { return gzip_; }
  bool draining() const { return draining_; }
  // The value of the Date header, made anew each second.
  const std::string& date();

 private:
  void Tick();
  void EndWaiting();

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
  std::chrono::steady_clock::time_point next_relief_;
  bool draining_ = false;
  bool stopping_ = false;
  absl::Time date_second_ = absl::InfinitePast();
  std::string date_;
  std::thread thread_;
};

}  // namespace transparency::gateway::http
