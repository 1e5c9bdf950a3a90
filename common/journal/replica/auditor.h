#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/journal/integrity.h"
#include "common/resource/kind.h"

namespace transparency::journal {

struct AuditorOptions {
  std::string conninfo;
  // Pause between two passes; the first begins with the replica.
  absl::Duration interval = absl::Minutes(10);
  // Entries or rows of one statement.
  int64_t page = 256;
  // It rests so many times as long as a page took: of one core, PostgreSQL's
  // part included, it takes a tenth at most.
  int rest = 9;
};

// The check that goes on while a replica serves, on a thread and a session of
// its own, page by page, so that it holds up neither the writer nor calls: each
// entry of the journal against its digest and its body, each row, personal
// fields included, against the last entry of its name, and that no row is
// missing. A pass looks at everything.
class Auditor {
 public:
  // Both outlive it. `load_again` is called when a pass finds everything sound
  // that was not when it was loaded.
  Auditor(AuditorOptions options, const resource::Catalogue* catalogue,
          Integrity* integrity, std::function<void()> load_again);
  ~Auditor();  // stops
  Auditor(const Auditor&) = delete;
  Auditor& operator=(const Auditor&) = delete;

  void Start();
  void Stop();

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace transparency::journal
