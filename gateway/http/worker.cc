#include "gateway/http/worker.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <exception>
#include <tuple>
#include <utility>
#include <vector>

#include "gateway/http/connection.h"

namespace transparency::gateway::http {
namespace {

namespace asio = boost::asio;

// Looking at all connections for those that may go costs time too.
constexpr auto kReliefInterval = std::chrono::milliseconds(50);

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

void Shared::CutOff(absl::string_view why, absl::string_view address) {
  if (observer != nullptr) observer->OnCutOff(why, address);
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
  thread_ = std::thread([this] {
    while (true) {
      try {
        context_.run();
        return;
      } catch (const std::exception&) {
        // A handler ran out of memory: what it was about is lost, the others'
        // connections go on.
      }
    }
  });
}

void Worker::Tick() {
  if (stopping_) return;
  const auto now = std::chrono::steady_clock::now();
  for (const auto& connection : connections_) connection->Tick(now);
  EndWaiting();
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

void Worker::Adopt(asio::ip::tcp::socket socket, std::string address,
                   Place place) {
  asio::post(
      context_, [this, socket = std::move(socket), address = std::move(address),
                 place = std::move(place)]() mutable {
        if (stopping_) return;
        auto connection = std::make_shared<Connection>(
            std::move(socket), std::move(address), std::move(place), this);
        connections_.insert(connection);
        connection->Start();
      });
}

void Worker::Relieve() {
  if (!shared_.clients->crowded()) return;
  asio::post(context_, [this] { EndWaiting(); });
}

void Worker::EndWaiting() {
  const auto now = std::chrono::steady_clock::now();
  if (!shared_.clients->crowded() || now < next_relief_) return;
  next_relief_ = now + kReliefInterval;
  // By how many connections its address has, most first, then by how long it
  // has waited. The counts are taken once: other threads change them.
  std::vector<
      std::tuple<int, std::chrono::steady_clock::time_point, Connection*>>
      waiting;
  for (const auto& connection : connections_) {
    if (!connection->KeepsWaiting(now)) continue;
    waiting.emplace_back(-connection->client().connections(),
                         connection->waits_since(), connection.get());
  }
  std::sort(waiting.begin(), waiting.end());
  // Each worker ends its part.
  const int threads = std::max(1, shared_.options.threads);
  const auto most =
      static_cast<size_t>((shared_.clients->surplus() + threads - 1) / threads);
  if (waiting.size() > most) waiting.resize(most);
  for (const auto& [count, since, connection] : waiting) {
    connection->GiveWay(now);
  }
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
