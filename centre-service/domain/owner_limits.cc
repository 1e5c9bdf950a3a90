#include "centre-service/domain/owner_limits.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "centre-service/domain/bookings.h"
#include "centre-service/domain/instants.h"
#include "centre-service/domain/occupation.h"
#include "centre-service/domain/opening_hours.h"
#include "centre-service/domain/span.h"
#include "google/rpc/error_details.pb.h"
#include "transparency/centre/v1/error_reason.pb.h"

namespace transparency::centre::domain {
namespace {

using v1::Booking;

constexpr int kHighestLimit = 10'000;
constexpr absl::Duration kLeastTime = absl::Hours(1);
constexpr absl::Duration kMostTime = absl::Hours(24 * 1000);
constexpr absl::Duration kMinute = absl::Minutes(1);
constexpr absl::Duration kDay = absl::Hours(24);

// By when they end, those that count while they are open or by their time.
resource::IndexKey EndKey(absl::string_view centre, absl::string_view owner,
                          absl::Time end) {
  resource::IndexKey key = resource::Key("owned", centre, owner);
  key.order = absl::ToUnixMicros(end);
  return key;
}
// By when they were created, whatever became of them.
resource::IndexKey CreateKey(absl::string_view centre, absl::string_view owner,
                             absl::Time created) {
  resource::IndexKey key = resource::Key("created", centre, owner);
  key.order = absl::ToUnixMicros(created);
  return key;
}

bool TakesTime(Booking::State state) {
  return TakesSpaces(state) || state == Booking::NO_SHOW;
}

// When a booking that is open stops being so if nobody does anything.
absl::Time OpenUntil(const Booking& booking) {
  switch (booking.state()) {
    case Booking::HELD:
      return ToTime(booking.hold_expire_time());
    case Booking::REQUESTED:
      return ToTime(booking.start_time());
    case Booking::CONFIRMED:
      return ToTime(booking.no_show_time());
    default:
      return ToTime(booking.end_time());
  }
}

std::string Text(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
}
std::string Seconds(absl::Duration duration) {
  return absl::StrCat(absl::ToInt64Seconds(duration), "s");
}

// What is refused, and with which words.
struct Reached {
  const char* limit;  // a field of OwnerLimits
  std::string most;
  std::string present;
  std::string
      what;  // "3 bookings that are HELD, of 3 that it may have at once"
  absl::Time room_from;
  // Whether the same booking can be made then.
  bool later = true;
};

absl::Status Refuse(const Booking& booking, absl::Time now,
                    const Reached& reached) {
  const std::string centre = CentreNameOf(booking.name());
  const std::string message =
      absl::StrCat(booking.owner(), " has ", reached.what, " at ", centre,
                   "; there is room again from ", Text(reached.room_from), ".");
  absl::Status refusal =
      status::Refuse(absl::StatusCode::kResourceExhausted,
                     v1::ErrorReason_Name(v1::OWNER_LIMIT_REACHED), message,
                     {{"limit", reached.limit},
                      {"most", reached.most},
                      {"present", reached.present},
                      {"roomFrom", Text(reached.room_from)}});
  google::rpc::QuotaFailure quota;
  auto* violation = quota.add_violations();
  violation->set_subject(absl::StrCat("owner:", booking.owner()));
  violation->set_description(message);
  status::AddDetail(&refusal, quota);
  if (reached.later) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(
        std::max<int64_t>(absl::ToInt64Seconds(absl::Ceil(
                              reached.room_from - now, absl::Seconds(1))),
                          1));
    status::AddDetail(&refusal, retry);
  }
  return refusal;
}

// One owner's bookings at one centre.
class Owned {
 public:
  Owned(const resource::Snapshot& view, const Booking& wanted, absl::Time now)
      : view_(view),
        wanted_(wanted),
        now_(now),
        centre_(CentreNameOf(wanted.name())) {}

