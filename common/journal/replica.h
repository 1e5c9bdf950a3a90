#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/journal/clock.h"
#include "common/journal/follower.h"
#include "common/journal/metrics.h"
#include "common/journal/store.h"
#include "common/journal/writer.h"
#include "common/resource/kind.h"
#include "prometheus/registry.h"

namespace transparency::journal {

struct ReplicaOptions {
  std::string conninfo;
  StoreOptions store;
  WriterOptions writer;      // its conninfo is filled in
  FollowerOptions follower;  // its conninfo is filled in
};

// The store, follower and writer of one process, started and stopped in order.
class Replica {
 public:
  // All of it outlives the replica.
  Replica(const ReplicaOptions& options, const resource::Catalogue* catalogue,
          Clock* clock, prometheus::Registry* registry);
  ~Replica();

  // Loads the snapshot, then starts following and writing. The schema has been
  // checked by then (postgres::CheckSchema).
  absl::Status Start();
  void Stop();

  Store& store() { return store_; }
  Writer& writer() { return writer_; }

 private:
  Metrics metrics_;
  Store store_;
  Follower follower_;
  Writer writer_;
};

}  // namespace transparency::journal
