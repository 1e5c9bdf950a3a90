#include "centre-service/domain/owner_limits.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "centre-service/tests/centre_town.h"
#include "common/status/status.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::centre::domain {
namespace {

using ::testing::ElementsAre;
using v1::Booking;

const Caller alice{"alice", {}};
const Caller clerk{"clerk", {"staff"}};

class OwnerLimitsTest : public ::testing::Test {
 protected:
  // The centre with these limits, and all others out of the way.
  void Limit(const std::string& limits) {
    v1::Centre centre = town_.centre();
    *centre.mutable_booking_policy()->mutable_owner_limits() =
        Parse<v1::OwnerLimits>(
            "held_at_once: 10000 open_at_once: 10000 new_per_minute: 10000"
            " new_per_day: 10000 time_per_week { seconds: 86400000 }");
    centre.mutable_booking_policy()->mutable_owner_limits()->MergeFrom(
        Parse<v1::OwnerLimits>(limits));
    town_.Put(centre);
  }

  // A day of March 2026 between hours (UTC): the 2nd is a Monday.
  static Span March(int day, double from, double until) {
    const absl::Time midnight =
        absl::FromCivil(absl::CivilDay(2026, 3, day), absl::UTCTimeZone());
    return {midnight + absl::Hours(from), midnight + absl::Hours(until)};
  }

  // Creates it as the service does.
  absl::Status Create(Booking booking, const Caller& creator = alice) {
    absl::Status status =
        CheckBooking(town_.view(), nullptr, &booking, town_.now());
    if (status.ok()) {
      status = AdmitBooking(town_.view(), creator, booking, town_.now());
    }
    if (!status.ok()) return status;
    *booking.mutable_create_time() = ToTimestamp(town_.now());
    town_.Put(booking);
    last_ = booking;
    return status;
  }
  absl::Status Create(const Span& stay) {
    return Create(town_.Wanted(Town::kRoom, stay));
  }
  void Become(Booking booking, Booking::State state) {
    booking.set_state(state);
    town_.Put(booking);
  }
  void Pass(absl::Duration time) { town_.MoveTo(town_.now() + time); }

