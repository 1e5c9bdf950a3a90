#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gateway/http/options.h"
#include "gateway/invoker/invoker.h"
#include "gateway/rest/exchange.h"
#include "google/protobuf/descriptor.h"

namespace transparency::gateway::http {

// The gateway's HTTP port: HTTP/1.1 in, calls through the invoker out.
//
// A connection belongs to one thread of the server from its first byte to its
// last, and serves its requests one after another, so that pipelined ones are
// answered in order. A client that goes away cancels its call; also one that
// only closes its sending side, which cannot be told from it.
class Server {
 public:
  // `services` are those with google.api.http bindings to serve (ServicesOf in
  // route_table.h); their pool, `invoker` and `observer` (which may be null)
  // outlive the server.
  Server(Options options,
         std::vector<const google::protobuf::ServiceDescriptor*> services,
         Invoker* invoker, rest::Observer* observer);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // Stops.
  ~Server();

  // Binds and serves. Fails on conflicting bindings (naming both methods) and
  // when the address cannot be had. At most once.
  absl::Status Start();

  // The port bound; after Start.
  int port() const;

  // Accepts no more connections, closes those without a request, finishes what
  // runs (answers carry "Connection: close") and returns once all are closed,
  // true, or at the deadline, false. /readyz says no from now on.
  bool Drain(absl::Time deadline);

  // Closes all connections, cancels their calls and joins the threads.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace transparency::gateway::http
