#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/rpc/caller_directory.h"

namespace transparency::gateway::http {

struct Options {
  // "127.0.0.1:7180" or "[::1]:7180"; port 0 picks one.
  std::string listen = "127.0.0.1:7180";
  // Each has its own connections and runs JSON too; 1 or 2 suffice.
  int threads = 1;

  // Connections open at one time, streams of answers among them; well below
  // what descriptors the process may have, which others need too.
  int max_connections = 4'000;
  // One address (of IPv6 one /64) gets at most this fraction, 1 in so many, of
  // the connections, streams, calls and held bytes; more are
  // RESOURCE_EXHAUSTED. 1 lets one address have all, for a gateway behind a
  // proxy that is the only address it sees.
  int address_share = 4;
  // Unary calls under way at one time; more are RESOURCE_EXHAUSTED.
  int max_calls = 1'024;
  size_t max_head_bytes = 16 * 1024;    // more is 431
  size_t max_target_bytes = 8 * 1024;   // more is 414
  size_t max_body_bytes = 1024 * 1024;  // more is 413; owners take as much
  int max_json_depth = 64;
  // Names and values of a body's JSON together.
  int max_json_values = 50'000;
  // What a request's headers become in the call to the owner, as HTTP/2 counts
  // them (name, value and 32 bytes each); more is 431. An owner ends the whole
  // connection, with the calls of all clients on it, over headers that are
  // longer than it takes: so this is half of that.
  size_t max_onward_header_bytes = 8 * 1024;
  size_t min_gzip_bytes = 1024;
  // Bodies of requests and answers held at one time, over all connections;
  // beyond it new calls are RESOURCE_EXHAUSTED, so that slow clients cannot
  // fill the memory.
  size_t max_held_bytes = 512 * 1024 * 1024;

  // From a request's first byte to the end of its head, from there to the end
  // of its body, for writing one answer, and between two requests.
  absl::Duration head_timeout = absl::Seconds(10);
  absl::Duration body_timeout = absl::Seconds(30);
  absl::Duration write_timeout = absl::Seconds(30);
  absl::Duration idle_timeout = absl::Seconds(75);
  // The same between two requests, and before the first, while more than 7 in 8
  // connections are taken. Of the other three a tenth suffices then to close a
  // connection. Those go first whose address has most of them, and so many that
  // 1 in 4 is free again.
  absl::Duration crowded_idle_timeout = absl::Seconds(1);
  // How long a draining server waits for the next request of a connection: it
  // may be under way, and is then answered with "Connection: close".
  absl::Duration drain_idle_timeout = absl::Seconds(1);

  // Of a call without X-Server-Timeout, and the longest that it can ask for.
  absl::Duration default_call_timeout = absl::Seconds(10);
  absl::Duration max_call_timeout = absl::Seconds(60);

  // The same of a stream.
  absl::Duration max_stream_time = absl::InfiniteDuration();
  // Streams open at one time; more are RESOURCE_EXHAUSTED.
  int max_streams = 3'000;
  // How long an accepted stream waits for its first message before the answer's
  // head goes out without it: a refusal may come right behind the headers, and
  // is to have its HTTP status.
  absl::Duration first_message_patience = absl::Seconds(1);
  // An idle stream of server-sent events gets a comment this often, so that
  // nothing on the way takes it for dead.
  absl::Duration heartbeat_interval = absl::Seconds(15);

  // Serialized FileDescriptorSet with comments, for /openapi.json; outlives the
  // server. Empty: it has no descriptions and no reasons of refusals.
  absl::string_view descriptor_set;

  // Documents served beside it, as they are.
  struct Document {
    absl::string_view path;  // "/docs"
    absl::string_view content_type;
    absl::string_view bytes;  // outlive the server
  };
  std::vector<Document> documents;

  // Origins that scripts may call from, such as "https://example.org"; "*"
  // stands for all. Empty: only the gateway's own.
  std::vector<std::string> cors_origins;

  // Hosts that requests may be for, without port; "*" stands for any. Empty:
  // any host, but only localhost and loopback addresses when the port listens
  // on a loopback address, so that no web page reaches it under a name of its
  // own.
  std::vector<std::string> hosts;

  // Who bearer tokens belong to, so that nobody's request for what only known
  // callers may is read. Null: only a missing token is refused here.
  std::shared_ptr<rpc::CallerDirectory> callers;

  // What /readyz asks, on a server's thread; its message is shown. Absent:
  // always ready. A draining server is not ready whatever it says.
  std::function<absl::Status()> ready;

  std::function<absl::Time()> now = [] { return absl::Now(); };
};

}  // namespace transparency::gateway::http
