#include "centre-service/domain/booking_policy.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "centre-service/domain/instants.h"
#include "centre-service/domain/owner_limits.h"
#include "transparency/centre/v1/error_reason.pb.h"

namespace transparency::centre::domain {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);
// A hold ends when its booking starts: it must last long enough to be used.
constexpr absl::Duration kLeastNotice = absl::Minutes(1);

absl::Duration Or(bool present, const google::protobuf::Duration& duration,
                  absl::Duration otherwise) {
  return present ? ToDuration(duration) : otherwise;
}

void CheckRange(bool present, const google::protobuf::Duration& value,
                absl::string_view field, absl::Duration least,
                absl::Duration most, status::Violations* violations) {
  if (!present) return;
  const absl::Duration duration = ToDuration(value);
  if (duration < least || duration > most) {
    violations->Add(absl::StrCat("centre.booking_policy.", field),
                    absl::StrCat("must be from ", absl::FormatDuration(least),
                                 " to ", absl::FormatDuration(most)));
  }
}

}  // namespace

Policy PolicyOf(const v1::Centre& centre) {
  const v1::BookingPolicy& policy = centre.booking_policy();
  return {
      std::max(ToDuration(policy.minimum_notice()), kLeastNotice),
      Or(policy.has_furthest_ahead(), policy.furthest_ahead(), 365 * kDay),
      Or(policy.has_longest_stay(), policy.longest_stay(), kLongestStay),
      policy.party_limit(),
      Or(policy.has_free_cancellation_until(), policy.free_cancellation_until(),
         -absl::InfiniteDuration()),
      Or(policy.has_hold_time(), policy.hold_time(), absl::Minutes(30)),
      Or(policy.has_no_show_after(), policy.no_show_after(),
         absl::InfiniteDuration()),
  };
}

bool NeedsApproval(const v1::Centre& centre, v1::Booking::Purpose purpose) {
  const auto& purposes = centre.booking_policy().approval_required_for();
  return std::find(purposes.begin(), purposes.end(), purpose) != purposes.end();
}

Span BookableSpan(const Policy& policy, absl::Time now) {
  return {CeilMinute(now + policy.minimum_notice),
          FloorMinute(now + policy.furthest_ahead)};
}

void CheckPolicy(const v1::Centre& centre, status::Violations* violations) {
  const v1::BookingPolicy& policy = centre.booking_policy();
  const absl::Duration none = absl::ZeroDuration();
  const absl::Duration minute = absl::Minutes(1);
  CheckRange(policy.has_minimum_notice(), policy.minimum_notice(),
             "minimum_notice", none, 365 * kDay, violations);
  CheckRange(policy.has_furthest_ahead(), policy.furthest_ahead(),
             "furthest_ahead", minute, 1096 * kDay, violations);
  CheckRange(policy.has_longest_stay(), policy.longest_stay(), "longest_stay",
             minute, kLongestStay, violations);
  CheckRange(policy.has_free_cancellation_until(),
             policy.free_cancellation_until(), "free_cancellation_until", none,
             365 * kDay, violations);
  CheckRange(policy.has_hold_time(), policy.hold_time(), "hold_time", minute,
             7 * kDay, violations);
  CheckRange(policy.has_no_show_after(), policy.no_show_after(),
             "no_show_after", none, kLongestStay, violations);
  if (policy.party_limit() < 0) {
    violations->Add("centre.booking_policy.party_limit",
                    "must not be negative");
  }
  CheckOwnerLimitFields(centre, violations);
  std::set<int> seen;
  for (int i = 0; i < policy.approval_required_for_size(); ++i) {
    const int purpose = policy.approval_required_for(i);
    if (purpose == v1::Booking::PURPOSE_UNSPECIFIED ||
        !v1::Booking::Purpose_IsValid(purpose) ||
        !seen.insert(purpose).second) {
      violations->Add(
          absl::StrCat("centre.booking_policy.approval_required_for[", i, "]"),
          "must be a purpose, each once");
    }
  }
}

absl::Status CheckStay(const Policy& policy, absl::Duration stay,
                       absl::string_view field) {
  const absl::Duration longest = std::min(policy.longest_stay, kLongestStay);
  if (stay <= longest) return absl::OkStatus();
  return status::Precondition(
      v1::ErrorReason_Name(v1::STAY_TOO_LONG), field,
      absl::StrCat("A stay of ", absl::FormatDuration(stay),
                   " is longer than the centre's longest of ",
                   absl::FormatDuration(longest), "."),
      {{"longestStay", absl::StrCat(absl::ToInt64Seconds(longest), "s")}});
}

absl::Status CheckPartyLimit(const Policy& policy, int party_size,
                             absl::string_view field) {
  if (policy.party_limit == 0 || party_size <= policy.party_limit) {
    return absl::OkStatus();
  }
  return status::Precondition(
      v1::ErrorReason_Name(v1::PARTY_TOO_LARGE), field,
      absl::StrCat("A party of ", party_size,
                   " is larger than the centre's limit of ", policy.party_limit,
                   "."),
      {{"partySize", absl::StrCat(party_size)},
       {"limit", absl::StrCat(policy.party_limit)}});
}

}  // namespace transparency::centre::domain
