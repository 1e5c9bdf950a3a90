#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace transparency::journal {

// A socket in front of the test server that can be closed, that falls silent,
// and that cuts connections at COMMIT.
class Gate {
 public:
  Gate();
  ~Gate();

  // `conninfo` by way of the gate.
  std::string Through(const std::string& conninfo) const;

  // Cuts everything and refuses connections, until Open.
  void Close();
  void Open();

  // Nothing goes through any more, and nobody is told, until Thaw.
  void Freeze() { frozen_ = true; }
  void Thaw() { frozen_ = false; }

  enum class Cut {
    kNone,
    kBefore,  // the server does not see the COMMIT
    kAfter,   // it carries it out; the answer is lost
  };
  // Cuts the connection that next sends a COMMIT. With `close` the gate closes
  // as well.
  void CutAtCommit(Cut cut, bool close = false);
  // How many connections were cut at COMMIT.
  int cuts() const { return cuts_; }

 private:
  struct Link {
    int client;
    int server;
  };

  void Accept();
  void Serve(Link link);
  // False when the link is to be cut.
  bool Forward(int from, int to, bool from_client, const Link& link);

  std::string directory_;
  std::string server_path_;
  int listener_ = -1;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> open_{true};
  std::atomic<bool> frozen_{false};
  std::atomic<int> cuts_{0};
  std::atomic<Cut> cut_{Cut::kNone};
  std::atomic<bool> close_at_cut_{false};
  absl::Mutex mutex_;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  std::thread acceptor_;
};

}  // namespace transparency::journal
