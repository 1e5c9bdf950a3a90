#include "gateway/http/clients.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/rpc/client_address.h"
#include "common/status/refusals.h"

namespace transparency::gateway::http {
namespace {

// When whoever was refused is to come again.
constexpr absl::Duration kComeAgain = absl::Seconds(1);
constexpr absl::Duration kComeAgainForStream = absl::Seconds(5);

}  // namespace

size_t Clients::ShareOf(size_t room) const {
  const auto parts = static_cast<size_t>(std::max(1, options_.address_share));
  return std::max<size_t>(1, room / parts);
}

absl::Status Clients::Check(absl::string_view what, size_t room, size_t taken,
                            size_t taken_by_client) const {
  std::string message;
  if (taken >= room) {
    message = absl::StrCat("The gateway has as many ", what, " as it may, ",
                           room, "; try again later.");
  } else if (taken_by_client >= ShareOf(room)) {
    message =
        absl::StrCat("Your address has as many ", what, " as one may have, ",
                     ShareOf(room), "; end some of them, or try again later.");
  } else {
    return absl::OkStatus();
  }
  return status::Overloaded(
      message, what == "streams open" ? kComeAgainForStream : kComeAgain);
}

absl::Status Clients::BeginConnection(absl::string_view address,
                                      Client** client) {
  std::string key = rpc::ShareOfAddress(address);
  int now_open = 0;
  {
    absl::MutexLock lock(&mutex_);
    const auto known = clients_.find(key);
    const int of_client =
        known == clients_.end() ? 0 : known->second->connections();
    absl::Status status =
        Check("connections open", static_cast<size_t>(options_.max_connections),
              static_cast<size_t>(connections_.load()),
              static_cast<size_t>(of_client));
    if (!status.ok()) return status;
    if (known == clients_.end()) {
      auto added = std::make_unique<Client>();
      added->key_ = key;
      *client = added.get();
      clients_.emplace(std::move(key), std::move(added));
    } else {
      *client = known->second.get();
    }
    ++(*client)->connections_;
    now_open = ++connections_;
  }
  if (observer_ != nullptr) observer_->OnConnections(now_open);
  return absl::OkStatus();
}

void Clients::EndConnection(Client* client) {
  int now_open = 0;
  {
    absl::MutexLock lock(&mutex_);
    now_open = --connections_;
    if (--client->connections_ == 0) clients_.erase(std::string(client->key_));
  }
  if (observer_ != nullptr) observer_->OnConnections(now_open);
}

absl::Status Clients::BeginStream(Client* client) {
  int now_open = 0;
  {
    absl::MutexLock lock(&mutex_);
    absl::Status status = Check(
        "streams open", static_cast<size_t>(options_.max_streams),
        static_cast<size_t>(streams_), static_cast<size_t>(client->streams_));
    if (!status.ok()) return status;
    ++client->streams_;
    now_open = ++streams_;
  }
  if (observer_ != nullptr) observer_->OnStreams(now_open);
  return absl::OkStatus();
}

void Clients::EndStream(Client* client) {
  int now_open = 0;
  {
    absl::MutexLock lock(&mutex_);
    --client->streams_;
    now_open = --streams_;
  }
  if (observer_ != nullptr) observer_->OnStreams(now_open);
}

absl::Status Clients::BeginCall(Client* client) {
  absl::MutexLock lock(&mutex_);
  absl::Status status =
      Check("calls under way", static_cast<size_t>(options_.max_calls),
            static_cast<size_t>(calls_), static_cast<size_t>(client->calls_));
  if (!status.ok()) return status;
  ++client->calls_;
  ++calls_;
  return absl::OkStatus();
}

void Clients::EndCall(Client* client) {
  absl::MutexLock lock(&mutex_);
  --client->calls_;
  --calls_;
}

void Clients::Hold(Client* client, size_t before, size_t now) {
  // Unsigned arithmetic wraps to the right sum.
  held_ += now - before;
  client->held_ += now - before;
}

absl::Status Clients::MayHoldMore(const Client& client) const {
  return Check("bytes of requests and answers waiting", options_.max_held_bytes,
               held_, client.held_);
}

bool Clients::crowded() const {
  return connections_ > options_.max_connections * 7 / 8;
}

int Clients::surplus() const {
  return std::max(0, connections_ - options_.max_connections * 3 / 4);
}

bool Clients::AwaitNoneOpen(absl::Time deadline) {
  const auto none_open = [this] { return connections_ == 0; };
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithDeadline(absl::Condition(&none_open), deadline);
}

}  // namespace transparency::gateway::http
