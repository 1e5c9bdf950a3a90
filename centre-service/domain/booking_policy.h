#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "centre-service/domain/span.h"
#include "common/status/status.h"
#include "transparency/centre/v1/centre.pb.h"

namespace transparency::centre::domain {

// No booking is longer than this, whatever a centre's policy says: how far back
// a search for what takes a space must look.
inline constexpr absl::Duration kLongestStay = absl::Hours(31 * 24);
// Nor does a booking keep its spaces longer than this after its end.
inline constexpr absl::Duration kLongestGap = absl::Hours(24);

// A centre's rules, the defaults of the contract filled in.
struct Policy {
  absl::Duration minimum_notice;
  absl::Duration furthest_ahead;
  absl::Duration longest_stay;
  int party_limit;  // 0: none
  // Negative: cancelling is never late.
  absl::Duration free_cancellation_until;
  absl::Duration hold_time;
  // InfiniteDuration: at the end of the booking.
  absl::Duration no_show_after;
};
Policy PolicyOf(const v1::Centre& centre);

bool NeedsApproval(const v1::Centre& centre, v1::Booking::Purpose purpose);

// Within which a booking made at `now` must lie, rounded to whole minutes
// inwards.
Span BookableSpan(const Policy& policy, absl::Time now);

// Adds what is wrong with a centre's policy; paths are those of a request that
// holds it as `centre`.
void CheckPolicy(const v1::Centre& centre, status::Violations* violations);

// Refuses a stay or party beyond the policy; `field` is where it was asked for.
absl::Status CheckStay(const Policy& policy, absl::Duration stay,
                       absl::string_view field);
absl::Status CheckPartyLimit(const Policy& policy, int party_size,
                             absl::string_view field);

}  // namespace transparency::centre::domain
