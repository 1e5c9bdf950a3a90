#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/changes/journal_reader.h"
#include "common/changes/old_page.h"
#include "common/changes/recent_changes.h"
#include "common/changes/watch.h"
#include "common/changes/watch_metrics.h"
#include "common/journal/store.h"
#include "common/rpc/call.h"
#include "common/rpc/shared_place.h"
#include "common/rpc/stream.h"
#include "prometheus/registry.h"
#include "transparency/journal/v1/journal.pb.h"

namespace transparency::changes {

struct WatchOptions {
  // Most streams at once.
  size_t watches = 10'000;
  // Most that wait for the revision of their token; one caller has a quarter.
  size_t waits = 256;
  // What is kept in memory; who is further behind is cut off.
  RecentChanges::Limits kept;
  // Longest read of one page of older entries.
  absl::Duration page_time = absl::Seconds(30);
};

// Every WatchChanges of a replica, on one thread. It keeps the newest entries
// and hands each to whoever may see it; a stream holds nothing but its place
// among them and the few messages that are under way. Older entries, for a
// stream that is resumed, come from the reader page by page.
//
// Thread-safe. Store and reader outlive it.
class WatchHub : public journal::StoreObserver {
 public:
  WatchHub(WatchOptions options, journal::Store* store, JournalReader* reader,
           prometheus::Registry* registry);
  ~WatchHub() override;  // stops

  void Start();
  void Stop();

  // A row of the method table.
  absl::Status Open(std::shared_ptr<rpc::Call> call,
                    const journal::v1::WatchChangesRequest& request,
                    std::shared_ptr<rpc::AnswerWriter> writer);

  void OnLoad(const resource::Snapshot& snapshot) override;
  void OnApplied(const std::vector<journal::Store::Mark>& marks) override;
  void OnInvalid() override;

 private:
  using WatchPtr = std::shared_ptr<Watch>;
  using Marks = std::vector<journal::Store::Mark>;

  // Runs `task` on the thread.
  void Post(std::function<void()> task);
  void Ready(WatchPtr watch);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !tasks_.empty() || !ready_.empty();
  }

  // All of these on the thread.
  void Loop();
  bool Wait(absl::Time until);  // false when it is to end
  void Load(const resource::Snapshot& snapshot);
  void Correct(const std::vector<resource::ItemPtr>& items);
  void Append(const Marks& marks);
  void Invalidate();
  void Enter(const WatchPtr& watch, const absl::Status& placed);
  void Begin(const WatchPtr& watch);
  void Queue(const WatchPtr& watch);
  // Sends the next message, if there is one and the client takes it.
  void Pump(const WatchPtr& watch);
  void SendPresent(const WatchPtr& watch);
  void SendOld(const WatchPtr& watch);
  void SendLive(const WatchPtr& watch);
  void AskOld(const WatchPtr& watch);
  void TakeOld(const WatchPtr& watch, absl::StatusOr<OldPage>* page);
  void Send(const WatchPtr& watch, Outbox::Message event);
  void CutOff(const WatchPtr& watch);
  void CutOffSlow();
  void Heartbeats();
  void End(const WatchPtr& watch, const absl::Status& status);
  void Leave(const WatchPtr& watch);

  const WatchOptions options_;
  journal::Store* const store_;
  JournalReader* const reader_;
  WatchMetrics metrics_;
  rpc::SharedPlace waits_;

  absl::Mutex mutex_;
  std::vector<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  std::vector<WatchPtr> ready_ ABSL_GUARDED_BY(mutex_);  // wrote what they had
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  // Of the thread.
  RecentChanges recent_;
  bool loaded_ = false;
  bool correct_ = false;  // `recent_` is as recorded
  int64_t load_ = 0;      // number of the load, to know an earlier one's word
  std::vector<Marks> held_;        // while not correct
  std::vector<WatchPtr> waiting_;  // likewise
  absl::flat_hash_set<WatchPtr> watches_;
  std::deque<WatchPtr> queue_;
  using Beat = std::pair<absl::Time, std::weak_ptr<Watch>>;
  struct Later {
    bool operator()(const Beat& a, const Beat& b) const {
      return a.first > b.first;
    }
  };
  std::priority_queue<Beat, std::vector<Beat>, Later> beats_;

  std::thread thread_;
};

}  // namespace transparency::changes
