#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "centre-service/domain/occupation.h"
#include "centre-service/domain/span.h"
#include "common/resource/snapshot.h"
#include "transparency/centre/v1/availability.pb.h"
#include "transparency/centre/v1/centre.pb.h"
#include "transparency/centre/v1/centre_service.pb.h"
#include "transparency/centre/v1/space.pb.h"

// When spaces are free: one reader for the search and for the booking.
namespace transparency::centre::domain {

// When a party of this size could have the space to itself, or beside others if
// it is shared, within `range`: the centre is open, `now` keeps its notice and
// horizon, and no booking but `except` is in the way. A stay that lies anywhere
// within one of these spans can be booked.
Spans FreeSpans(const resource::Snapshot& view, const v1::Centre& centre,
                const WantedSpace& wanted, int party_size, const Span& range,
                absl::Time now, absl::string_view except = "");

// Whether the space serves the purpose at all.
bool Serves(const v1::Space& space, v1::Booking::Purpose purpose);

// What somebody wants to book.
struct Wish {
  std::vector<WantedSpace> spaces;
  int party_size;
  Span stay;
  // A booking that this one takes the place of; may be empty.
  std::string except;
};

// OK when the centre can take it, by FreeSpans; otherwise why not.
absl::Status CheckFree(const resource::Snapshot& view, const v1::Centre& centre,
                       const Wish& wish, absl::Time now);

// OK when no other booking is in the way of the wish, whatever the centre's
// hours and notice: for a party that is there.
absl::Status CheckUntaken(const resource::Snapshot& view,
                          const v1::Centre& centre, const Wish& wish,
                          absl::Time now);

// A span as clients see it, on the clock of `zone` too.
v1::Slot SlotOf(const Span& span, const absl::TimeZone& zone);

// Answers a search as of `now`. The centre's existence is for the caller to
// see to.
absl::StatusOr<v1::SearchAvailabilityResponse> SearchAvailability(
    const resource::Snapshot& view, const v1::Centre& centre,
    const v1::SearchAvailabilityRequest& request, absl::Time now);

}  // namespace transparency::centre::domain