  // What the refusal says: limit, most, present, roomFrom.
  static std::string Told(const absl::Status& status) {
    google::rpc::ErrorInfo info;
    if (status::Reason(status) != "OWNER_LIMIT_REACHED" ||
        !status::FindDetail(status, &info)) {
      return status.ToString();
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    google::rpc::QuotaFailure quota;
    EXPECT_TRUE(status::FindDetail(status, &quota));
    EXPECT_EQ(quota.violations(0).subject(), "owner:alice");
    const auto& told = info.metadata();
    return absl::StrCat(told.at("limit"), " ", told.at("most"), " ",
                        told.at("present"), " ", told.at("roomFrom"));
  }
  static absl::Duration RetryAfter(const absl::Status& status) {
    google::rpc::RetryInfo retry;
    return status::FindDetail(status, &retry) ? ToDuration(retry.retry_delay())
                                              : -absl::InfiniteDuration();
  }

  Town town_;
  Booking last_;
};

TEST_F(OwnerLimitsTest, HoldAtMostSoManyAtOnce) {
  Limit("held_at_once: 2");
  ASSERT_EQ(Create(March(4, 9, 10)), absl::OkStatus());
  const Booking first = last_;
  Pass(absl::Minutes(5));
  ASSERT_EQ(Create(March(4, 10, 11)), absl::OkStatus());
  const absl::Status refusal = Create(March(4, 11, 12));
  // The first hold ends a quarter of an hour after it was made.
  EXPECT_EQ(Told(refusal), "held_at_once 2 2 2026-03-02T08:15:00+00:00");
  EXPECT_EQ(RetryAfter(refusal), absl::Minutes(10));
  EXPECT_EQ(refusal.message(),
            "alice has 2 bookings that are held, of 2 that one may have at "
            "once at centres/brussels; there is room again from "
            "2026-03-02T08:15:00+00:00.");
  // The clock lets one go, or its owner.
  Become(first, Booking::CONFIRMED);
  EXPECT_EQ(Create(March(4, 11, 12)), absl::OkStatus());
  EXPECT_NE(Create(March(4, 12, 13)), absl::OkStatus());
  Pass(absl::Minutes(15));
  EXPECT_EQ(Create(March(4, 12, 13)), absl::OkStatus());
}

TEST_F(OwnerLimitsTest, HaveAtMostSoManyOpenAtOnce) {
  Limit("open_at_once: 3");
  ASSERT_EQ(Create(March(4, 9, 10)), absl::OkStatus());
  Become(last_, Booking::CONFIRMED);
  ASSERT_EQ(Create(March(5, 9, 10)), absl::OkStatus());
  Become(last_, Booking::REQUESTED);
  ASSERT_EQ(Create(March(6, 9, 10)), absl::OkStatus());
  const Booking third = last_;
  Become(third, Booking::CONFIRMED);
  // The first is a no-show half an hour after its start.
  EXPECT_EQ(Told(Create(March(6, 11, 12))),
            "open_at_once 3 3 2026-03-04T09:30:00+00:00");
  Become(third, Booking::CANCELLED);
  EXPECT_EQ(Create(March(6, 11, 12)), absl::OkStatus());
  EXPECT_NE(Create(March(6, 12, 13)), absl::OkStatus());
  town_.MoveTo(At("2026-03-04T09:30:00"));
  EXPECT_EQ(Create(March(6, 12, 13)), absl::OkStatus());
}

TEST_F(OwnerLimitsTest, TakeAtMostSoMuchTimeOfAWeek) {
  Limit("time_per_week { seconds: 36000 }");
  ASSERT_EQ(Create(March(4, 8, 12)), absl::OkStatus());
  const Booking wednesday = last_;
  // Each space counts.
  Booking both = town_.Wanted(Town::kBench, March(5, 9, 11));
  both.add_spaces(Town::kRoom);
  ASSERT_EQ(Create(both), absl::OkStatus());
  const absl::Status refusal = Create(March(6, 8, 10.5));
  EXPECT_EQ(Told(refusal),
            "time_per_week 36000s 28800s 2026-03-08T23:00:00+00:00");
  // The same booking never fits; another week does at once.
  EXPECT_EQ(RetryAfter(refusal), -absl::InfiniteDuration());
  EXPECT_EQ(Create(March(9, 8, 16)), absl::OkStatus());
  EXPECT_EQ(Create(March(6, 8, 10)), absl::OkStatus());
  EXPECT_NE(Create(March(6, 10, 10.5)), absl::OkStatus());
  // Whoever stayed away had the time, whoever cancelled had it not.
  Become(wednesday, Booking::NO_SHOW);
  EXPECT_NE(Create(March(6, 10, 10.5)), absl::OkStatus());
  Become(wednesday, Booking::CANCELLED);
  EXPECT_EQ(Create(March(6, 10, 14)), absl::OkStatus());
  EXPECT_NE(Create(March(6, 14, 14.5)), absl::OkStatus());
}

TEST_F(OwnerLimitsTest, GoByTheWeekOfTheCentresClock) {
  v1::Centre centre = town_.centre();
  centre.clear_weekly_opening_hours();
  for (int day = 1; day <= 7; ++day) {
    *centre.add_weekly_opening_hours() = Parse<v1::OpeningHours>(
        absl::StrCat("day: ", day, " closes { hours: 24 }"));
  }
  town_.Put(centre);
  Limit("time_per_week { seconds: 14400 }");
  // Sunday 20:00 to Monday 04:00 in Brussels: four hours of each week.
  ASSERT_EQ(Create({At("2026-03-08T19:00:00"), At("2026-03-09T03:00:00")}),
            absl::OkStatus());
  EXPECT_EQ(Told(Create(March(8, 18, 18.5))),
            "time_per_week 14400s 14400s 2026-03-08T23:00:00+00:00");
  EXPECT_EQ(Told(Create(March(10, 9, 9.5))),
            "time_per_week 14400s 14400s 2026-03-15T23:00:00+00:00");
  // Too much of its second week alone.
  EXPECT_EQ(
      Told(Create({At("2026-03-22T22:30:00"), At("2026-03-23T04:00:00")})),
      "time_per_week 14400s 0s 2026-03-29T22:00:00+00:00");
}

TEST_F(OwnerLimitsTest, AreMadeAtMostSoManyInAMinuteAndADay) {
  Limit("new_per_minute: 2 new_per_day: 5");
  ASSERT_EQ(Create(March(4, 9, 10)), absl::OkStatus());
  Pass(absl::Seconds(20));
  ASSERT_EQ(Create(March(4, 10, 11)), absl::OkStatus());
  // Letting them go makes no room.
  Become(last_, Booking::CANCELLED);
  absl::Status refusal = Create(March(4, 11, 12));
  EXPECT_EQ(Told(refusal), "new_per_minute 2 2 2026-03-02T08:01:00+00:00");
  EXPECT_EQ(RetryAfter(refusal), absl::Seconds(40));
  Pass(absl::Seconds(40));
  ASSERT_EQ(Create(March(4, 11, 12)), absl::OkStatus());
  EXPECT_EQ(Told(Create(March(4, 12, 13))),
            "new_per_minute 2 2 2026-03-02T08:01:20+00:00");
  for (int i = 0; i < 2; ++i) {
    Pass(absl::Hours(1));
    ASSERT_EQ(Create(March(5, 9 + i, 10 + i)), absl::OkStatus());
  }
  Pass(absl::Hours(1));
  EXPECT_EQ(Told(Create(March(5, 12, 13))),
            "new_per_day 5 5 2026-03-03T08:00:00+00:00");
  town_.MoveTo(At("2026-03-03T08:00:00"));
  EXPECT_EQ(Create(March(5, 12, 13)), absl::OkStatus());
}

TEST_F(OwnerLimitsTest, ProtectACentreThatSaysNothingOfThem) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(Create(March(4, 9 + i, 10 + i)), absl::OkStatus());
    Pass(absl::Seconds(30));
  }
  EXPECT_EQ(Told(Create(March(4, 12, 13))),
            "held_at_once 3 3 2026-03-02T08:15:00+00:00");
  const OwnerLimits limits = OwnerLimitsOf(town_.centre());
  EXPECT_EQ(limits.open_at_once, 10);
  EXPECT_EQ(limits.time_per_week, absl::Hours(40));
  EXPECT_EQ(limits.new_per_minute, 6);
  EXPECT_EQ(limits.new_per_day, 30);

