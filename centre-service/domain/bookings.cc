#include "centre-service/domain/bookings.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "centre-service/domain/availability.h"
#include "centre-service/domain/booking_policy.h"
#include "centre-service/domain/instants.h"
#include "centre-service/domain/occupation.h"
#include "centre-service/domain/opening_hours.h"
#include "centre-service/domain/owner_limits.h"
#include "centre-service/domain/visitors.h"
#include "common/status/status.h"
#include "transparency/centre/v1/centre.pb.h"
#include "transparency/centre/v1/error_reason.pb.h"
#include "transparency/centre/v1/space.pb.h"

namespace transparency::centre::domain {
namespace {

using v1::Booking;

constexpr char kBookingType[] = "centre.transparency/Booking";
constexpr char kCentreType[] = "centre.transparency/Centre";
constexpr int kLargestParty = 10'000;

Span StayOf(const Booking& booking) {
  return {ToTime(booking.start_time()), ToTime(booking.end_time())};
}

// What a state allows at `now`.
std::vector<std::string> StepsOf(const Booking& booking, absl::Time now) {
  switch (booking.state()) {
    case Booking::HELD:
      return {kRequest, kCancel};
    case Booking::REQUESTED:
      return {kApprove, kDecline, kCancel};
    case Booking::CONFIRMED:
      return {kCheckIn, kCancel};
    case Booking::NO_SHOW:
      if (now < ToTime(booking.end_time())) return {kCheckIn};
      return {};
    default:
      return {};
  }
}

// The state that follows by the clock, and when; the same state for ever where
// none does.
struct Due {
  Booking::State state;
  absl::Time when;
};
Due DueOf(const Booking& booking) {
  switch (booking.state()) {
    case Booking::HELD:
      return {Booking::EXPIRED, ToTime(booking.hold_expire_time())};
    case Booking::REQUESTED:
      return {Booking::EXPIRED, ToTime(booking.start_time())};
    case Booking::CONFIRMED:
      return {Booking::NO_SHOW, ToTime(booking.no_show_time())};
    case Booking::CHECKED_IN:
      return {Booking::COMPLETED, ToTime(booking.end_time())};
    default:
      return {booking.state(), absl::InfiniteFuture()};
  }
}

absl::Status Allow(const Booking& booking, absl::string_view step) {
  const auto& steps = booking.allowed_steps();
  if (std::find(steps.begin(), steps.end(), step) != steps.end()) {
    return absl::OkStatus();
  }
  return status::StepNotAllowed(
      kBookingType, booking.name(), step, Booking::State_Name(booking.state()),
      std::vector<std::string>(steps.begin(), steps.end()));
}

void CheckParty(const v1::Party& party, status::Violations* violations) {
  if (party.size() < 1 || party.size() > kLargestParty) {
    violations->Add("booking.party.size", "must be from 1 to 10,000");
  }
  if (party.category() == v1::Party::CATEGORY_UNSPECIFIED ||
      !v1::Party::Category_IsValid(party.category())) {
    violations->Add("booking.party.category", "must be a category");
  }
}

void CheckStayFields(const Booking& booking, status::Violations* violations) {
  const Span stay = StayOf(booking);
  if (!IsWholeMinutes(stay.from)) {
    violations->Add("booking.start_time", "must be a whole minute");
  }
  if (!IsWholeMinutes(stay.until)) {
    violations->Add("booking.end_time", "must be a whole minute");
  }
  if (stay.empty()) {
    violations->Add("booking.end_time", "must be after `start_time`");
  }
}

// What is wrong with a new booking, whatever there is beside it.
absl::Status CheckFields(const Booking& booking) {
  status::Violations violations;
  if (booking.purpose() == Booking::PURPOSE_UNSPECIFIED ||
      !Booking::Purpose_IsValid(booking.purpose())) {
    violations.Add("booking.purpose", "must be a purpose");
  }
  CheckStayFields(booking, &violations);
  CheckParty(booking.party(), &violations);
  if (booking.spaces().empty()) {
    violations.Add("booking.spaces", "must name at least one space");
  }
  const std::string prefix =
      absl::StrCat(CentreNameOf(booking.name()), "/spaces/");
  std::set<std::string> seen;
  for (int i = 0; i < booking.spaces_size(); ++i) {
    const std::string path = absl::StrCat("booking.spaces[", i, "]");
    if (!absl::StartsWith(booking.spaces(i), prefix)) {
      violations.Add(path, absl::StrCat("must begin with ", prefix));
    } else if (!seen.insert(booking.spaces(i)).second) {
      violations.Add(path, "must not be named twice");
    }
  }
  return violations.ToStatus();
}

// The spaces of a booking, all there, each with the gap that was fixed for it
// or is to be.
absl::StatusOr<std::vector<WantedSpace>> SpacesOf(
    const resource::Snapshot& view, const Booking& booking) {
  std::vector<WantedSpace> spaces;
  for (const std::string& name : booking.spaces()) {
    const auto* space = view.Get<v1::Space>(name);
    if (space == nullptr) {
      return status::Precondition("REFERENCE_NOT_FOUND", "booking.spaces",
                                  absl::StrCat("There is no ", name, "."),
                                  {{"resource", name}});
    }
    spaces.push_back(WantedNow(*space));
  }
  for (const auto& occupied : booking.occupied_spaces()) {
    for (WantedSpace& wanted : spaces) {
      if (wanted.space->name() != occupied.space()) continue;
      wanted.gap = ToTime(occupied.free_from()) - ToTime(booking.end_time());
    }
  }
  return spaces;
}

absl::Status CheckFits(const v1::Space& space, int party_size) {
  if (party_size <= space.capacity()) return absl::OkStatus();
  return status::Precondition(
      v1::ErrorReason_Name(v1::PARTY_TOO_LARGE), "booking.party.size",
      absl::StrCat(space.name(), " holds ", space.capacity(), " people, not ",
                   party_size, "."),
      {{"space", space.name()},
       {"partySize", absl::StrCat(party_size)},
       {"limit", absl::StrCat(space.capacity())}});
}

absl::Status CheckServes(const v1::Space& space, Booking::Purpose purpose) {
  if (Serves(space, purpose)) return absl::OkStatus();
  return status::Precondition(
      v1::ErrorReason_Name(v1::PURPOSE_NOT_SERVED), space.name(),
      absl::StrCat(space.name(), " does not serve ",
                   Booking::Purpose_Name(purpose), "."),
      {{"space", space.name()}, {"purpose", Booking::Purpose_Name(purpose)}});
}

// Sets what a new booking holds, and for how long.
void Hold(const v1::Centre& centre, const std::vector<WantedSpace>& spaces,
          absl::Time now, Booking* booking) {
  const Policy policy = PolicyOf(centre);
  const Span stay = StayOf(*booking);
  booking->set_state(Booking::HELD);
  *booking->mutable_hold_expire_time() =
      ToTimestamp(std::min(stay.from, now + policy.hold_time));
  *booking->mutable_no_show_time() =
      ToTimestamp(std::min(stay.until, stay.from + policy.no_show_after));
  booking->clear_occupied_spaces();
  for (const WantedSpace& wanted : spaces) {
    *booking->add_occupied_spaces() = Occupy(wanted, stay.until);
  }
  booking->clear_check_in_time();
  booking->clear_cancelled_late();
}

absl::Status CheckNew(const resource::Snapshot& view, absl::Time now,
                      Booking* booking) {
  absl::Status valid = CheckFields(*booking);
  if (!valid.ok()) return valid;
  const std::string centre_name = CentreNameOf(booking->name());
  const auto* centre = view.Get<v1::Centre>(centre_name);
  if (centre == nullptr) return status::NotFound(kCentreType, centre_name);
  auto spaces = SpacesOf(view, *booking);
  if (!spaces.ok()) return spaces.status();

  const int party_size = booking->party().size();
  const Policy policy = PolicyOf(*centre);
  absl::Status fits =
      CheckStay(policy, StayOf(*booking).length(), "booking.end_time");
  if (fits.ok())
    fits = CheckPartyLimit(policy, party_size, "booking.party.size");
  for (const WantedSpace& wanted : *spaces) {
    if (fits.ok()) fits = CheckServes(*wanted.space, booking->purpose());
    if (fits.ok()) fits = CheckFits(*wanted.space, party_size);
  }
  if (!fits.ok()) return fits;
  absl::Status free = CheckFree(
      view, *centre, {*spaces, party_size, StayOf(*booking), ""}, now);
  if (!free.ok()) return free;
  Hold(*centre, *spaces, now, booking);
  return absl::OkStatus();
}

// Another party size must still fit where the booking is.
absl::Status CheckPartyChange(const resource::Snapshot& view,
                              const Booking& before, const Booking& after,
                              absl::Time now) {
  const int size = after.party().size();
  const int visitors = CountVisitors(view, after.name());
  if (size < visitors) {
    return status::Precondition(
        v1::ErrorReason_Name(v1::PARTY_TOO_SMALL), "booking.party.size",
        absl::StrCat(after.name(), " has ", visitors, " visitors."),
        {{"booking", after.name()}, {"visitors", absl::StrCat(visitors)}});
  }
  if (size <= before.party().size()) return absl::OkStatus();
  const auto* centre = view.Get<v1::Centre>(CentreNameOf(after.name()));
  if (centre == nullptr) return absl::OkStatus();
  auto spaces = SpacesOf(view, after);
  if (!spaces.ok()) return spaces.status();
  absl::Status fits =
      CheckPartyLimit(PolicyOf(*centre), size, "booking.party.size");
  for (const WantedSpace& wanted : *spaces) {
    if (fits.ok()) fits = CheckFits(*wanted.space, size);
  }
  if (!fits.ok()) return fits;
  // Only a shared space can be too full for a larger party; an exclusive one is
  // this booking's already.
  spaces->erase(std::remove_if(spaces->begin(), spaces->end(),
                               [](const WantedSpace& wanted) {
                                 return wanted.space->occupancy() !=
                                        v1::Space::SHARED;
                               }),
                spaces->end());
  return CheckUntaken(view, *centre,
                      {*std::move(spaces), size, StayOf(after), after.name()},
                      now);
}

absl::Status CheckChange(const resource::Snapshot& view, const Booking& before,
                         const Booking& after, absl::Time now) {
  if (IsOver(before.state())) return OverRefusal(before);
  status::Violations violations;
  CheckParty(after.party(), &violations);
  if (!violations.empty()) return violations.ToStatus();
  if (after.party().size() == before.party().size()) return absl::OkStatus();
  return CheckPartyChange(view, before, after, now);
}

}  // namespace

std::string CentreNameOf(absl::string_view name) {
  const std::vector<absl::string_view> segments = absl::StrSplit(name, '/');
  if (segments.size() < 2) return std::string(name);
  return absl::StrCat(segments[0], "/", segments[1]);
}

bool IsOver(Booking::State state) {
  switch (state) {
    case Booking::HELD:
    case Booking::REQUESTED:
    case Booking::CONFIRMED:
    case Booking::CHECKED_IN:
      return false;
    default:
      return true;
  }
}

absl::Status OverRefusal(const Booking& booking) {
  const std::string state = Booking::State_Name(booking.state());
  return status::Precondition(v1::ErrorReason_Name(v1::BOOKING_OVER),
                              booking.name(),
                              absl::StrCat(booking.name(), " is ", state,
                                           " and cannot be changed any more."),
                              {{"booking", booking.name()}, {"state", state}});
}

absl::Time BookingInEffect(Booking* booking, absl::Time now) {
  Due due = DueOf(*booking);
  if (due.when <= now) {
    booking->set_state(due.state);
    due = DueOf(*booking);
  }
  if (booking->state() != Booking::HELD) booking->clear_hold_expire_time();
  const std::vector<std::string> steps = StepsOf(*booking, now);
  booking->clear_allowed_steps();
  for (const std::string& step : steps) booking->add_allowed_steps(step);
  // A late party can be checked in until the booking's end.
  if (booking->state() == Booking::NO_SHOW && !steps.empty()) {
    return ToTime(booking->end_time());
  }
  return due.when;
}

absl::Status TakeOwner(const v1::CreateBookingRequest& request,
                       const Caller& creator, Booking* booking) {
  if (!request.owner().empty() && request.owner() != creator.subject &&
      !creator.HasRole(kStaffRole)) {
    return status::InvalidField(
        "owner", "is not the caller: only staff may name others");
  }
  booking->set_owner(request.owner().empty() ? creator.subject
                                             : request.owner());
  return absl::OkStatus();
}

absl::Status CheckBooking(const resource::Snapshot& view, const Booking* before,
                          Booking* after, absl::Time now) {
  return before == nullptr ? CheckNew(view, now, after)
                           : CheckChange(view, *before, *after, now);
}

absl::Status AdmitBooking(const resource::Snapshot& view, const Caller& creator,
                          const Booking& booking, absl::Time now) {
  return creator.HasRole(kStaffRole) ? absl::OkStatus()
                                     : CheckOwnerLimits(view, booking, now);
}

absl::Status RequestBooking(const resource::Snapshot& view, Booking* booking) {
  absl::Status allowed = Allow(*booking, kRequest);
  if (!allowed.ok()) return allowed;
  const auto* centre = view.Get<v1::Centre>(CentreNameOf(booking->name()));
  const bool approval =
      centre != nullptr && NeedsApproval(*centre, booking->purpose());
  booking->set_state(approval ? Booking::REQUESTED : Booking::CONFIRMED);
  return absl::OkStatus();
}

absl::Status ApproveBooking(Booking* booking) {
  absl::Status allowed = Allow(*booking, kApprove);
  if (allowed.ok()) booking->set_state(Booking::CONFIRMED);
  return allowed;
}

absl::Status DeclineBooking(Booking* booking) {
  absl::Status allowed = Allow(*booking, kDecline);
  if (allowed.ok()) booking->set_state(Booking::DECLINED);
  return allowed;
}

absl::Status CancelBooking(const resource::Snapshot& view, absl::Time now,
                           Booking* booking) {
  absl::Status allowed = Allow(*booking, kCancel);
  if (!allowed.ok()) return allowed;
  const auto* centre = view.Get<v1::Centre>(CentreNameOf(booking->name()));
  const absl::Duration free_until =
      centre == nullptr ? -absl::InfiniteDuration()
                        : PolicyOf(*centre).free_cancellation_until;
  booking->set_cancelled_late(now > ToTime(booking->start_time()) - free_until);
  booking->set_state(Booking::CANCELLED);
  return absl::OkStatus();
}

absl::Status CheckInBooking(const resource::Snapshot& view, absl::Time now,
                            Booking* booking) {
  absl::Status allowed = Allow(*booking, kCheckIn);
  if (!allowed.ok()) return allowed;
  const std::string centre_name = CentreNameOf(booking->name());
  const auto* centre = view.Get<v1::Centre>(centre_name);
  if (centre == nullptr) return status::NotFound(kCentreType, centre_name);
  const absl::TimeZone zone = ZoneOf(*centre);
  const absl::Time earliest = absl::FromCivil(
      absl::ToCivilDay(ToTime(booking->start_time()), zone), zone);
  if (now < earliest) {
    const std::string when =
        absl::FormatTime(absl::RFC3339_sec, earliest, zone);
    return status::Precondition(
        v1::ErrorReason_Name(v1::CHECK_IN_TOO_EARLY), booking->name(),
        absl::StrCat("The party can be checked in from ", when, " on."),
        {{"earliest", when}});
  }
  if (booking->state() == Booking::NO_SHOW) {
    auto spaces = SpacesOf(view, *booking);
    if (!spaces.ok()) return spaces.status();
    absl::Status untaken =
        CheckUntaken(view, *centre,
                     {*std::move(spaces), booking->party().size(),
                      StayOf(*booking), booking->name()},
                     now);
    if (!untaken.ok()) return untaken;
  }
  booking->set_state(Booking::CHECKED_IN);
  *booking->mutable_check_in_time() = ToTimestamp(now);
  return absl::OkStatus();
}

resource::Rules<Booking> BookingRules() {
  resource::Rules<Booking> rules;
  rules.effective = BookingInEffect;
  rules.keys = [](const Booking& booking,
                  std::vector<resource::IndexKey>* keys) {
    OccupationKeys(booking, keys);
    OwnerKeys(booking, keys);
  };
  rules.take_over = [](const google::protobuf::Message& request,
                       const Caller& creator, Booking* booking) {
    return TakeOwner(static_cast<const v1::CreateBookingRequest&>(request),
                     creator, booking);
  };
  rules.check = CheckBooking;
  rules.admit = AdmitBooking;
  rules.random_ids = true;
  return rules;
}

}  // namespace transparency::centre::domain
