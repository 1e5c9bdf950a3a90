#include "common/server/door.h"

#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/log/log.h"
#include "common/rpc/client_address.h"
#include "common/server/socket_address.h"

namespace transparency::server {
namespace {

constexpr uint64_t kListenerId = 0;
constexpr uint64_t kWakeId = 1;
constexpr int kEvents = 64;
// How long to wait with accepting when the process has no descriptors left.
constexpr absl::Duration kAcceptPause = absl::Milliseconds(50);
// How often so many connections are looked at for what they send unanswered;
// more of them less often, so that it costs a hundredth of a core at most.
constexpr absl::Duration kLookInterval = absl::Milliseconds(25);
constexpr int64_t kLookedAt = 256;
// Connections accepted before ends of others are looked at again.
constexpr int kAcceptedAtOnce = 64;

// HTTP/2's way to say no (RFC 9113, section 6.8): empty settings, then GOAWAY
// with ENHANCE_YOUR_CALM. A gRPC client turns it into UNAVAILABLE.
constexpr char kNoRoom[] =
    "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    "\x00\x00\x1c\x07\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x0btoo many connections";

std::string PeerKey(absl::string_view host, int port) {
  return absl::StrCat(host, " ", port);
}

// PeerKey of what gRPC calls a peer.
std::string KeyOfPeer(absl::string_view peer) {
  const size_t colon = peer.rfind(':');
  return absl::StrCat(
      rpc::HostOfPeer(peer), " ",
      colon == absl::string_view::npos ? "" : peer.substr(colon + 1));
}

bool IsShortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS ||
         error == ENOMEM;
}

}  // namespace

Door::Door(const DoorOptions& options, prometheus::Registry* registry)
    : options_(options),
      seats_(static_cast<size_t>(std::max(options.max_connections, 1))),
      log_(1),
      open_(prometheus::BuildGauge()
                .Name("grpc_connections")
                .Help("Connections of gRPC clients")
                .Register(*registry)
                .Add({})),
      refused_(prometheus::BuildCounter()
                   .Name("grpc_connections_refused_total")
                   .Help("Connections turned away at once, by cause")
                   .Register(*registry)),
      closed_(prometheus::BuildCounter()
                  .Name("grpc_connections_closed_total")
                  .Help("Connections closed because of their client, by cause")
                  .Register(*registry)) {}

absl::StatusOr<std::unique_ptr<Door>> Door::Open(
    const DoorOptions& options, prometheus::Registry* registry) {
  auto door = std::unique_ptr<Door>(new Door(options, registry));
  if (absl::Status status = door->Listen(); !status.ok()) return status;
  return door;
}

absl::Status Door::Listen() {
  auto endpoint = SocketAddress::Parse(options_.listen);
  if (!endpoint.ok()) return endpoint.status();
  const int family = endpoint->family();
  listener_ = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1, off = 0;
  // Lets a restart have the address of closed connections; a second process is
  // refused.
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (family == AF_INET6) {
    setsockopt(listener_, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  if (listener_ < 0 || bind(listener_, endpoint->get(), endpoint->size) != 0 ||
      listen(listener_, SOMAXCONN) != 0) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", options_.listen, ": ", std::strerror(errno)));
  }
  SocketAddress bound;
  getsockname(listener_, bound.get(), &bound.size);
  port_ = bound.port();
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kListenerId;
  if (epoll_ < 0 || wake_ < 0 ||
      epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event) != 0) {
    return absl::UnavailableError("no descriptors are left to listen with");
  }
  event.data.u64 = kWakeId;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
  return absl::OkStatus();
}

Door::~Door() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  Wake();
  if (thread_.joinable()) thread_.join();
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, guest] : guests_) close(guest.descriptor);
  }
  for (const int descriptor : {listener_, epoll_, wake_, spare_}) {
    if (descriptor >= 0) close(descriptor);
  }
}

void Door::Start(
    std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> server) {
  server_ = std::move(server);
  thread_ = std::thread([this] { Work(); });
}

void Door::Expect(int port) {
  absl::MutexLock lock(&mutex_);
  expected_ = port;
}

void Door::Wake() {
  const uint64_t one = 1;
  if (wake_ >= 0 && write(wake_, &one, sizeof(one)) < 0) {
    // It is full, and so wakes all the same.
  }
}

