#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"
#include "common/status/status.h"
#include "transparency/centre/v1/booking.pb.h"
#include "transparency/centre/v1/centre.pb.h"

// How much of a centre one owner may have.
namespace transparency::centre::domain {

// The limits of a centre, the defaults of the contract filled in.
struct OwnerLimits {
  int held_at_once;
  int open_at_once;
  absl::Duration time_per_week;
  int new_per_minute;
  int new_per_day;
};
OwnerLimits OwnerLimitsOf(const v1::Centre& centre);

// Adds what is wrong with a centre's limits; paths are those of a request that
// holds it as `centre`.
void CheckOwnerLimitFields(const v1::Centre& centre,
                           status::Violations* violations);

// Index keys under which the snapshot finds a booking by its owner.
void OwnerKeys(const v1::Booking& booking,
               std::vector<resource::IndexKey>* keys);

// Refuses a new booking, not yet in `view`, that would give its owner more than
// the centre's limits of this moment: OWNER_LIMIT_REACHED. `now` is the instant
// of the view.
absl::Status CheckOwnerLimits(const resource::Snapshot& view,
                              const v1::Booking& booking, absl::Time now);

}  // namespace transparency::centre::domain
