#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/method_table.h"
#include "common/rpc/server/generic_service.h"
#include "common/rpc/server/health.h"
#include "common/server/port_probe.h"
#include "prometheus/registry.h"

namespace transparency::server {

struct ProcessOptions {
  // host:port; port 0 takes a free one.
  std::string listen = "127.0.0.1:0";
  std::string metrics_listen = "127.0.0.1:0";
  // Clients may come from other machines although nothing is encrypted.
  bool insecure = false;
  // Of gRPC clients at one time; one address gets a quarter of them at most.
  int max_connections = 4096;
  // Empty: every caller is the public.
  std::string tokens_file;
  // How long running calls may take to finish once the process is told to stop.
  absl::Duration drain_timeout = absl::Seconds(20);
  // `callers` is filled in from tokens_file; set domain and check_request.
  rpc::ServiceOptions service;
  // Serialized FileDescriptorSet that reflection serves.
  absl::string_view descriptor_set;
  // Services listed by reflection that are only passed through.
  std::vector<std::string> also_listed;
  // Largest message of either direction.
  int max_message_bytes = 4 << 20;
};

// A running server: what main() puts together. main adds rows, components and
// metrics, then Run starts everything in order, waits, and stops it in reverse.
class Process {
 public:
  explicit Process(ProcessOptions options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // To be filled before Run.
  rpc::MethodTable& methods() { return methods_; }
  // "" and every service turn SERVING once all has started, and NOT_SERVING
  // when draining begins; components may set them in between.
  rpc::Health& health() { return *health_; }
  // Where components register their metrics.
  prometheus::Registry& registry() { return registry_; }

  // `start` may block; its error stops the process. `stop` runs after the last
  // call has ended, in reverse order, only if `start` succeeded. Either may be
  // empty.
  void Add(std::string name, std::function<absl::Status()> start,
           std::function<void()> stop);
  // A port of a component: /readyz says no while `probe` fails. It may block
  // for the time of one call.
  void AddPort(std::string name, std::function<absl::Status()> probe);
  // Runs when draining begins, in order; must not block.
  void OnDrain(std::function<void()> reaction);

  // Serves until SIGTERM, SIGINT or Stop, then drains. The signals must be
  // blocked in every thread (Main does so). OK after an orderly end.
  absl::Status Run();
  // Asks Run to end; a cause other than OK is what Run returns. Any thread.
  void Stop(const absl::Status& cause = absl::OkStatus());

  // Once Run is serving (blocks until then, or until it failed): the ports.
  int port();
  int metrics_port();

 private:
  class Running;
  struct Component {
    std::string name;
    std::function<absl::Status()> start;
    std::function<void()> stop;
  };

  void SetServing(bool serving);

  const ProcessOptions options_;
  rpc::MethodTable methods_;
  std::shared_ptr<rpc::Health> health_;
  prometheus::Registry registry_;
  std::vector<Component> components_;
  struct Port {
    std::string name;
    std::unique_ptr<RememberedProbe> probe;
  };
  std::vector<Port> ports_;
  std::vector<std::function<void()>> drain_reactions_;

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool settled_ ABSL_GUARDED_BY(mutex_) = false;  // serving, or failed to
  absl::Status cause_ ABSL_GUARDED_BY(mutex_);
  int port_ ABSL_GUARDED_BY(mutex_) = 0;
  int metrics_port_ ABSL_GUARDED_BY(mutex_) = 0;
};

// INVALID_ARGUMENT when clients on other machines could reach `listen`, an
// address of a port that does not encrypt, and `insecure` does not allow it.
absl::Status CheckReach(absl::string_view listen, bool insecure);

// Blocks SIGTERM and SIGINT in this thread and those it starts; to be called
// before the first gRPC call.
void BlockSignals();

}  // namespace transparency::server
