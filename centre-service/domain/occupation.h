#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "centre-service/domain/span.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"
#include "transparency/centre/v1/booking.pb.h"
#include "transparency/centre/v1/space.pb.h"

// What bookings take of spaces. The one place that says whether a space is
// taken; search and booking both stand on BlockedSpans.
namespace transparency::centre::domain {

// Whether a booking in this state takes its spaces.
bool TakesSpaces(v1::Booking::State state);

// A space and the gap that a booking leaves after its end in it: fixed once it
// is booked, whatever becomes of the space's own times.
struct WantedSpace {
  const v1::Space* space;
  absl::Duration gap;
};
// As a booking made now would want it.
WantedSpace WantedNow(const v1::Space& space);

// What a booking that ends at `end` takes of a space.
v1::Booking::OccupiedSpace Occupy(const WantedSpace& wanted, absl::Time end);

// Index keys under which the snapshot finds a booking by its spaces.
void OccupationKeys(const v1::Booking& booking,
                    std::vector<resource::IndexKey>* keys);

// Times within `range`, and up to a gap before, that a booking for `party_size`
// people may not touch: another booking takes the space then, or leaves too
// little of a shared one, or would follow within the gap. `except` names a
// booking that does not count; may be empty.
Spans BlockedSpans(const resource::Snapshot& view, const WantedSpace& wanted,
                   int party_size, const Span& range, absl::string_view except);

// The most people that are in a space at once while a booking lasts that has
// not ended at `now`. Whoever was there with it and has left counts too: what
// was given must stay right for as long as it can be written anew.
int PeakLoad(const resource::Snapshot& view, const v1::Space& space,
             absl::Time now);

}  // namespace transparency::centre::domain
