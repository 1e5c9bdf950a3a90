#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

// Within common/rpc only.
namespace transparency::rpc {

// A call whose end is on its way to the client.
class EndingCall {
 public:
  // Cancels the call at gRPC, so that nothing of it waits any more.
  virtual void GiveUp() = 0;

 protected:
  ~EndingCall() = default;
};

// The calls that have ended and whose clients have yet to take the end. A
// client that takes nothing would hold them, with their answers, for good.
// Thread-safe.
class Untaken {
 public:
  // `call` stays until Remove, which its OnDone calls.
  void Add(EndingCall* call);
  void Remove(EndingCall* call);
  // Gives up those that ended before `limit`.
  void GiveUpBefore(absl::Time limit);

 private:
  absl::Mutex mutex_;
  absl::flat_hash_map<EndingCall*, absl::Time> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace transparency::rpc
