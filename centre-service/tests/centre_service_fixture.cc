#include "centre-service/tests/centre_service_fixture.h"

#include "absl/strings/str_cat.h"
#include "centre-service/service/definition.h"
#include "common/status/status.h"

namespace transparency::centre {

CentreServiceTest::CentreServiceTest()
    : RunningServiceTest(service::Definition(), kMonday) {
  auto create = Parse<v1::CreateCentreRequest>(
      "centre_id: 'brussels' centre { display_name: 'Brussels' country: 'BE'"
      " time_zone: 'Europe/Brussels'"
      " booking_policy { hold_time { seconds: 900 }"
      "  approval_required_for: SOURCE_REVIEW"
      // Tests that are about these limits set them.
      "  owner_limits { held_at_once: 10000 open_at_once: 10000"
      "   time_per_week { seconds: 86400000 } new_per_minute: 10000"
      "   new_per_day: 10000 } } }");
  for (int day = 1; day <= 5; ++day) {
    *create.mutable_centre()->add_weekly_opening_hours() =
        Parse<v1::OpeningHours>(absl::StrCat(
            "day: ", day, " opens { hours: 9 } closes { hours: 17 }"));
  }
  EXPECT_EQ(Reason<v1::Centre>(kDesk, "CreateCentre", create), "");
  EXPECT_EQ(Reason<v1::Space>(
                kDesk, "CreateSpace",
                Parse<v1::CreateSpaceRequest>(
                    "parent: 'centres/brussels' space_id: 'room' space {"
                    " display_name: 'Room' category: MEETING_ROOM"
                    " occupancy: EXCLUSIVE capacity: 10 }")),
            "");
  EXPECT_EQ(Reason<v1::Space>(
                kDesk, "CreateSpace",
                Parse<v1::CreateSpaceRequest>(
                    "parent: 'centres/brussels' space_id: 'hall' space {"
                    " display_name: 'Hall' category: SHOWCASE_AREA"
                    " occupancy: SHARED capacity: 20 }")),
            "");
}

v1::CreateBookingRequest CentreServiceTest::Wish(int from_hour,
                                                 int until_hour) {
  auto request = Parse<v1::CreateBookingRequest>(
      "parent: 'centres/brussels' booking { purpose: STAKEHOLDER_MEETING"
      " spaces: 'centres/brussels/spaces/room'"
      " party { category: CUSTOMER size: 4 } }");
  const int64_t wednesday = absl::ToUnixSeconds(kMonday) - 8 * 3600 + 2 * 86400;
  v1::Booking* booking = request.mutable_booking();
  booking->mutable_start_time()->set_seconds(wednesday + from_hour * 3600);
  booking->mutable_end_time()->set_seconds(wednesday + until_hour * 3600);
  return request;
}

std::string CentreServiceTest::ReasonOf(const absl::Status& status) {
  if (status.ok()) return "";
  const std::string reason = status::Reason(status);
  return reason.empty() ? status.ToString() : reason;
}

v1::Booking CentreServiceTest::Book(absl::string_view token,
                                    const v1::CreateBookingRequest& request) {
  auto booking = running_.Call<v1::Booking>(token, "CreateBooking", request);
  EXPECT_TRUE(booking.ok()) << booking.status();
  return booking.ok() ? *booking : v1::Booking();
}

v1::Visitor CentreServiceTest::AddVisitor(absl::string_view token,
                                          const std::string& booking) {
  auto request = Parse<v1::CreateVisitorRequest>(
      "visitor { category: MEDIA display_name: 'Zaphod Unmistakable'"
      " email: 'zaphod@unmistakable.example' organization: 'Heartofgold' }");
  request.set_parent(booking);
  auto visitor = running_.Call<v1::Visitor>(token, "CreateVisitor", request);
  EXPECT_TRUE(visitor.ok()) << visitor.status();
  return visitor.ok() ? *visitor : v1::Visitor();
}

}  // namespace transparency::centre
