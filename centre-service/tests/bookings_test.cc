#include "centre-service/domain/bookings.h"

#include <algorithm>
#include <map>

#include "centre-service/tests/centre_town.h"
#include "common/status/status.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::centre::domain {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using v1::Booking;

class Bookings : public ::testing::Test {
 protected:
  static Span Wednesday(const std::string& from, const std::string& until) {
    return From("2026-03-04T" + from + ":00", "2026-03-04T" + until + ":00");
  }

  std::string Refusal(Booking booking) {
    return status::Reason(town_.Book(&booking));
  }
  Booking RoomBooking() {
    return town_.Wanted(Town::kRoom, Wednesday("10:00", "11:00"));
  }
  Booking Current(const Booking& booking) {
    return *town_.view().Get<Booking>(booking.name());
  }

  Town town_;
};

TEST_F(Bookings, AreHeldWithEverythingFixedThatFollows) {
  Booking booking = town_.Wanted(Town::kBench, Wednesday("10:00", "11:00"));
  booking.add_spaces(Town::kHall);
  ASSERT_EQ(town_.Book(&booking), absl::OkStatus());
  EXPECT_EQ(booking.state(), Booking::HELD);
  EXPECT_THAT(booking.allowed_steps(), ElementsAre("request", "cancel"));
  EXPECT_EQ(ToTime(booking.hold_expire_time()),
            town_.now() + absl::Minutes(15));
  EXPECT_EQ(ToTime(booking.no_show_time()), At("2026-03-04T10:30:00"));
  ASSERT_EQ(booking.occupied_spaces_size(), 2);
  EXPECT_EQ(booking.occupied_spaces(0).space(), Town::kBench);
  EXPECT_EQ(ToTime(booking.occupied_spaces(0).free_from()),
            At("2026-03-04T11:30:00"));
  EXPECT_FALSE(booking.occupied_spaces(0).shared());
  EXPECT_EQ(ToTime(booking.occupied_spaces(1).free_from()),
            At("2026-03-04T11:00:00"));
  EXPECT_TRUE(booking.occupied_spaces(1).shared());
}

TEST_F(Bookings, BelongToTheirCreatorOrToWhomStaffName) {
  v1::CreateBookingRequest request;
  Booking booking;
  EXPECT_EQ(TakeOwner(request, {"alice", {}}, &booking), absl::OkStatus());
  EXPECT_EQ(booking.owner(), "alice");
  request.set_owner("bob");
  EXPECT_EQ(
      status::Reason(TakeOwner(request, {"alice", {"auditor"}}, &booking)),
      "INVALID_FIELDS");
  EXPECT_EQ(TakeOwner(request, {"bob", {}}, &booking), absl::OkStatus());
  EXPECT_EQ(TakeOwner(request, {"eve", {"staff"}}, &booking), absl::OkStatus());
  EXPECT_EQ(booking.owner(), "bob");
}

TEST_F(Bookings, KeepTheGapTheyWereGiven) {
  const Booking booking =
      town_.Booked(Town::kBench, Wednesday("10:00", "11:00"));
  v1::Space bench = town_.space(Town::kBench);
  bench.mutable_set_up_time()->set_seconds(7200);
  town_.Put(bench);
  EXPECT_EQ(ToTime(Current(booking).occupied_spaces(0).free_from()),
            At("2026-03-04T11:30:00"));
}

TEST_F(Bookings, OfOneExclusiveSpaceNeverOverlap) {
  town_.Booked(Town::kRoom, Wednesday("10:00", "11:00"));
  for (const Span& stay :
       {Wednesday("10:00", "11:00"), Wednesday("09:30", "10:01"),
        Wednesday("10:59", "12:00"), Wednesday("10:15", "10:30"),
        Wednesday("09:00", "12:00")}) {
    EXPECT_EQ(Refusal(town_.Wanted(Town::kRoom, stay)), "SPACE_TAKEN");
  }
}

TEST_F(Bookings, MayStandBackToBack) {
  town_.Booked(Town::kRoom, Wednesday("10:00", "11:00"));
  EXPECT_EQ(town_.Book(town_.Wanted(Town::kRoom, Wednesday("09:00", "10:00"))),
            absl::OkStatus());
  EXPECT_EQ(town_.Book(town_.Wanted(Town::kRoom, Wednesday("11:00", "12:00"))),
            absl::OkStatus());
}

