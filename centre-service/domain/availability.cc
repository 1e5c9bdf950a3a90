#include "centre-service/domain/availability.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "centre-service/domain/booking_policy.h"
#include "centre-service/domain/instants.h"
#include "centre-service/domain/occupation.h"
#include "centre-service/domain/opening_hours.h"
#include "common/status/status.h"
#include "transparency/centre/v1/error_reason.pb.h"

namespace transparency::centre::domain {
namespace {

// How far from the wanted time alternatives are looked for, and how many are
// named.
constexpr absl::Duration kAlternativesBefore = absl::Hours(7 * 24);
constexpr absl::Duration kAlternativesAfter = absl::Hours(14 * 24);
constexpr size_t kMaxAlternatives = 3;

std::string Rfc3339(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%SZ", time, absl::UTCTimeZone());
}

// Times of the wished length near the wished one at which all spaces are free.
v1::AlternativeSlots Alternatives(const resource::Snapshot& view,
                                  const v1::Centre& centre, const Wish& wish,
                                  absl::Time now) {
  const absl::Duration stay = wish.stay.length();
  const Span range{std::max(now, wish.stay.from - kAlternativesBefore),
                   wish.stay.until + kAlternativesAfter};
  Spans free;
  if (!range.empty()) free = {range};
  for (const WantedSpace& wanted : wish.spaces) {
    free = Intersection(free, FreeSpans(view, centre, wanted, wish.party_size,
                                        range, now, wish.except));
  }
  std::vector<Span> nearest;
  for (const Span& span : free) {
    if (span.length() < stay) continue;
    const absl::Time start =
        std::clamp(wish.stay.from, span.from, span.until - stay);
    nearest.push_back({start, start + stay});
  }
  const auto distance = [&](const Span& span) {
    return absl::AbsDuration(span.from - wish.stay.from);
  };
  std::stable_sort(
      nearest.begin(), nearest.end(),
      [&](const Span& a, const Span& b) { return distance(a) < distance(b); });
  if (nearest.size() > kMaxAlternatives) nearest.resize(kMaxAlternatives);
  v1::AlternativeSlots slots;
  const absl::TimeZone zone = ZoneOf(centre);
  for (const Span& span : nearest) *slots.add_slots() = SlotOf(span, zone);
  return slots;
}

absl::Status Taken(const resource::Snapshot& view, const v1::Centre& centre,
                   const Wish& wish, const v1::Space& space, absl::Time now) {
  absl::Status refusal = status::Precondition(
      v1::ErrorReason_Name(v1::SPACE_TAKEN), space.name(),
      absl::StrCat(space.name(), " is not free from ", Rfc3339(wish.stay.from),
                   " to ", Rfc3339(wish.stay.until),
                   ", gaps to other bookings included."),
      {{"space", space.name()}});
  status::AddDetail(&refusal, Alternatives(view, centre, wish, now));
  return refusal;
}

// Why FreeSpans leaves the stay out, when it is not for another booking.
absl::Status CheckPolicyTimes(const v1::Centre& centre, const Span& stay,
                              absl::Time now) {
  const Span bookable = BookableSpan(PolicyOf(centre), now);
  if (stay.from < bookable.from) {
    return status::Precondition(
        v1::ErrorReason_Name(v1::NOTICE_TOO_SHORT), "booking.start_time",
        absl::StrCat("A booking made now starts at ", Rfc3339(bookable.from),
                     " at the earliest."),
        {{"earliestStart", Rfc3339(bookable.from)}});
  }
  if (stay.until > bookable.until) {
    return status::Precondition(
        v1::ErrorReason_Name(v1::TOO_FAR_AHEAD), "booking.end_time",
        absl::StrCat("A booking made now ends at ", Rfc3339(bookable.until),
                     " at the latest."),
        {{"latestEnd", Rfc3339(bookable.until)}});
  }
  if (!Contains(OpenSpans(centre, stay), stay)) {
    return status::Precondition(
        v1::ErrorReason_Name(v1::OUTSIDE_OPENING_HOURS), centre.name(),
        absl::StrCat(centre.name(), " is not open throughout ",
                     Rfc3339(stay.from), " to ", Rfc3339(stay.until), "."),
        {{"centre", centre.name()}});
  }
  return absl::OkStatus();
}

}  // namespace

Spans FreeSpans(const resource::Snapshot& view, const v1::Centre& centre,
                const WantedSpace& wanted, int party_size, const Span& range,
                absl::Time now, absl::string_view except) {
  if (party_size > wanted.space->capacity()) return {};
  const Span bookable = BookableSpan(PolicyOf(centre), now);
  const Span within{std::max(range.from, bookable.from),
                    std::min(range.until, bookable.until)};
  if (within.empty()) return {};
  return Difference(OpenSpans(centre, within),
                    BlockedSpans(view, wanted, party_size, within, except));
}

bool Serves(const v1::Space& space, v1::Booking::Purpose purpose) {
  return space.purposes().empty() ||
         std::find(space.purposes().begin(), space.purposes().end(), purpose) !=
             space.purposes().end();
}

absl::Status CheckFree(const resource::Snapshot& view, const v1::Centre& centre,
                       const Wish& wish, absl::Time now) {
  for (const WantedSpace& wanted : wish.spaces) {
    if (Contains(FreeSpans(view, centre, wanted, wish.party_size, wish.stay,
                           now, wish.except),
                 wish.stay)) {
      continue;
    }
    absl::Status times = CheckPolicyTimes(centre, wish.stay, now);
    if (!times.ok()) return times;
    return Taken(view, centre, wish, *wanted.space, now);
  }
  return absl::OkStatus();
}

absl::Status CheckUntaken(const resource::Snapshot& view,
                          const v1::Centre& centre, const Wish& wish,
                          absl::Time now) {
  for (const WantedSpace& wanted : wish.spaces) {
    const Spans blocked =
        BlockedSpans(view, wanted, wish.party_size, wish.stay, wish.except);
    if (!Intersection(blocked, {wish.stay}).empty()) {
      return Taken(view, centre, wish, *wanted.space, now);
    }
  }
  return absl::OkStatus();
}

}  // namespace transparency::centre::domain