void Door::Work() {
  while (true) {
    epoll_event events[kEvents];
    absl::Duration pause = accept_again_ - absl::Now();
    if (pause <= absl::ZeroDuration()) pause = absl::InfiniteDuration();
    pause = std::min(pause,
                     std::max(look_again_ - absl::Now(), absl::ZeroDuration()));
    const int count = epoll_wait(
        epoll_, events, kEvents,
        pause == absl::InfiniteDuration()
            ? -1
            : static_cast<int>(absl::ToInt64Milliseconds(pause)) + 1);
    bool may_accept =
        accept_again_ != absl::InfinitePast() && absl::Now() >= accept_again_;
    for (int i = 0; i < count; ++i) {
      const uint64_t id = events[i].data.u64;
      if (id == kListenerId) {
        may_accept = true;
      } else if (id == kWakeId) {
        uint64_t ignored = 0;
        if (read(wake_, &ignored, sizeof(ignored)) < 0) continue;
      } else {
        Forget(id);
      }
    }
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      if (ending_) may_accept = false;
    }
    if (may_accept) Accept();
    LookAround();
  }
}

void Door::Accept() {
  if (accept_again_ != absl::InfinitePast()) {
    accept_again_ = absl::InfinitePast();
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kListenerId;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, listener_, &event);
  }
  for (int i = 0; i < kAcceptedAtOnce && AcceptOne(); ++i) {
  }
}

bool Door::AcceptOne() {
  SocketAddress peer;
  const int socket =
      accept4(listener_, peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket < 0) {
    if (IsShortage(errno)) OutOfDescriptors();
    return false;
  }
  LetIn(socket, peer.host(), peer.port());
  return true;
}

// Turns one client away with the descriptor that was kept for that, and waits:
// at once it would be the same again.
void Door::OutOfDescriptors() {
  refused_.Add({{"cause", "descriptors"}}).Increment();
  int64_t left_out = 0;
  if (log_.Allow(absl::Now(), &left_out)) {
    log::LogLine(spdlog::level::err, "no descriptor is left for a connection")
        .Number("port", port_);
  }
  if (spare_ >= 0) {
    close(spare_);
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket >= 0) close(socket);
    spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  accept_again_ = absl::Now() + kAcceptPause;
  epoll_event event{};
  event.data.u64 = kListenerId;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, listener_, &event);
}

const char* Door::TakeSeat(const std::string& host, int port,
                           rpc::Seats* seat) {
  const std::string share = rpc::ShareOfAddress(host);
  {
    absl::MutexLock lock(&mutex_);
    if (port == expected_) {
      expected_ = 0;
      return nullptr;
    }
    if (IsKeptOut(share)) return "penalty";
  }
  switch (seats_.Take(share)) {
    case rpc::SharedPlace::Taken::kYes:
      *seat = rpc::Seats(&seats_, share, 1);
      return nullptr;
    case rpc::SharedPlace::Taken::kFull:
      return "full";
    case rpc::SharedPlace::Taken::kOverShare:
      return "share";
  }
  return "full";
}

bool Door::IsKeptOut(const std::string& share) {
  const auto found = kept_out_.find(share);
  if (found == kept_out_.end()) return false;
  if (absl::Now() < found->second) return true;
  kept_out_.erase(found);
  return false;
}

void Door::TurnAway(int socket, const std::string& host, const char* cause) {
  // One attempt to say why, without waiting.
  send(socket, kNoRoom, sizeof(kNoRoom) - 1, MSG_NOSIGNAL);
  close(socket);
  refused_.Add({{"cause", cause}}).Increment();
  int64_t left_out = 0;
  if (log_.Allow(absl::Now(), &left_out)) {
    log::LogLine(spdlog::level::warn, "connection refused")
        .Text("address", host)
        .Text("cause", cause)
        .Number("left_out_before", static_cast<double>(left_out));
  }
}

void Door::LetIn(int socket, const std::string& host, int port) {
  Guest guest;
  const char* refusal = TakeSeat(host, port, &guest.seat);
  if (refusal != nullptr) return TurnAway(socket, host, refusal);
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  guest.descriptor = fcntl(socket, F_DUPFD_CLOEXEC, 0);
  if (guest.descriptor < 0) {
    close(socket);
    return OutOfDescriptors();
  }
  if (!GuardSocket(socket, guest.verdict)) {
    close(guest.descriptor);
    return TurnAway(socket, host, "full");
  }
  guest.peer = PeerKey(host, port);
  guest.share = rpc::ShareOfAddress(host);
  guest.resets_left = options_.resets_at_once;
  guest.refilled = absl::Now();
  {
    absl::MutexLock lock(&mutex_);
    if (ending_) {
      close(guest.descriptor);
      close(socket);
      return;
    }
    const uint64_t id = next_id_++;
    // Told of the end of both directions alone: gRPC, or Close, shuts a socket
    // down before it lets go of it.
    epoll_event event{};
    event.data.u64 = id;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, guest.descriptor, &event);
    by_peer_[guest.peer] = id;
    guests_.emplace(id, std::move(guest));
    open_.Set(static_cast<double>(guests_.size()));
  }
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
      connection;
  connection.listener_fd = listener_;
  connection.fd = socket;
  server_->HandleNewConnection(&connection);
}