TEST_F(Bookings, KeepTheGapOnBothSides) {
  town_.Booked(Town::kBench, Wednesday("10:00", "11:00"));
  EXPECT_EQ(Refusal(town_.Wanted(Town::kBench, Wednesday("11:29", "12:00"))),
            "SPACE_TAKEN");
  EXPECT_EQ(Refusal(town_.Wanted(Town::kBench, Wednesday("09:00", "09:31"))),
            "SPACE_TAKEN");
  EXPECT_EQ(town_.Book(town_.Wanted(Town::kBench, Wednesday("11:30", "12:00"))),
            absl::OkStatus());
  EXPECT_EQ(town_.Book(town_.Wanted(Town::kBench, Wednesday("09:00", "09:30"))),
            absl::OkStatus());
}

TEST_F(Bookings, OfSeveralSpacesAreAllOrNothing) {
  town_.Booked(Town::kRoom, Wednesday("10:00", "11:00"));
  Booking both = town_.Wanted(Town::kBench, Wednesday("10:00", "11:00"));
  both.add_spaces(Town::kRoom);
  EXPECT_EQ(Refusal(both), "SPACE_TAKEN");
  EXPECT_EQ(town_.Book(town_.Wanted(Town::kBench, Wednesday("10:00", "11:00"))),
            absl::OkStatus());
}

TEST_F(Bookings, OfASharedSpaceFillItAndNoMore) {
  EXPECT_EQ(
      town_.Book(town_.Wanted(Town::kHall, Wednesday("10:00", "12:00"), 12)),
      absl::OkStatus());
  EXPECT_EQ(
      town_.Book(town_.Wanted(Town::kHall, Wednesday("11:00", "13:00"), 8)),
      absl::OkStatus());
  EXPECT_EQ(Refusal(town_.Wanted(Town::kHall, Wednesday("11:30", "11:31"), 1)),
            "SPACE_TAKEN");
  EXPECT_EQ(
      town_.Book(town_.Wanted(Town::kHall, Wednesday("12:00", "13:00"), 12)),
      absl::OkStatus());
}

TEST_F(Bookings, AreRefusedWithTheReasonThatApplies) {
  // The policy: an hour's notice, 180 days ahead, 8 hours, 15 people.
  EXPECT_EQ(Refusal(town_.Wanted(Town::kRoom, From("2026-03-02T08:59:00",
                                                   "2026-03-02T10:00:00"))),
            "NOTICE_TOO_SHORT");
  EXPECT_EQ(Refusal(town_.Wanted(Town::kRoom, From("2026-03-01T10:00:00",
                                                   "2026-03-01T11:00:00"))),
            "NOTICE_TOO_SHORT");
  EXPECT_EQ(Refusal(town_.Wanted(Town::kRoom, From("2026-09-01T10:00:00",
                                                   "2026-09-01T11:00:00"))),
            "TOO_FAR_AHEAD");
  EXPECT_EQ(Refusal(town_.Wanted(Town::kRoom, Wednesday("07:59", "09:00"))),
            "OUTSIDE_OPENING_HOURS");
  EXPECT_EQ(Refusal(town_.Wanted(Town::kRoom, Wednesday("15:00", "16:01"))),
            "OUTSIDE_OPENING_HOURS");
  EXPECT_EQ(Refusal(town_.Wanted(Town::kRoom, Wednesday("08:00", "16:01"))),
            "STAY_TOO_LONG");
  EXPECT_EQ(Refusal(town_.Wanted(Town::kHall, Wednesday("10:00", "11:00"), 16)),
            "PARTY_TOO_LARGE");
  EXPECT_EQ(Refusal(town_.Wanted(Town::kBench, Wednesday("10:00", "11:00"), 5)),
            "PARTY_TOO_LARGE");
  Booking media = town_.Wanted(Town::kBench, Wednesday("10:00", "11:00"));
  media.set_purpose(Booking::MEDIA_VISIT);
  EXPECT_EQ(Refusal(media), "PURPOSE_NOT_SERVED");
}

