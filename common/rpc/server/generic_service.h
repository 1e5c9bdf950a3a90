#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/caller_directory.h"
#include "common/rpc/method_table.h"
#include "common/rpc/server/call_queues.h"
#include "grpcpp/server_builder.h"
#include "prometheus/registry.h"

namespace transparency::rpc {

// Looks at, and may normalise, each parsed request before its handler.
using RequestCheck = std::function<absl::Status(google::protobuf::Message&)>;

// May hold a parsed and checked call of this process's own methods back before
// its handler. True: go on at once. False: `resume` is called once, on any
// thread, with OK to go on or with the refusal. Must not block.
using Admission = std::function<bool(const std::shared_ptr<Call>& call,
                                     std::function<void(absl::Status)> resume)>;

struct ServiceOptions {
  // Domain of every ErrorInfo made here: "certification.transparency".
  std::string domain;
  // Null: no token is known, everybody is the public.
  std::shared_ptr<CallerDirectory> callers;
  RequestCheck check_request;
  // Null: every call goes on at once.
  Admission admission;
  // Caps of a call's time; the client's deadline may be earlier.
  absl::Duration max_call_time = absl::Seconds(30);
  absl::Duration max_stream_time = absl::Hours(1);
  // Of one serialized request message.
  size_t max_request_bytes = 1 << 20;
  // Of a call's headers together, each with 32 bytes more than its name and
  // value (RFC 9113, section 6.5.2). The gateway takes half of what owners do,
  // for it adds some of its own.
  size_t max_header_bytes = 16 << 10;
  // Unary calls and streams under way, and bytes of answers that clients have
  // yet to take; more are refused with OVERLOADED. One caller, a subject or
  // else an address, gets a quarter of each.
  size_t max_calls = 4096;
  size_t max_streams = 10'000;
  size_t max_untaken_bytes = 256 << 20;
  // How long a client may leave the end of its call untaken.
  absl::Duration max_taking_time = absl::Seconds(5);
  // Told the connection (grpc::ServerContextBase::peer) of a client that has
  // taken back a call before it was answered, and of one that leaves more
  // refusals untaken than it may. Empty: nobody is told.
  std::function<void(const std::string& peer)> on_reset;
  std::function<void(const std::string& peer)> on_untaken;
  // Lines a second in the log about failed calls of callers without a name.
  double anonymous_log_rate = 20;
  // Completion queues, each with a thread that polls it.
  int queues =
      static_cast<int>(std::max(std::thread::hardware_concurrency(), 1u));
  // The read pool, for rows with Place::kPool.
  int pool_threads = 2;
  size_t pool_queue = 512;
};

// Serves a method table: the one place where caller, access, deadline, limits,
// the exception barrier, metrics and log happen.
class GenericService {
 public:
  // `table` has passed its Check and, like `registry`, outlives the service.
  GenericService(const MethodTable* table, ServiceOptions options,
                 prometheus::Registry* registry);
  // Shuts down at once.
  ~GenericService();
  GenericService(const GenericService&) = delete;
  GenericService& operator=(const GenericService&) = delete;

  // Builds the server and begins to take calls. Once.
  absl::Status Serve(grpc::ServerBuilder* builder);
  // Takes no more calls, waits for those under way, and cancels what still runs
  // at the deadline. Connections end.
  void Shutdown(absl::Time deadline);

  // From now on new calls are refused with UNAVAILABLE, reason DRAINING, and
  // streams that only their client would end are ended so. Unary calls go on.
  // Health and reflection answer still.
  void StartDraining();

  // Calls that were let in and are not over, streams included.
  int running() const;
  // Waits until there is none, after StartDraining. False at the deadline.
  bool WaitUntilIdle(absl::Time deadline) const;

  class Core;

 private:
  void OnCall(std::unique_ptr<Wire> wire);

  const std::unique_ptr<Core> core_;
  CallQueues queues_;  // its threads use core_
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace transparency::rpc
