#include "common/rpc/untaken.h"

#include "absl/time/clock.h"

namespace transparency::rpc {

void Untaken::Add(EndingCall* call) {
  const absl::Time now = absl::Now();
  absl::MutexLock lock(&mutex_);
  calls_.emplace(call, now);
}

void Untaken::Remove(EndingCall* call) {
  absl::MutexLock lock(&mutex_);
  calls_.erase(call);
}

void Untaken::GiveUpBefore(absl::Time limit) {
  // Under the lock: the call's OnDone, behind which gRPC lets go of it, waits
  // in Remove.
  absl::MutexLock lock(&mutex_);
  for (auto& [call, ended] : calls_) {
    if (ended >= limit) continue;
    call->GiveUp();
    ended = absl::InfiniteFuture();
  }
}

}  // namespace transparency::rpc