TEST_F(Bookings, AreRefusedWithEveryFieldThatIsWrong) {
  Booking booking = RoomBooking();
  booking.clear_purpose();
  booking.add_spaces(Town::kRoom);
  booking.add_spaces("centres/elsewhere/spaces/room");
  booking.mutable_start_time()->set_nanos(1000);
  booking.mutable_end_time()->set_seconds(0);
  booking.mutable_party()->set_size(0);
  booking.mutable_party()->clear_category();
  const absl::Status refusal = town_.Book(&booking);
  EXPECT_EQ(refusal.code(), absl::StatusCode::kInvalidArgument);
  google::rpc::BadRequest bad;
  ASSERT_TRUE(status::FindDetail(refusal, &bad));
  std::vector<std::string> fields;
  for (const auto& violation : bad.field_violations()) {
    fields.push_back(violation.field());
  }
  EXPECT_THAT(fields, ElementsAre("booking.purpose", "booking.start_time",
                                  "booking.end_time", "booking.party.size",
                                  "booking.party.category", "booking.spaces[1]",
                                  "booking.spaces[2]"));
}

TEST_F(Bookings, MayStartAtTheVeryNoticeAndFillTheLongestStay) {
  EXPECT_EQ(town_.Book(town_.Wanted(Town::kRoom, From("2026-03-02T09:00:00",
                                                      "2026-03-02T10:00:00"))),
            absl::OkStatus());
  EXPECT_EQ(town_.Book(town_.Wanted(Town::kRoom, Wednesday("08:00", "16:00"))),
            absl::OkStatus());
}

TEST_F(Bookings, ExpireWithTheirHoldAndLetOthersIn) {
  Booking booking = RoomBooking();
  ASSERT_EQ(town_.Book(&booking), absl::OkStatus());
  town_.MoveTo(ToTime(booking.hold_expire_time()) - absl::Microseconds(1));
  EXPECT_EQ(Refusal(RoomBooking()), "SPACE_TAKEN");
  town_.MoveTo(ToTime(booking.hold_expire_time()));
  EXPECT_EQ(Current(booking).state(), Booking::EXPIRED);
  EXPECT_FALSE(Current(booking).has_hold_expire_time());
  EXPECT_THAT(Current(booking).allowed_steps(), IsEmpty());
  EXPECT_EQ(town_.Book(RoomBooking()), absl::OkStatus());
}

TEST_F(Bookings, AreNeverHeldBeyondTheirStart) {
  v1::Centre centre = town_.centre();
  centre.mutable_booking_policy()->mutable_hold_time()->set_seconds(7 * 86400);
  town_.Put(centre);
  Booking booking = RoomBooking();
  ASSERT_EQ(town_.Book(&booking), absl::OkStatus());
  EXPECT_EQ(ToTime(booking.hold_expire_time()), At("2026-03-04T10:00:00"));
}

TEST_F(Bookings, AreConfirmedAtOnceWhereThePurposeNeedsNoApproval) {
  Booking booking = RoomBooking();
  ASSERT_EQ(town_.Book(&booking), absl::OkStatus());
  ASSERT_EQ(RequestBooking(town_.view(), &booking), absl::OkStatus());
  EXPECT_EQ(booking.state(), Booking::CONFIRMED);
}

TEST_F(Bookings, WaitForApprovalWhereThePurposeNeedsIt) {
  Booking booking = RoomBooking();
  booking.set_purpose(Booking::SOURCE_REVIEW);
  ASSERT_EQ(town_.Book(&booking), absl::OkStatus());
  ASSERT_EQ(RequestBooking(town_.view(), &booking), absl::OkStatus());
  town_.Put(booking);
  booking = Current(booking);
  EXPECT_EQ(booking.state(), Booking::REQUESTED);
  EXPECT_FALSE(booking.has_hold_expire_time());
  EXPECT_THAT(booking.allowed_steps(),
              ElementsAre("approve", "decline", "cancel"));
  // Its hold no longer ends it, its start does.
  town_.MoveTo(At("2026-03-04T09:59:59"));
  EXPECT_EQ(Current(booking).state(), Booking::REQUESTED);
  town_.MoveTo(At("2026-03-04T10:00:00"));
  EXPECT_EQ(Current(booking).state(), Booking::EXPIRED);
}

TEST_F(Bookings, BecomeNoShowAndCanStillBeCheckedInUntilTheirEnd) {
  const Booking booking =
      town_.Booked(Town::kRoom, Wednesday("10:00", "11:00"));
  town_.MoveTo(At("2026-03-04T10:30:00"));
  Booking late = Current(booking);
  EXPECT_EQ(late.state(), Booking::NO_SHOW);
  EXPECT_THAT(late.allowed_steps(), ElementsAre("checkIn"));
  ASSERT_EQ(CheckInBooking(town_.view(), town_.now(), &late), absl::OkStatus());
  EXPECT_EQ(late.state(), Booking::CHECKED_IN);
  EXPECT_EQ(ToTime(late.check_in_time()), town_.now());
  town_.MoveTo(At("2026-03-04T11:00:00"));
  EXPECT_THAT(Current(booking).allowed_steps(), IsEmpty());
}