  absl::Status CheckNew(const char* limit, int most,
                        absl::Duration window) const;
  absl::Status CheckOpen(const OwnerLimits& limits) const;
  absl::Status CheckTime(absl::Duration most, const absl::TimeZone& zone) const;

 private:
  // Calls `visit` with each from `first` on. A key is a fingerprint, so others
  // can stand there too.
  void ForEach(const resource::IndexKey& first,
               absl::FunctionRef<void(const Booking&)> visit) const {
    view_.Lookup(first, std::numeric_limits<int64_t>::max(),
                 [&](const resource::Item& item) {
                   if (item.kind().descriptor != Booking::descriptor()) {
                     return true;
                   }
                   const auto& booking = item.as<Booking>();
                   if (booking.owner() == wanted_.owner() &&
                       CentreNameOf(booking.name()) == centre_) {
                     visit(booking);
                   }
                   return true;
                 });
  }
  // When there is room for one more, of whom each goes away at one of `times`.
  static absl::Time RoomFrom(std::vector<absl::Time> times, int most) {
    std::sort(times.begin(), times.end());
    return times[times.size() - static_cast<size_t>(most)];
  }
  absl::Duration TimeWithin(const Span& week) const;
  static absl::Duration TimeWithin(const Booking& booking, const Span& week) {
    const absl::Duration time =
        std::min(ToTime(booking.end_time()), week.until) -
        std::max(ToTime(booking.start_time()), week.from);
    return std::max(time, absl::ZeroDuration()) * booking.spaces_size();
  }

  const resource::Snapshot& view_;
  const Booking& wanted_;
  const absl::Time now_;
  const std::string centre_;
};

absl::Status Owned::CheckNew(const char* limit, int most,
                             absl::Duration window) const {
  std::vector<absl::Time> gone;
  ForEach(CreateKey(centre_, wanted_.owner(), now_ - window),
          [&](const Booking& booking) {
            const absl::Time time = ToTime(booking.create_time()) + window;
            if (time > now_) gone.push_back(time);
          });
  const int present = static_cast<int>(gone.size());
  if (present < most) return absl::OkStatus();
  return Refuse(wanted_, now_,
                {limit, absl::StrCat(most), absl::StrCat(present),
                 absl::StrCat(present, " new bookings within ",
                              absl::FormatDuration(window), ", of ", most,
                              " that one may have"),
                 RoomFrom(std::move(gone), most)});
}

absl::Status Owned::CheckOpen(const OwnerLimits& limits) const {
  std::vector<absl::Time> held;
  std::vector<absl::Time> open;
  ForEach(EndKey(centre_, wanted_.owner(), now_), [&](const Booking& booking) {
    if (IsOver(booking.state())) return;
    open.push_back(OpenUntil(booking));
    if (booking.state() == Booking::HELD) held.push_back(open.back());
  });
  const auto check = [&](const char* limit, int most, const char* what,
                         std::vector<absl::Time> times) {
    const int present = static_cast<int>(times.size());
    if (present < most) return absl::OkStatus();
    return Refuse(wanted_, now_,
                  {limit, absl::StrCat(most), absl::StrCat(present),
                   absl::StrCat(present, " bookings that are ", what, ", of ",
                                most, " that one may have at once"),
                   RoomFrom(std::move(times), most)});
  };
  absl::Status status =
      check("held_at_once", limits.held_at_once, "held", std::move(held));
  if (!status.ok()) return status;
  return check("open_at_once", limits.open_at_once, "open", std::move(open));
}

absl::Duration Owned::TimeWithin(const Span& week) const {
  absl::Duration time;
  ForEach(EndKey(centre_, wanted_.owner(), week.from),
          [&](const Booking& booking) {
            if (TakesTime(booking.state())) time += TimeWithin(booking, week);
          });
  return time;
}

absl::Status Owned::CheckTime(absl::Duration most,
                              const absl::TimeZone& zone) const {
  const absl::Time end = ToTime(wanted_.end_time());
  absl::CivilDay monday = absl::PrevWeekday(
      absl::ToCivilDay(ToTime(wanted_.start_time()), zone) + 1,
      absl::Weekday::monday);
  while (absl::FromCivil(monday, zone) < end) {
    const Span week{absl::FromCivil(monday, zone),
                    absl::FromCivil(monday + 7, zone)};
    const absl::Duration present = TimeWithin(week);
    const absl::Duration wanted = TimeWithin(wanted_, week);
    if (present + wanted > most) {
      return Refuse(
          wanted_, now_,
          {"time_per_week", Seconds(most), Seconds(present),
           absl::StrCat("booked ", absl::FormatDuration(present),
                        " in the week of ", absl::FormatCivilTime(monday),
                        ", which leaves less than the ",
                        absl::FormatDuration(wanted), " asked for of the ",
                        absl::FormatDuration(most), " that one may have"),
           week.until, /*later=*/false});
    }
    monday += 7;
  }
  return absl::OkStatus();
}

}  // namespace

