#pragma once

#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "gateway/http/clients.h"
#include "gateway/http/compression.h"

namespace transparency::gateway::http {

// A thread for what would keep a worker from its other connections for
// milliseconds: large bodies from JSON, large answers into JSON and gzip. Its
// queue is as long as there are connections, at most; clients take turns, so
// that one that asks for much waits for itself. Thread-safe.
class HeavyWork {
 public:
  using Job = std::function<void(Gzip*)>;

  HeavyWork() = default;
  HeavyWork(const HeavyWork&) = delete;
  HeavyWork& operator=(const HeavyWork&) = delete;
  // Stops.
  ~HeavyWork() { Stop(); }

  void Start();
  // Does what is queued, and joins the thread.
  void Stop();

  // `job` must not throw; `client` is only compared.
  void Run(const Client* client, Job job);

 private:
  void Loop();

  absl::Mutex mutex_;
  absl::flat_hash_map<const Client*, std::deque<Job>> queues_
      ABSL_GUARDED_BY(mutex_);
  // Clients with a queue, the next one first.
  std::deque<const Client*> turns_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace transparency::gateway::http