TEST_F(Bookings, OfALatePartyAreNotCheckedInOnceTheSpaceIsTaken) {
  v1::Centre centre = town_.centre();
  centre.mutable_booking_policy()->clear_minimum_notice();
  town_.Put(centre);
  const Booking booking =
      town_.Booked(Town::kRoom, Wednesday("10:00", "11:00"));
  town_.MoveTo(At("2026-03-04T10:30:00"));
  ASSERT_EQ(town_.Book(town_.Wanted(Town::kRoom, Wednesday("10:31", "10:45"))),
            absl::OkStatus());
  Booking late = Current(booking);
  EXPECT_EQ(status::Reason(CheckInBooking(town_.view(), town_.now(), &late)),
            "SPACE_TAKEN");
}

TEST_F(Bookings, OfALatePartyNeedTheGapThatWasFixedNotThatOfToday) {
  v1::Centre centre = town_.centre();
  centre.mutable_booking_policy()->clear_minimum_notice();
  town_.Put(centre);
  const Booking booking =
      town_.Booked(Town::kBench, Wednesday("10:00", "11:00"));
  town_.MoveTo(At("2026-03-04T10:30:00"));
  v1::Space bench = town_.space(Town::kBench);
  bench.clear_set_up_time();
  bench.clear_clear_down_time();
  town_.Put(bench);
  ASSERT_EQ(town_.Book(town_.Wanted(Town::kBench, Wednesday("11:00", "12:00"))),
            absl::OkStatus());
  // It was promised the bench until 11:30.
  Booking late = Current(booking);
  EXPECT_EQ(status::Reason(CheckInBooking(town_.view(), town_.now(), &late)),
            "SPACE_TAKEN");
}

TEST_F(Bookings, OfALatePartyNeedASpaceThatStillHoldsIt) {
  const Booking booking =
      town_.Booked(Town::kHall, Wednesday("10:00", "11:00"), 12);
  town_.MoveTo(At("2026-03-04T10:30:00"));
  v1::Space hall = town_.space(Town::kHall);
  hall.set_capacity(11);
  town_.Put(hall);
  Booking late = Current(booking);
  EXPECT_EQ(status::Reason(CheckInBooking(town_.view(), town_.now(), &late)),
            "SPACE_TAKEN");
}

TEST_F(Bookings, AreCompletedAtTheirEndOnceCheckedIn) {
  Booking booking = town_.Booked(Town::kRoom, Wednesday("10:00", "11:00"));
  town_.MoveTo(At("2026-03-04T09:50:00"));
  ASSERT_EQ(CheckInBooking(town_.view(), town_.now(), &booking),
            absl::OkStatus());
  town_.Put(booking);
  town_.MoveTo(At("2026-03-04T10:59:59"));
  EXPECT_EQ(Current(booking).state(), Booking::CHECKED_IN);
  town_.MoveTo(At("2026-03-04T11:00:00"));
  EXPECT_EQ(Current(booking).state(), Booking::COMPLETED);
}

TEST_F(Bookings, CanBeCheckedInFromTheStartOfTheirDayInTheCentresZone) {
  Booking booking = town_.Booked(Town::kRoom, Wednesday("10:00", "11:00"));
  const absl::Time midnight = At("2026-03-04T00:00:00+01:00");
  EXPECT_EQ(status::Reason(CheckInBooking(
                town_.view(), midnight - absl::Seconds(1), &booking)),
            "CHECK_IN_TOO_EARLY");
  EXPECT_EQ(CheckInBooking(town_.view(), midnight, &booking), absl::OkStatus());
}

TEST_F(Bookings, CancelledWithinTheFreePeriodAreNotLate) {
  Booking booking = town_.Booked(Town::kRoom, Wednesday("10:00", "11:00"));
  Booking late = booking;
  ASSERT_EQ(CancelBooking(town_.view(), At("2026-03-03T10:00:00"), &booking),
            absl::OkStatus());
  EXPECT_EQ(booking.state(), Booking::CANCELLED);
  EXPECT_FALSE(booking.cancelled_late());
  ASSERT_EQ(CancelBooking(town_.view(), At("2026-03-03T10:00:01"), &late),
            absl::OkStatus());
  EXPECT_TRUE(late.cancelled_late());
}