OwnerLimits OwnerLimitsOf(const v1::Centre& centre) {
  const v1::OwnerLimits& limits = centre.booking_policy().owner_limits();
  const auto or_default = [](int limit, int otherwise) {
    return limit == 0 ? otherwise : limit;
  };
  return {
      or_default(limits.held_at_once(), 3),
      or_default(limits.open_at_once(), 10),
      limits.has_time_per_week() ? ToDuration(limits.time_per_week())
                                 : absl::Hours(40),
      or_default(limits.new_per_minute(), 6),
      or_default(limits.new_per_day(), 30),
  };
}

void CheckOwnerLimitFields(const v1::Centre& centre,
                           status::Violations* violations) {
  constexpr char kPath[] = "centre.booking_policy.owner_limits.";
  const v1::OwnerLimits& limits = centre.booking_policy().owner_limits();
  const auto check = [&](const char* field, int limit) {
    if (limit < 0 || limit > kHighestLimit) {
      violations->Add(absl::StrCat(kPath, field), "must be from 0 to 10,000");
    }
  };
  check("held_at_once", limits.held_at_once());
  check("open_at_once", limits.open_at_once());
  check("new_per_minute", limits.new_per_minute());
  check("new_per_day", limits.new_per_day());
  if (!limits.has_time_per_week()) return;
  const absl::Duration time = ToDuration(limits.time_per_week());
  if (time < kLeastTime || time > kMostTime) {
    violations->Add(absl::StrCat(kPath, "time_per_week"),
                    "must be from 1 hour to 1,000 days");
  }
}

void OwnerKeys(const v1::Booking& booking,
               std::vector<resource::IndexKey>* keys) {
  const std::string centre = CentreNameOf(booking.name());
  keys->push_back(
      CreateKey(centre, booking.owner(), ToTime(booking.create_time())));
  if (TakesTime(booking.state())) {
    keys->push_back(
        EndKey(centre, booking.owner(), ToTime(booking.end_time())));
  }
}

absl::Status CheckOwnerLimits(const resource::Snapshot& view,
                              const v1::Booking& booking, absl::Time now) {
  const auto* centre = view.Get<v1::Centre>(CentreNameOf(booking.name()));
  if (centre == nullptr) return absl::OkStatus();  // The rules refuse it.
  const OwnerLimits limits = OwnerLimitsOf(*centre);
  const Owned owned(view, booking, now);
  absl::Status status =
      owned.CheckNew("new_per_minute", limits.new_per_minute, kMinute);
  if (status.ok()) {
    status = owned.CheckNew("new_per_day", limits.new_per_day, kDay);
  }
  if (status.ok()) status = owned.CheckOpen(limits);
  if (status.ok()) {
    status = owned.CheckTime(limits.time_per_week, ZoneOf(*centre));
  }
  return status;
}

}  // namespace transparency::centre::domain
