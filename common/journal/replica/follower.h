#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/journal/clock.h"
#include "common/journal/integrity.h"
#include "common/journal/metrics.h"
#include "common/journal/store.h"

namespace transparency::journal {

struct FollowerOptions {
  std::string conninfo;
  absl::Duration poll_interval = absl::Milliseconds(50);
  // Longest wait for the database in one poll.
  absl::Duration poll_timeout = absl::Seconds(5);
  // Longest first load.
  absl::Duration load_timeout = absl::Minutes(10);
  // Called on the follower's thread: false when the replica's history turned
  // out not to be the database's, or when it has been without the database for
  // so long that it refuses reads; true when that is over. May be empty.
  std::function<void(bool serving)> on_serving_change;
};

// The one thread of a replica that keeps its store at the database's head, with
// a session of its own. All that it is given outlives it.
class Follower {
 public:
  Follower(FollowerOptions options, Store* store, Clock* clock,
           Metrics* metrics, Integrity* integrity);
  ~Follower();  // stops
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  // Loads the tables, then starts the thread.
  absl::Status Start();
  void Stop();

  // Polls at once. Thread-safe, never blocks.
  void Poke();

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace transparency::journal