void Door::Forget(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  const auto found = guests_.find(id);
  if (found == guests_.end()) return;
  // The peer's port may be in use again.
  const FrameGuard::Breach* broken = found->second.verdict->load();
  if (broken != nullptr) {
    if (broken->attack) KeepOut(found->second.share);
    Tell(broken->limit, found->second);
  }
  const auto named = by_peer_.find(found->second.peer);
  if (named != by_peer_.end() && named->second == id) by_peer_.erase(named);
  // Closing does not suffice: epoll goes on telling of the socket as long as
  // gRPC has it, which is until the last call on it is over.
  epoll_ctl(epoll_, EPOLL_CTL_DEL, found->second.descriptor, nullptr);
  close(found->second.descriptor);
  guests_.erase(found);
  open_.Set(static_cast<double>(guests_.size()));
}

Door::Guest* Door::Find(absl::string_view peer) {
  const auto named = by_peer_.find(KeyOfPeer(peer));
  if (named == by_peer_.end()) return nullptr;
  return &guests_.find(named->second)->second;
}

void Door::OnReset(absl::string_view peer) {
  absl::MutexLock lock(&mutex_);
  Guest* guest = Find(peer);
  if (guest == nullptr) return;
  const absl::Time now = absl::Now();
  guest->resets_left = std::min(
      options_.resets_at_once,
      guest->resets_left + absl::ToDoubleSeconds(now - guest->refilled) *
                               options_.resets_per_second);
  guest->refilled = now;
  guest->resets_left -= 1;
  if (guest->resets_left < 0) Cut("resets", guest);
}

void Door::Close(absl::string_view peer) {
  absl::MutexLock lock(&mutex_);
  Guest* guest = Find(peer);
  if (guest != nullptr) Cut("untaken", guest);
}

int64_t Door::Guest::Unanswered() {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
    return 0;
  }
  const auto received = static_cast<int64_t>(info.tcpi_bytes_received);
  const auto sent_now = static_cast<int64_t>(info.tcpi_bytes_sent);
  if (std::exchange(sent, sent_now) != sent_now) heard = received;
  return received - heard;
}

void Door::LookAround() {
  const absl::Time now = absl::Now();
  absl::MutexLock lock(&mutex_);
  const auto guests = static_cast<int64_t>(guests_.size());
  if (guests == 0) {
    look_again_ = absl::InfiniteFuture();
  } else if (look_again_ == absl::InfiniteFuture() || now >= look_again_) {
    CutMonologues();
    look_again_ = now + kLookInterval * (1 + guests / kLookedAt);
  }
}

void Door::CutMonologues() {
  absl::flat_hash_map<absl::string_view, int64_t> of_address;
  std::vector<std::pair<int64_t, Guest*>> speaking;
  for (auto& [id, guest] : guests_) {
    const int64_t unanswered = guest.Unanswered();
    if (unanswered > options_.unanswered_bytes) {
      Cut("unanswered", &guest);
    } else if (unanswered > options_.unanswered_bytes / 16) {
      of_address[guest.share] += unanswered;
      speaking.emplace_back(unanswered, &guest);
    }
  }
  for (const auto& [unanswered, guest] : speaking) {
    if (of_address[guest->share] > 4 * options_.unanswered_bytes) {
      Cut("unanswered", guest);
    }
  }
}

void Door::Cut(const char* cause, Guest* guest) {
  if (std::exchange(guest->cut, true)) return;
  // Also drops what has come and is not read yet, unlike shutdown.
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  if (connect(guest->descriptor, &none, sizeof(none)) != 0) {
    shutdown(guest->descriptor, SHUT_RDWR);
  }
  KeepOut(guest->share);
  Tell(cause, *guest);
}

void Door::KeepOut(const std::string& share) {
  const absl::Time now = absl::Now();
  constexpr size_t kMany = 1024;
  if (kept_out_.size() > kMany) {
    absl::erase_if(kept_out_,
                   [now](const auto& kept) { return kept.second <= now; });
  }
  kept_out_[share] = now + options_.penalty;
}

void Door::Tell(const char* cause, const Guest& guest) {
  closed_.Add({{"cause", cause}}).Increment();
  int64_t left_out = 0;
  if (log_.Allow(absl::Now(), &left_out)) {
    log::LogLine(spdlog::level::warn, "connection closed")
        .Text("peer", guest.peer)
        .Text("cause", cause)
        .Number("left_out_before", static_cast<double>(left_out));
  }
}

void Door::EndConnections(absl::Time deadline) {
  absl::MutexLock lock(&mutex_);
  ending_ = true;
  for (const auto& [id, guest] : guests_) {
    shutdown(guest.descriptor, SHUT_WR);
  }
  mutex_.AwaitWithDeadline(absl::Condition(this, &Door::Empty), deadline);
}

}  // namespace transparency::server