  // Whoever confirms what it can and makes the rest anew as soon as the clock
  // lets go of it still has no more than ten bookings ahead.
  int taken = 0;
  for (int day = 9; day <= 13; ++day) {
    for (int hour = 8; hour < 16; ++hour) {
      for (const char* space : {Town::kRoom, Town::kHall}) {
        if (Create(town_.Wanted(space, March(day, hour, hour + 1))).ok()) {
          ++taken;
          Become(last_, Booking::CONFIRMED);
        }
        Pass(absl::Minutes(1));
      }
    }
  }
  EXPECT_EQ(taken, 10);
}

TEST_F(OwnerLimitsTest, AreOfOneOwnerAtOneCentreAndNotForStaff) {
  Limit("held_at_once: 1");
  ASSERT_EQ(Create(March(4, 9, 10)), absl::OkStatus());
  ASSERT_NE(Create(March(4, 10, 11)), absl::OkStatus());
  // Staff may, for whomever, and it counts.
  Booking given = town_.Wanted(Town::kRoom, March(4, 10, 11));
  EXPECT_EQ(Create(given, clerk), absl::OkStatus());
  EXPECT_EQ(Told(Create(March(4, 11, 12))),
            "held_at_once 1 2 2026-03-02T08:15:00+00:00");
  Booking others = town_.Wanted(Town::kRoom, March(4, 11, 12));
  others.set_owner("bob");
  EXPECT_EQ(Create(others, {"bob", {}}), absl::OkStatus());

  v1::Centre elsewhere = town_.centre();
  elsewhere.set_name("centres/elsewhere");
  town_.Put(elsewhere);
  town_.Put(Town::Space("centres/elsewhere/spaces/room", 10, ""));
  Booking there =
      town_.Wanted("centres/elsewhere/spaces/room", March(4, 9, 10));
  there.set_name("centres/elsewhere/bookings/b1");
  EXPECT_EQ(Create(there), absl::OkStatus());
}

TEST_F(OwnerLimitsTest, MustBeInTheirRanges) {
  v1::Centre centre = town_.centre();
  auto* limits = centre.mutable_booking_policy()->mutable_owner_limits();
  limits->set_held_at_once(-1);
  limits->set_open_at_once(10'001);
  limits->set_new_per_minute(-1);
  limits->set_new_per_day(10'001);
  limits->mutable_time_per_week()->set_seconds(3599);
  const absl::Status status =
      CheckCentre(town_.view(), nullptr, &centre, town_.now());
  google::rpc::BadRequest bad;
  ASSERT_TRUE(status::FindDetail(status, &bad)) << status;
  std::vector<std::string> fields;
  for (const auto& violation : bad.field_violations()) {
    fields.push_back(violation.field());
  }
  EXPECT_THAT(fields,
              ElementsAre("centre.booking_policy.owner_limits.held_at_once",
                          "centre.booking_policy.owner_limits.open_at_once",
                          "centre.booking_policy.owner_limits.new_per_minute",
                          "centre.booking_policy.owner_limits.new_per_day",
                          "centre.booking_policy.owner_limits.time_per_week"));
  *limits = Parse<v1::OwnerLimits>(
      "held_at_once: 10000 new_per_day: 1 time_per_week { seconds: 3600 }");
  EXPECT_EQ(CheckCentre(town_.view(), nullptr, &centre, town_.now()),
            absl::OkStatus());
}

}  // namespace
}  // namespace transparency::centre::domain
