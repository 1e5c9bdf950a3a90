#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/log/log_sampler.h"
#include "common/rpc/shared_place.h"
#include "common/server/guarded_sockets.h"
#include "grpcpp/server_builder.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"

namespace transparency::server {

struct DoorOptions {
  // host:port; port 0 takes a free one.
  std::string listen;
  // Connections at one time; one address gets a quarter of them at most.
  int max_connections = 4096;
  // Calls of one connection that its client may take back before they are
  // answered: so many a second, and so many at once.
  double resets_per_second = 100;
  double resets_at_once = 500;
  // Bytes that one connection may send while not a byte is sent to it; four
  // times as many for all connections of one address. HTTP/2 has a server speak
  // at least once a window (of messages, at most one of them and a bit), but a
  // block of headers may go on for ever, and gRPC 1.51 keeps what comes of it
  // though it has refused the call.
  int64_t unanswered_bytes = int64_t{8} << 20;
  // How long an address is kept out whose connection was closed for one of
  // these.
  absl::Duration penalty = absl::Seconds(10);
};

// Accepts the connections of a gRPC server in its place. gRPC 1.51 gives a
// listener up for good when a descriptor is missing once, knows no bound of
// connections, none of calls that are taken back as soon as they are made, and
// none of a block of headers; this keeps all four. Each connection takes two
// descriptors, one of them here, by which its end is seen and can be brought
// about. Thread-safe.
class Door {
 public:
  // Binds and listens; accepts nothing yet. UNAVAILABLE when the address cannot
  // be had.
  static absl::StatusOr<std::unique_ptr<Door>> Open(
      const DoorOptions& options, prometheus::Registry* registry);
  // Stops accepting and joins. Connections go on.
  ~Door();
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  int port() const { return port_; }

  // Begins to accept, once the server runs.
  void Start(
      std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> server);

  // The next connection from this port of the loopback is let in whatever the
  // bounds say: this process asks itself whether it answers.
  void Expect(int port);

  // The client at `peer` (grpc::ServerContextBase::peer) has taken a call back.
  // Its connection is closed when it does so too often.
  void OnReset(absl::string_view peer);
  // Closes a connection at once; what it has sent and nobody has read is lost.
  void Close(absl::string_view peer);

  // Ends our side (FIN) of every connection, accepts no more, and waits until
  // the peers have ended theirs, until `deadline` at most. What is written
  // already still arrives; were a socket closed while its peer sends, the peer
  // would meet a reset and might not read what it was sent.
  void EndConnections(absl::Time deadline);

 private:
  struct Guest {
    std::string peer;
    std::string share;  // of its address
    int descriptor = -1;
    rpc::Seats seat;
    double resets_left = 0;
    absl::Time refilled;
    int64_t sent = 0;   // to it, at the last look
    int64_t heard = 0;  // how much it had sent when that was less
    bool cut = false;
    // The guard of the socket says here why it has cut the connection.
    std::shared_ptr<Verdict> verdict = std::make_shared<Verdict>(nullptr);

    // Looks at how much has been sent either way; returns what it has sent
    // since it was last seen to get an answer.
    int64_t Unanswered();
  };

  Door(const DoorOptions& options, prometheus::Registry* registry);
  absl::Status Listen();
  void Work();
  void Accept();
  // False when there is none to accept, or for now none can be.
  bool AcceptOne();
  void LetIn(int socket, const std::string& host, int port);
  // Null when this client may come in, else why not.
  const char* TakeSeat(const std::string& host, int port, rpc::Seats* seat);
  void TurnAway(int socket, const std::string& host, const char* cause);
  void OutOfDescriptors();
  void Forget(uint64_t id);
  void Wake();
  // Looks at the guests from time to time, as long as there are any.
  void LookAround();
  // Cuts off those who send without end and are told nothing.
  void CutMonologues() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Cut(const char* cause, Guest* guest)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Refuses the address for a while.
  void KeepOut(const std::string& share) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Counts and logs that a connection was closed because of its client.
  void Tell(const char* cause, const Guest& guest)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsKeptOut(const std::string& share)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Guest* Find(absl::string_view peer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Empty() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return guests_.empty();
  }

  const DoorOptions options_;
  int port_ = 0;
  int listener_ = -1;
  int epoll_ = -1;
  int wake_ = -1;
  int spare_ = -1;  // a descriptor to give back when there are no others
  absl::Time accept_again_ = absl::InfinitePast();  // of the thread alone
  absl::Time look_again_ = absl::InfiniteFuture();  // likewise
  rpc::SharedPlace seats_;
  log::LogSampler log_;
  prometheus::Gauge& open_;
  prometheus::Family<prometheus::Counter>& refused_;
  prometheus::Family<prometheus::Counter>& closed_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> server_;
  std::thread thread_;

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  int expected_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 2;
  absl::flat_hash_map<uint64_t, Guest> guests_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, uint64_t> by_peer_ ABSL_GUARDED_BY(mutex_);
  // Addresses that are kept out until then; few, since old ones are dropped.
  absl::flat_hash_map<std::string, absl::Time> kept_out_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace transparency::server
