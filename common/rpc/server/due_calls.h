#pragma once

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

// Within common/rpc only.
namespace transparency::rpc {

// A call that has so much time for what it is at: to be answered, or, once its
// end is on its way, to be taken by its client.
class DueCall {
 public:
  // The time is over. On the thread that calls DueCalls::Run.
  virtual void OnDue() = 0;
  // Keeps the call while OnDue runs.
  virtual std::shared_ptr<DueCall> Keep() = 0;

 protected:
  ~DueCall() = default;
};

// The instants at which calls are due. gRPC's own timers wake a thread for each
// call that has one; these are looked at now and then, and so are late by that
// much. Thread-safe.
class DueCalls {
 public:
  // Sets or moves the call's instant. The call stays until Remove.
  void Set(DueCall* call, absl::Time due);
  void Remove(DueCall* call);
  // Tells those that are due by `now`, once for each instant.
  void Run(absl::Time now);

 private:
  absl::Mutex mutex_;
  absl::flat_hash_map<DueCall*, absl::Time> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace transparency::rpc
