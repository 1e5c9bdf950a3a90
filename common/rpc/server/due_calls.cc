#include "common/rpc/server/due_calls.h"

#include <vector>

namespace transparency::rpc {

void DueCalls::Set(DueCall* call, absl::Time due) {
  absl::MutexLock lock(&mutex_);
  calls_[call] = due;
}

void DueCalls::Remove(DueCall* call) {
  absl::MutexLock lock(&mutex_);
  calls_.erase(call);
}

void DueCalls::Run(absl::Time now) {
  std::vector<std::shared_ptr<DueCall>> due;
  {
    absl::MutexLock lock(&mutex_);
    for (auto& [call, instant] : calls_) {
      if (instant > now) continue;
      instant = absl::InfiniteFuture();
      due.push_back(call->Keep());
    }
  }
  for (const auto& call : due) call->OnDue();
}

}  // namespace transparency::rpc
