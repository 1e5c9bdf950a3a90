#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "common/changes/outbox.h"
#include "common/changes/recent_changes.h"
#include "common/changes/selection.h"
#include "common/changes/untold.h"
#include "common/resource/form.h"
#include "common/rpc/call.h"
#include "common/rpc/stream.h"

namespace transparency::changes {

// A place in the journal as clients name it: behind this revision, -1 before
// the first.
struct Place {
  int64_t revision = -1;
  std::string digest;  // how it begins, in lower-case hexadecimal
};

// INVALID_ARGUMENT over `resume_token`.
absl::StatusOr<Place> ParseResumeToken(absl::string_view token);

// What one WatchChanges asks for.
struct WatchPlan {
  Selection selection;
  bool present_state = false;
  absl::optional<Place> resume;  // absent: from now on
  absl::Duration heartbeat;
};

// One WatchChanges and how far it has come. Belongs to the hub's thread, but
// for what is immutable.
struct Watch {
  // From the journal in PostgreSQL, to be sent.
  struct Old {
    int64_t revision;
    std::string name;
    Effect effect;
    bool withheld;  // its resource was deleted when the page was read
    Outbox::Message event;
  };
  enum class Phase {
    kEntering,  // waits for its place to be known
    kPresent,   // sends what there is
    kOld,       // sends what is in PostgreSQL alone
    kLive,      // sends what is in memory
  };

  Watch(std::shared_ptr<rpc::Call> c, std::shared_ptr<rpc::AnswerWriter> w,
        WatchPlan p)
      : call(std::move(c)),
        writer(std::move(w)),
        plan(std::move(p)),
        outbox(writer) {}

  const std::shared_ptr<rpc::Call> call;
  const std::shared_ptr<rpc::AnswerWriter> writer;
  const WatchPlan plan;
  Outbox outbox;  // any thread's

  // Of the caller's form of a kind.
  const std::string& Fingerprint(const resource::Kind& kind) {
    std::string& known = fingerprints[&kind];
    if (known.empty()) {
      known = resource::Form(kind, call->caller()).Fingerprint();
    }
    return known;
  }

  // Whether it is told an entry. To be asked of each that does something in the
  // caller's eyes, in order, before it is sent.
  bool Tells(absl::string_view name, Effect effect, bool withheld) {
    if (withheld && !call->caller().HasRole(kStaffRole)) {
      return untold.Tells(name, effect);
    }
    untold.Told(name);
    return true;
  }

  // Whether a resource of the present state is passed over, because it has been
  // deleted since the watch began.
  bool KeepsFromPresent(const resource::Item& item,
                        const RecentChanges& recent) {
    if (item.deleted() || call->caller().HasRole(kStaffRole) ||
        !recent.IsDeleted(item.name())) {
      return false;
    }
    untold.Tells(item.name(), Effect::kAdded);
    return true;
  }

  // What it sends next is in memory, as long as that is kept.
  bool among_kept() const {
    return phase == Phase::kPresent || phase == Phase::kLive;
  }

  Phase phase = Phase::kEntering;
  bool over = false;
  bool full = false;    // its outbox is
  bool queued = false;  // among those that the hub turns to next
  bool bookmark_due = true;
  absl::Time last_sent;   // SteadyNow
  int64_t revision = -1;  // everything up to here is in the outbox or sent

  Untold untold;

  RecentChanges::Present present;
  std::string present_from;
  std::string present_token;

  std::deque<Old> old;
  bool reading = false;   // the next of `old` have been asked for
  int64_t old_end = -1;   // where those read end
  std::string old_token;  // of that place
  int64_t old_rows = 0;   // how many are asked for next
  bool proven = false;    // its place is one of the journal's

  absl::flat_hash_map<const resource::Kind*, std::string> fingerprints;
};

}  // namespace transparency::changes
