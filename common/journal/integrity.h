#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "common/journal/metrics.h"

namespace transparency::journal {

// A row of a resource beside the journal entry that its revision names.
struct StoredRow {
  absl::string_view body;
  // The entry's salt; absent when no entry has the row's name and revision.
  absl::optional<absl::string_view> salt;
  absl::string_view body_commitment;
  // What the entry commits to of a kind's personal fields; absent when the kind
  // has none.
  absl::optional<absl::string_view> personal_commitment;
  // Empty when nothing personal is stored.
  absl::string_view personal_salt;
  absl::string_view personal;
};

// What is wrong with a row, to be read behind its name; empty when it is what
// its entry commits to.
absl::string_view RowProblem(const StoredRow& row);

// What a replica knows of whether its database's rows fit the journal, as found
// when they were loaded and by the check that goes on while it serves. Logs
// each problem once and counts them. Thread-safe.
class Integrity {
 public:
  explicit Integrity(Metrics* metrics) : metrics_(metrics) {}

  // Called, one at a time, when `sound` changes. Set before use.
  void OnChange(std::function<void(bool sound)> reaction) {
    reaction_ = std::move(reaction);
  }

  bool sound() const;

  // What the load of the tables found, in the place of the load before.
  void Loaded(std::vector<std::string> problems);
  // The pass of the check that is under way found one.
  void Found(const std::string& problem);
  // It has looked at everything: what it did not find is so no more. True when
  // the database is sound and what was loaded was not.
  bool PassEnded();

 private:
  void Count() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell() ABSL_LOCKS_EXCLUDED(mutex_);

  Metrics* const metrics_;
  std::function<void(bool)> reaction_;
  mutable absl::Mutex mutex_;
  std::vector<std::string> loaded_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> found_ ABSL_GUARDED_BY(mutex_);   // this pass
  std::vector<std::string> before_ ABSL_GUARDED_BY(mutex_);  // the last one
  absl::Mutex telling_ ABSL_ACQUIRED_BEFORE(mutex_);
  bool told_sound_ ABSL_GUARDED_BY(telling_) = true;
};

}  // namespace transparency::journal
