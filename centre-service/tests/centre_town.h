#pragma once

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "centre-service/domain/bookings.h"
#include "centre-service/domain/centres.h"
#include "centre-service/domain/instants.h"
#include "centre-service/domain/span.h"
#include "common/resource/item.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "transparency/centre/v1/booking.pb.h"
#include "transparency/centre/v1/centre.pb.h"
#include "transparency/centre/v1/space.pb.h"
#include "transparency/centre/v1/visitor.pb.h"

namespace transparency::centre::domain {

template <class T>
T Parse(const std::string& text) {
  T message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message))
      << text;
  return message;
}

// "2026-03-02T09:00:00+01:00"; the zone may be left out, then it is UTC.
inline absl::Time At(const std::string& text) {
  absl::Time time;
  std::string error;
  const bool zoned = text.find_first_of("Z+", 10) != std::string::npos;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, zoned ? text : text + "Z",
                              &time, &error))
      << text << ": " << error;
  return time;
}

inline Span From(const std::string& from, const std::string& until) {
  return {At(from), At(until)};
}

inline void PrintTo(const Span& span, std::ostream* out) {
  *out << "[" << absl::FormatTime(span.from, absl::UTCTimeZone()) << ", "
       << absl::FormatTime(span.until, absl::UTCTimeZone()) << ")";
}

// A snapshot of one centre in Brussels, open from Monday to Friday, 09:00 to
// 17:00, at Monday 2026-03-02 08:00 UTC, with two exclusive spaces and a shared
// one; a booking needs approval for SOURCE_REVIEW.
class Town {
 public:
  static constexpr char kCentre[] = "centres/brussels";
  static constexpr char kRoom[] = "centres/brussels/spaces/room";
  static constexpr char kBench[] = "centres/brussels/spaces/bench";
  static constexpr char kHall[] = "centres/brussels/spaces/hall";

  Town() {
    EXPECT_TRUE(AddKinds(&catalogue_).ok());
    builder_ = std::make_unique<resource::SnapshotBuilder>(
        resource::Snapshot(&catalogue_));
    MoveTo(At("2026-03-02T08:00:00"));
    Put(WorkingWeek());
    Put(Space(kRoom, 10, ""));
    Put(Space(kBench, 4,
              "set_up_time { seconds: 1800 } clear_down_time { seconds: 900 }"
              " purposes: [PRODUCT_TESTING, SOURCE_REVIEW]"
              " equipment: ['projector', 'probe']"));
    Put(Space(kHall, 20, "occupancy: SHARED equipment: 'projector'"));
  }

  static v1::Centre WorkingWeek() {
    auto centre = Parse<v1::Centre>(
        "name: 'centres/brussels' display_name: 'Brussels' country: 'BE'"
        " time_zone: 'Europe/Brussels'"
        " opened_on { year: 2019 month: 3 day: 5 }"
        " booking_policy {"
        "  minimum_notice { seconds: 3600 }"
        "  furthest_ahead { seconds: 15552000 }"
        "  longest_stay { seconds: 28800 } party_limit: 15"
        "  free_cancellation_until { seconds: 86400 }"
        "  hold_time { seconds: 900 }"
        "  approval_required_for: SOURCE_REVIEW"
        "  no_show_after { seconds: 1800 } }");
    for (int day = 1; day <= 5; ++day) {
      *centre.add_weekly_opening_hours() = Parse<v1::OpeningHours>(absl::StrCat(
          "day: ", day, " opens { hours: 9 } closes { hours: 17 }"));
    }
    return centre;
  }

  static v1::Space Space(const std::string& name, int capacity,
                         const std::string& more) {
    auto space =
        Parse<v1::Space>(absl::StrCat("category: MEETING_ROOM ", more));
    if (space.occupancy() == v1::Space::OCCUPANCY_UNSPECIFIED) {
      space.set_occupancy(v1::Space::EXCLUSIVE);
    }
    space.set_name(name);
    space.set_display_name(name);
    space.set_capacity(capacity);
    return space;
  }

  // A booking as a client sends it, under a name of its own.
  v1::Booking Wanted(absl::string_view space, const Span& stay, int party = 4) {
    v1::Booking booking;
    booking.set_name(absl::StrCat(kCentre, "/bookings/b", ++bookings_));
    booking.set_owner("alice");
    booking.set_purpose(v1::Booking::PRODUCT_TESTING);
    booking.add_spaces(std::string(space));
    *booking.mutable_start_time() = ToTimestamp(stay.from);
    *booking.mutable_end_time() = ToTimestamp(stay.until);
    booking.mutable_party()->set_size(party);
    booking.mutable_party()->set_category(v1::Party::CUSTOMER);
    return booking;
  }

  // Creates it as the service would; the refusal otherwise.
  absl::Status Book(v1::Booking* booking) {
    absl::Status status = CheckBooking(view(), nullptr, booking, now());
    if (status.ok()) {
      Put(*booking);
      *booking = *view().Get<v1::Booking>(booking->name());
    }
    return status;
  }
  absl::Status Book(v1::Booking booking) { return Book(&booking); }

  // Books and brings into a state that the clock does not lead out of at once.
  v1::Booking Booked(absl::string_view space, const Span& stay, int party = 4,
                     v1::Booking::State state = v1::Booking::CONFIRMED) {
    v1::Booking booking = Wanted(space, stay, party);
    EXPECT_EQ(Book(&booking), absl::OkStatus());
    booking.set_state(state);
    Put(booking);
    return *view().Get<v1::Booking>(booking.name());
  }

  template <class T>
  void Put(const T& message) {
    resource::Item::Stored stored;
    stored.message = std::make_unique<T>(message);
    builder_->Put(resource::Item::Make(
        *catalogue_.ByDescriptor(T::descriptor()), std::move(stored), now()));
  }

  void MoveTo(absl::Time now) { builder_->Advance(now); }
  absl::Time now() const { return builder_->view().instant(); }
  const resource::Snapshot& view() const { return builder_->view(); }
  const v1::Centre& centre() const { return *view().Get<v1::Centre>(kCentre); }
  const v1::Space& space(absl::string_view name) const {
    return *view().Get<v1::Space>(name);
  }

 private:
  resource::Catalogue catalogue_;
  std::unique_ptr<resource::SnapshotBuilder> builder_;
  int bookings_ = 0;
};

}  // namespace transparency::centre::domain
