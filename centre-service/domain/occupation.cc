#include "centre-service/domain/occupation.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/functional/function_ref.h"
#include "centre-service/domain/booking_policy.h"
#include "centre-service/domain/instants.h"

namespace transparency::centre::domain {
namespace {

// One booking's part of a space.
struct Part {
  Span when;  // gap included
  int party_size;
};

resource::IndexKey BusyKey(absl::string_view space, absl::Time start) {
  resource::IndexKey key = resource::Key("busy", space);
  key.order = absl::ToUnixMicros(start);
  return key;
}

// Every booking that takes the space at some time within `range`.
std::vector<Part> PartsWithin(const resource::Snapshot& view,
                              const v1::Space& space, const Span& range,
                              absl::string_view except) {
  std::vector<Part> parts;
  const resource::IndexKey first =
      BusyKey(space.name(), range.from - kLongestStay - kLongestGap);
  view.Lookup(first, absl::ToUnixMicros(range.until),
              [&](const resource::Item& item) {
                if (item.kind().descriptor != v1::Booking::descriptor() ||
                    item.name() == except) {
                  return true;
                }
                const auto& booking = item.as<v1::Booking>();
                if (!TakesSpaces(booking.state())) return true;
                for (const auto& taken : booking.occupied_spaces()) {
                  const Span when{ToTime(booking.start_time()),
                                  ToTime(taken.free_from())};
                  if (taken.space() == space.name() && when.Overlaps(range)) {
                    parts.push_back({when, booking.party().size()});
                  }
                }
                return true;
              });
  return parts;
}

// How many people are there, from each key on until the next.
std::map<absl::Time, int> Loads(const std::vector<Part>& parts) {
  std::map<absl::Time, int> changes;
  for (const Part& part : parts) {
    changes[part.when.from] += part.party_size;
    changes[part.when.until] -= part.party_size;
  }
  int load = 0;
  for (auto& [from, value] : changes) {
    load += value;
    value = load;
  }
  return changes;
}

}  // namespace

bool TakesSpaces(v1::Booking::State state) {
  switch (state) {
    case v1::Booking::HELD:
    case v1::Booking::REQUESTED:
    case v1::Booking::CONFIRMED:
    case v1::Booking::CHECKED_IN:
    // Its end has passed, the gap after it perhaps not.
    case v1::Booking::COMPLETED:
      return true;
    default:
      return false;
  }
}

WantedSpace WantedNow(const v1::Space& space) {
  return {&space, std::max(ToDuration(space.set_up_time()),
                           ToDuration(space.clear_down_time()))};
}

v1::Booking::OccupiedSpace Occupy(const WantedSpace& wanted, absl::Time end) {
  v1::Booking::OccupiedSpace occupied;
  occupied.set_space(wanted.space->name());
  *occupied.mutable_free_from() = ToTimestamp(end + wanted.gap);
  occupied.set_shared(wanted.space->occupancy() == v1::Space::SHARED);
  return occupied;
}

void OccupationKeys(const v1::Booking& booking,
                    std::vector<resource::IndexKey>* keys) {
  if (!TakesSpaces(booking.state())) return;
  const absl::Time start = ToTime(booking.start_time());
  for (const auto& occupied : booking.occupied_spaces()) {
    keys->push_back(BusyKey(occupied.space(), start));
  }
}

Spans BlockedSpans(const resource::Snapshot& view, const WantedSpace& wanted,
                   int party_size, const Span& range,
                   absl::string_view except) {
  const v1::Space& space = *wanted.space;
  const bool shared = space.occupancy() == v1::Space::SHARED;
  if (shared && party_size > space.capacity()) return {range};
  const std::vector<Part> parts =
      PartsWithin(view, space, {range.from, range.until + wanted.gap}, except);
  std::vector<Span> blocked;
  if (!shared) {
    for (const Part& part : parts) {
      blocked.push_back({part.when.from - wanted.gap, part.when.until});
    }
    return Union(std::move(blocked));
  }
  // The last load is 0: whatever is too high has a successor.
  const std::map<absl::Time, int> loads = Loads(parts);
  for (auto load = loads.begin(); load != loads.end(); ++load) {
    if (load->second + party_size <= space.capacity()) continue;
    blocked.push_back({load->first - wanted.gap, std::next(load)->first});
  }
  return Union(std::move(blocked));
}

int PeakLoad(const resource::Snapshot& view, const v1::Space& space,
             absl::Time now) {
  // Ten years reach beyond any booking that a policy allows.
  Span range{now, now + absl::Hours(24 * 3660)};
  for (const Part& part : PartsWithin(view, space, range, "")) {
    range.from = std::min(range.from, part.when.from);
  }
  int peak = 0;
  for (const auto& [from, load] : Loads(PartsWithin(view, space, range, ""))) {
    peak = std::max(peak, load);
  }
  return peak;
}

}  // namespace transparency::centre::domain
