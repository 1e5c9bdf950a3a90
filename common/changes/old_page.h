#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/changes/watch.h"
#include "common/postgres/session.h"
#include "common/resource/snapshot.h"

namespace transparency::changes {

// A token is of a history that the database no longer has.
absl::Status HistoryChanged();

// The next events of a watch that are in PostgreSQL alone.
struct OldPage {
  std::deque<Watch::Old> events;
  int64_t end;        // nothing more is told up to here
  std::string token;  // of `end`
  int64_t rows;       // how many to ask for next

  struct Request {
    int64_t after;
    int64_t head;
    int64_t rows;
    bool prove;  // that the watch resumes at a place of this history
  };
  // `now` says what is deleted.
  static absl::StatusOr<OldPage> Read(postgres::Session* session,
                                      const resource::Snapshot& now,
                                      const Watch& watch,
                                      const Request& request,
                                      absl::Time deadline);
};

}  // namespace transparency::changes