// Every state against every step.
TEST_F(Bookings, TakeTheStepsOfTheirStateAndNoOther) {
  const std::map<Booking::State, std::vector<std::string>> allowed = {
      {Booking::HELD, {"request", "cancel"}},
      {Booking::REQUESTED, {"approve", "decline", "cancel"}},
      {Booking::CONFIRMED, {"checkIn", "cancel"}},
      {Booking::NO_SHOW, {"checkIn"}},
  };
  town_.MoveTo(At("2026-03-04T08:59:00"));
  const Booking base =
      town_.Booked(Town::kRoom, Wednesday("10:00", "11:00"), 4, Booking::HELD);
  const auto step = [&](const std::string& name, Booking* booking) {
    if (name == "request") {
      return RequestBooking(town_.view(), booking);
    }
    if (name == "approve") return ApproveBooking(booking);
    if (name == "decline") return DeclineBooking(booking);
    if (name == "cancel") {
      return CancelBooking(town_.view(), town_.now(), booking);
    }
    return CheckInBooking(town_.view(), town_.now(), booking);
  };
  for (int number = 1; number <= Booking::State_MAX; ++number) {
    const auto state = static_cast<Booking::State>(number);
    const auto found = allowed.find(state);
    for (const char* name :
         {"request", "approve", "decline", "cancel", "checkIn"}) {
      Booking booking = base;
      booking.set_state(state);
      BookingInEffect(&booking, town_.now());
      const absl::Status status = step(name, &booking);
      const bool expected =
          found != allowed.end() &&
          std::count(found->second.begin(), found->second.end(), name) > 0;
      EXPECT_EQ(status.ok(), expected)
          << Booking::State_Name(state) << " " << name << " " << status;
      if (!expected) {
        EXPECT_EQ(status::Reason(status), "STEP_NOT_ALLOWED");
        EXPECT_EQ(booking.state(), state);
      }
    }
  }
}

TEST_F(Bookings, InEffectDoNotDependOnWhenTheyWereLookedAtBefore) {
  for (const auto state : {Booking::HELD, Booking::REQUESTED,
                           Booking::CONFIRMED, Booking::CHECKED_IN}) {
    Town town;
    Booking booking =
        town.Booked(Town::kRoom, Wednesday("10:00", "11:00"), 4, state);
    Booking at_once = booking;
    Booking in_steps = booking;
    const absl::Time end = At("2026-03-05T00:00:00");
    absl::Time next = town.now();
    int steps = 0;
    while (next <= end) {
      const absl::Time after = BookingInEffect(&in_steps, next);
      ASSERT_GT(after, next);
      ASSERT_LT(++steps, 10);
      next = after;
    }
    BookingInEffect(&at_once, end);
    EXPECT_EQ(at_once.SerializeAsString(), in_steps.SerializeAsString())
        << Booking::State_Name(state);
  }
}

TEST_F(Bookings, TakeALargerPartyOnlyWhereItFits) {
  Booking hall = town_.Booked(Town::kHall, Wednesday("10:00", "11:00"), 5);
  town_.Booked(Town::kHall, Wednesday("10:00", "11:00"), 10);
  Booking after = hall;
  after.mutable_party()->set_size(10);
  EXPECT_EQ(CheckBooking(town_.view(), &hall, &after, town_.now()),
            absl::OkStatus());
  after.mutable_party()->set_size(11);
  EXPECT_EQ(
      status::Reason(CheckBooking(town_.view(), &hall, &after, town_.now())),
      "SPACE_TAKEN");
  after.mutable_party()->set_size(16);
  EXPECT_EQ(
      status::Reason(CheckBooking(town_.view(), &hall, &after, town_.now())),
      "PARTY_TOO_LARGE");
}

TEST_F(Bookings, ThatAreOverCannotBeChanged) {
  for (const auto state :
       {Booking::COMPLETED, Booking::DECLINED, Booking::CANCELLED,
        Booking::EXPIRED, Booking::NO_SHOW}) {
    Booking booking = RoomBooking();
    booking.set_state(state);
    Booking after = booking;
    after.mutable_contact()->set_display_name("Bob");
    EXPECT_EQ(status::Reason(
                  CheckBooking(town_.view(), &booking, &after, town_.now())),
              "BOOKING_OVER");
  }
}

}  // namespace
}  // namespace transparency::centre::domain
