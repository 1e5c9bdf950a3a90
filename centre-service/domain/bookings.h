#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/caller.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"
#include "transparency/centre/v1/booking.pb.h"
#include "transparency/centre/v1/centre_service.pb.h"

// The life of a booking.
namespace transparency::centre::domain {

// The custom methods that a state allows, as `allowed_steps` names them.
inline constexpr char kRequest[] = "request";
inline constexpr char kApprove[] = "approve";
inline constexpr char kDecline[] = "decline";
inline constexpr char kCancel[] = "cancel";
inline constexpr char kCheckIn[] = "checkIn";

// centres/c of centres/c/bookings/b and whatever lies below.
std::string CentreNameOf(absl::string_view name);

// Whether a booking in this state is over, or came to nothing: it cannot be
// changed and takes no visitors any more.
bool IsOver(v1::Booking::State state);

// BOOKING_OVER.
absl::Status OverRefusal(const v1::Booking& booking);

// The clock's part of a booking's life; see KindRules::effective.
absl::Time BookingInEffect(v1::Booking* booking, absl::Time now);

// Gives a new booking its owner: its creator, or whom staff create it for.
absl::Status TakeOwner(const v1::CreateBookingRequest& request,
                       const Caller& creator, v1::Booking* booking);

// Rules of creating and updating; a new booking gets its state and what it
// takes, all but its owner.
absl::Status CheckBooking(const resource::Snapshot& view,
                          const v1::Booking* before, v1::Booking* after,
                          absl::Time now);

// Holds a new booking to the limits of its owner, unless staff create it.
absl::Status AdmitBooking(const resource::Snapshot& view, const Caller& creator,
                          const v1::Booking& booking, absl::Time now);

// The steps. Each refuses with STEP_NOT_ALLOWED where the state does not allow
// it, and changes the booking otherwise; what follows from the new state is for
// BookingInEffect to fill in.
absl::Status RequestBooking(const resource::Snapshot& view,
                            v1::Booking* booking);
absl::Status ApproveBooking(v1::Booking* booking);
absl::Status DeclineBooking(v1::Booking* booking);
absl::Status CancelBooking(const resource::Snapshot& view, absl::Time now,
                           v1::Booking* booking);
absl::Status CheckInBooking(const resource::Snapshot& view, absl::Time now,
                            v1::Booking* booking);

resource::Rules<v1::Booking> BookingRules();

}  // namespace transparency::centre::domain
