#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/changes/journal_reader.h"
#include "common/changes/journal_reads.h"
#include "common/changes/watch_hub.h"
#include "common/journal/store.h"
#include "common/rpc/method_table.h"
#include "prometheus/registry.h"

namespace transparency::changes {

struct JournalMethodsOptions {
  JournalReaderOptions reader;
  WatchOptions watch;
};

// The journal service of a replica, the same for every service of the suite:
// ListChanges, GetResourceAt, WatchChanges.
class JournalMethods {
 public:
  // Observes the store, which loads nothing before this is made. Store and
  // registry outlive it.
  JournalMethods(JournalMethodsOptions options, journal::Store* store,
                 prometheus::Registry* registry);
  ~JournalMethods();  // stops

  // Adds the rows of the service of this full name. Fails on a defect of the
  // contract.
  absl::Status AddRows(absl::string_view service, rpc::MethodTable* table);

  void Start();
  void Stop();

 private:
  journal::Store* const store_;
  JournalReader reader_;
  WatchHub hub_;
  std::unique_ptr<JournalReads> reads_;
};

}  // namespace transparency::changes
