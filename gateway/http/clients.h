#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "gateway/http/options.h"
#include "gateway/rest/exchange.h"

namespace transparency::gateway::http {

// Whoever connects from one address: of IPv6 from one /64, since a host has all
// addresses below that. Lives as long as one of its connections.
class Client {
 public:
  // How many connections it has now.
  int connections() const { return connections_.load(); }

 private:
  friend class Clients;
  std::string key_;
  // Written under the mutex of Clients.
  std::atomic<int> connections_{0};
  int streams_ = 0;
  int calls_ = 0;
  std::atomic<size_t> held_{0};
};

// What clients hold of the places that all of them share: connections, streams,
// calls under way and bytes of bodies. Each place has room for so much, and one
// client gets at most its share of it (Options::address_share), so that nobody
// alone can take it from the others. Refusals are RESOURCE_EXHAUSTED, reason
// OVERLOADED, and say when to come again. Thread-safe.
class Clients {
 public:
  // Both outlive this; `observer` may be null.
  Clients(const Options& options, rest::Observer* observer)
      : options_(options), observer_(observer) {}

  // One more; when it is OK, the End of the same name must follow. `client` is
  // whoever has this IP address, and lives until then.
  absl::Status BeginConnection(absl::string_view address, Client** client);
  void EndConnection(Client* client);
  absl::Status BeginStream(Client* client);
  void EndStream(Client* client);
  absl::Status BeginCall(Client* client);
  void EndCall(Client* client);

  // The client holds `now` bytes where it held `before`.
  void Hold(Client* client, size_t before, size_t now);
  // A refusal when so much is held already that nothing more may be begun.
  absl::Status MayHoldMore(const Client& client) const;

  // Whether so few connections are left that those whose client keeps the
  // gateway waiting must go.
  bool crowded() const;
  // How many connections are then too many.
  int surplus() const;
  // Waits until no connection is open: true, or until the deadline: false.
  bool AwaitNoneOpen(absl::Time deadline);

 private:
  // What one client may have of `room`: at least 1, so that a small place is of
  // use at all.
  size_t ShareOf(size_t room) const;
  // `what` ends a sentence that begins "as many".
  absl::Status Check(absl::string_view what, size_t room, size_t taken,
                     size_t taken_by_client) const;

  const Options& options_;
  rest::Observer* const observer_;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, std::unique_ptr<Client>> clients_
      ABSL_GUARDED_BY(mutex_);
  // Written under the mutex.
  std::atomic<int> connections_{0};
  int streams_ ABSL_GUARDED_BY(mutex_) = 0;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::atomic<size_t> held_{0};
};

// A place that one connection has, given back when this goes. Not thread-safe.
class Place {
 public:
  using End = void (Clients::*)(Client*);

  Place() = default;
  Place(Clients* clients, Client* client, End end)
      : clients_(clients), client_(client), end_(end) {}
  Place(Place&& other) noexcept { *this = std::move(other); }
  Place& operator=(Place&& other) noexcept {
    std::swap(clients_, other.clients_);
    std::swap(client_, other.client_);
    std::swap(end_, other.end_);
    return *this;
  }
  ~Place() {
    if (clients_ != nullptr) (clients_->*end_)(client_);
  }
  Client* client() const { return client_; }

 private:
  Clients* clients_ = nullptr;
  Client* client_ = nullptr;
  End end_ = nullptr;
};

}  // namespace transparency::gateway::http
