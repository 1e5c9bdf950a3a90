#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "centre-service/domain/availability.h"
#include "centre-service/domain/booking_policy.h"
#include "centre-service/domain/instants.h"
#include "centre-service/domain/opening_hours.h"
#include "common/status/status.h"
#include "transparency/centre/v1/error_reason.pb.h"

namespace transparency::centre::domain {
namespace {

constexpr absl::Duration kDefaultPeriod = absl::Hours(14 * 24);
constexpr absl::Duration kLongestPeriod = absl::Hours(92 * 24);
constexpr int kLargestParty = 10'000;
// Slots of one answer, which keeps it well below the largest message.
constexpr int kMaxSlots = 10'000;

Span PeriodOf(const v1::SearchAvailabilityRequest& request, absl::Time now) {
  const absl::Time from = request.has_start_time()
                              ? std::max(now, ToTime(request.start_time()))
                              : now;
  return {from, request.has_end_time() ? ToTime(request.end_time())
                                       : from + kDefaultPeriod};
}

absl::Status CheckRequest(const v1::Centre& centre,
                          const v1::SearchAvailabilityRequest& request,
                          absl::Time now) {
  status::Violations violations;
  if (request.purpose() == v1::Booking::PURPOSE_UNSPECIFIED ||
      !v1::Booking::Purpose_IsValid(request.purpose())) {
    violations.Add("purpose", "must be a purpose");
  }
  if (request.party_size() < 1 || request.party_size() > kLargestParty) {
    violations.Add("party_size", "must be from 1 to 10,000");
  }
  const absl::Duration stay = ToDuration(request.duration());
  if (stay < absl::Minutes(1) || !IsWholeMinutes(stay)) {
    violations.Add("duration", "must be whole minutes, at least one");
  }
  const Span period = PeriodOf(request, now);
  if (request.has_end_time() && request.has_start_time() &&
      ToTime(request.end_time()) <= ToTime(request.start_time())) {
    violations.Add("end_time", "must be after `start_time`");
  } else if (period.length() > kLongestPeriod) {
    violations.Add("end_time",
                   "must be at most 92 days after the start of the period");
  }
  for (int i = 0; i < request.spaces_size(); ++i) {
    if (!absl::StartsWith(request.spaces(i),
                          absl::StrCat(centre.name(), "/spaces/"))) {
      violations.Add(absl::StrCat("spaces[", i, "]"),
                     absl::StrCat("must be a space of ", centre.name()));
    }
  }
  return violations.ToStatus();
}

bool Suits(const v1::Space& space,
           const v1::SearchAvailabilityRequest& request) {
  const auto& only = request.spaces();
  const auto& has = space.equipment();
  return Serves(space, request.purpose()) &&
         space.capacity() >= request.party_size() &&
         (only.empty() ||
          std::find(only.begin(), only.end(), space.name()) != only.end()) &&
         std::all_of(request.equipment().begin(), request.equipment().end(),
                     [&](const std::string& wanted) {
                       return std::find(has.begin(), has.end(), wanted) !=
                              has.end();
                     });
}

v1::SpaceAvailability AvailabilityOf(const v1::Space& space, const Spans& free,
                                     absl::Duration stay,
                                     const absl::TimeZone& zone) {
  v1::SpaceAvailability available;
  available.set_space(space.name());
  available.set_display_name(space.display_name());
  available.set_capacity(space.capacity());
  for (const Span& span : free) {
    if (span.length() >= stay) {
      *available.add_slots() = SlotOf(span, zone);
    }
  }
  return available;
}

}  // namespace

v1::Slot SlotOf(const Span& span, const absl::TimeZone& zone) {
  v1::Slot slot;
  *slot.mutable_start_time() = ToTimestamp(span.from);
  *slot.mutable_end_time() = ToTimestamp(span.until);
  *slot.mutable_local_start() = LocalTime(span.from, zone);
  *slot.mutable_local_end() = LocalTime(span.until, zone);
  return slot;
}

absl::StatusOr<v1::SearchAvailabilityResponse> SearchAvailability(
    const resource::Snapshot& view, const v1::Centre& centre,
    const v1::SearchAvailabilityRequest& request, absl::Time now) {
  absl::Status valid = CheckRequest(centre, request, now);
  const Policy policy = PolicyOf(centre);
  const absl::Duration stay = ToDuration(request.duration());
  if (valid.ok()) valid = CheckStay(policy, stay, "duration");
  if (valid.ok())
    valid = CheckPartyLimit(policy, request.party_size(), "party_size");
  if (!valid.ok()) return valid;

  v1::SearchAvailabilityResponse answer;
  answer.set_time_zone(centre.time_zone());
  *answer.mutable_current_time() = ToTimestamp(now);
  const absl::TimeZone zone = ZoneOf(centre);
  const Span asked = PeriodOf(request, now);
  // A booking begins and ends with a minute.
  const Span period{CeilMinute(asked.from), FloorMinute(asked.until)};
  int slots = 0;
  view.ForEach<v1::Space>(
      absl::StrCat(centre.name(), "/spaces/"), [&](const v1::Space& space) {
        if (!Suits(space, request)) return true;
        v1::SpaceAvailability available =
            AvailabilityOf(space,
                           FreeSpans(view, centre, WantedNow(space),
                                     request.party_size(), period, now),
                           stay, zone);
        slots += available.slots_size();
        if (available.slots_size() > 0) {
          *answer.add_spaces() = std::move(available);
        }
        return slots <= kMaxSlots;
      });
  if (slots > kMaxSlots) {
    return status::Refuse(
        absl::StatusCode::kInvalidArgument, "LIMIT_EXCEEDED",
        absl::StrCat("There are more than ", kMaxSlots,
                     " slots; ask for a shorter period or fewer spaces."),
        {{"limit", absl::StrCat(kMaxSlots)}});
  }
  return answer;
}

}  // namespace transparency::centre::domain
