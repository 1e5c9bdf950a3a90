#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/journal/clock.h"
#include "common/journal/integrity.h"
#include "common/journal/metrics.h"
#include "common/journal/replica/auditor.h"
#include "common/journal/replica/follower.h"
#include "common/journal/replica/writer.h"
#include "common/journal/store.h"
#include "common/resource/kind.h"
#include "prometheus/registry.h"

namespace transparency::journal {

struct ReplicaOptions {
  std::string conninfo;
  StoreOptions store;
  WriterOptions writer;      // its conninfo is filled in
  FollowerOptions follower;  // its conninfo is filled in
  AuditorOptions auditor;    // its conninfo is filled in
};

// The store, follower, writer and auditor of one process, started and stopped
// in order. It serves (FollowerOptions::on_serving_change, from any of its
// threads, one at a time) while its history is the database's and the database
// fits its journal.
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

  Integrity& integrity() { return integrity_; }

 private:
  void Tell(bool Replica::*part, bool serving);

  const std::function<void(bool)> on_serving_change_;
  absl::Mutex mutex_;
  bool following_ ABSL_GUARDED_BY(mutex_) = true;
  bool sound_ ABSL_GUARDED_BY(mutex_) = true;
  Metrics metrics_;
  Integrity integrity_;
  Store store_;
  Follower follower_;
  Writer writer_;
  Auditor auditor_;
};

}  // namespace transparency::journal
