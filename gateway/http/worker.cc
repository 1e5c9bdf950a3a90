#include "gateway/http/worker.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "gateway/http/connection.h"

namespace transparency::gateway::http {
namespace {

namespace asio = boost::asio;

// Time-outs are kept to a quarter of the shortest, or a second.
std::chrono::nanoseconds TickInterval(const Options& options) {
  const absl::Duration shortest =
      std::min({options.head_timeout, options.body_timeout,
                options.write_timeout, options.idle_timeout,
                options.heartbeat_interval, options.first_message_patience});
  return absl::ToChronoNanoseconds(std::max(
      absl::Milliseconds(5), std::min(shortest / 4, absl::Seconds(1))));
}

}  // namespace

bool Shared::TryOpen() {
  int now_open = 0;
  {
    absl::MutexLock lock(&mutex);
    if (open >= options.max_connections) return false;
    now_open = ++open;
  }
  if (observer != nullptr) observer->OnConnections(now_open);
  return true;
}

void Shared::Closed() {
  int now_open = 0;
  {
    absl::MutexLock lock(&mutex);
    now_open = --open;
  }
  if (observer != nullptr) observer->OnConnections(now_open);
}

bool Shared::TryOpenStream() {
  const int now_open = ++streams;
  if (now_open > options.max_streams) {
    --streams;
    return false;
  }
  if (observer != nullptr) observer->OnStreams(now_open);
  return true;
}

void Shared::StreamClosed() {
  const int now_open = --streams;
  if (observer != nullptr) observer->OnStreams(now_open);
}

void Shared::CutOff(absl::string_view why) {
  if (observer != nullptr) observer->OnCutOff(why);
}

Worker::Worker(Shared* shared)
    : shared_(*shared),
      context_(1),
      work_(asio::make_work_guard(context_)),
      tick_(context_),
      tick_interval_(TickInterval(shared->options)) {}

Worker::~Worker() = default;

void Worker::Start() {
  asio::post(context_, [this] { Tick(); });
  thread_ = std::thread([this] { context_.run(); });
}

void Worker::Tick() {
  if (stopping_) return;
  const auto now = std::chrono::steady_clock::now();
  for (const auto& connection : connections_) connection->Tick(now);
  tick_.expires_after(
      std::chrono::duration_cast<asio::steady_timer::duration>(tick_interval_));
  tick_.async_wait([this](boost::system::error_code error) {
    if (!error) Tick();
  });
}

void Worker::Drain() {
  asio::post(context_, [this] {
    draining_ = true;
    for (const auto& connection : connections_) connection->BeginDrain();
  });
}

void Worker::Stop() {
  asio::post(context_, [this] {
    draining_ = stopping_ = true;
    for (const auto& connection : connections_) connection->Abort();
    tick_.cancel();
    work_.reset();
  });
}

void Worker::Join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::Adopt(asio::ip::tcp::socket socket) {
  asio::post(context_, [this, socket = std::move(socket)]() mutable {
    auto connection = std::make_shared<Connection>(std::move(socket), this);
    if (stopping_) return;
    connections_.insert(connection);
    connection->Start();
  });
}

void Worker::Remove(const std::shared_ptr<Connection>& connection) {
  connections_.erase(connection);
}

const std::string& Worker::date() {
  const absl::Time second =
      absl::FromUnixSeconds(absl::ToUnixSeconds(shared_.options.now()));
  if (second != date_second_) {
    date_second_ = second;
    date_ = absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", second,
                             absl::UTCTimeZone());
  }
  return date_;
}

}  // namespace transparency::gateway::http
