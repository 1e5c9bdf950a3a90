#include "centre-service/domain/availability.h"

#include "centre-service/domain/occupation.h"
#include "centre-service/tests/centre_town.h"
#include "common/status/status.h"
#include "gmock/gmock.h"

namespace transparency::centre::domain {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Wednesday 2026-03-04, 09:00 to 17:00 in Brussels.
const char kDayOpens[] = "2026-03-04T08:00:00";
const char kDayCloses[] = "2026-03-04T16:00:00";

class Availability : public ::testing::Test {
 protected:
  // Free times of a space on that Wednesday.
  Spans Free(const char* space, int party = 4) {
    return FreeSpans(
        town_.view(), town_.centre(), WantedNow(town_.space(space)), party,
        From("2026-03-04T00:00:00", "2026-03-05T00:00:00"), town_.now());
  }

  // Spans of the one space that a search on that Wednesday names.
  absl::StatusOr<v1::SearchAvailabilityResponse> Search(
      const std::string& more) {
    auto request = Parse<v1::SearchAvailabilityRequest>(
        "centre: 'centres/brussels' " + more);
    if (!request.has_start_time()) {
      *request.mutable_start_time() = ToTimestamp(At("2026-03-04T00:00:00"));
      *request.mutable_end_time() = ToTimestamp(At("2026-03-05T00:00:00"));
    }
    return SearchAvailability(town_.view(), town_.centre(), request,
                              town_.now());
  }

  std::vector<std::string> SpacesFound(const std::string& more) {
    auto found = Search(more);
    EXPECT_TRUE(found.ok()) << found.status();
    std::vector<std::string> names;
    if (found.ok()) {
      for (const auto& space : found->spaces()) names.push_back(space.space());
    }
    return names;
  }

  std::string SearchReason(const std::string& more) {
    return status::Reason(Search(more).status());
  }

  Town town_;
};

TEST_F(Availability, IsTheWholeOpeningWhileNothingIsBooked) {
  EXPECT_THAT(Free(Town::kRoom), ElementsAre(From(kDayOpens, kDayCloses)));
}

TEST_F(Availability, WithoutGapBookingsStandBackToBack) {
  town_.Booked(Town::kRoom, From("2026-03-04T10:00:00", "2026-03-04T11:00:00"));
  EXPECT_THAT(Free(Town::kRoom),
              ElementsAre(From(kDayOpens, "2026-03-04T10:00:00"),
                          From("2026-03-04T11:00:00", kDayCloses)));
}

TEST_F(Availability, LeavesTheLongerOfSetUpAndClearDownOnBothSides) {
  town_.Booked(Town::kBench,
               From("2026-03-04T10:00:00", "2026-03-04T11:00:00"));
  EXPECT_THAT(Free(Town::kBench),
              ElementsAre(From(kDayOpens, "2026-03-04T09:30:00"),
                          From("2026-03-04T11:30:00", kDayCloses)));
}

TEST_F(Availability, OfOneSpaceSaysNothingOfAnother) {
  town_.Booked(Town::kRoom, From(kDayOpens, kDayCloses));
  EXPECT_THAT(Free(Town::kRoom), IsEmpty());
  EXPECT_THAT(Free(Town::kBench), ElementsAre(From(kDayOpens, kDayCloses)));
}

TEST_F(Availability, ComesBackInEveryStateThatTakesNoSpace) {
  for (int state = v1::Booking::State_MIN; state <= v1::Booking::State_MAX;
       ++state) {
    Town town;
    const v1::Booking booking = town.Booked(
        Town::kRoom, From("2026-03-04T10:00:00", "2026-03-04T11:00:00"), 4,
        static_cast<v1::Booking::State>(state));
    const Spans free = FreeSpans(
        town.view(), town.centre(), WantedNow(town.space(Town::kRoom)), 1,
        From("2026-03-04T00:00:00", "2026-03-05T00:00:00"), town.now());
    EXPECT_EQ(free.size() == 1, !TakesSpaces(booking.state()))
        << v1::Booking::State_Name(booking.state());
  }
}

TEST_F(Availability, KeepsTheGapOfAPartyThatHasLeft) {
  town_.MoveTo(At("2026-03-04T06:00:00"));
  town_.Booked(Town::kBench, From(kDayOpens, "2026-03-04T09:00:00"), 4,
               v1::Booking::CHECKED_IN);
  town_.MoveTo(At("2026-03-04T09:00:00"));
  // Notice leads to 10:00; without it the gap still stands until 09:30.
  const Spans blocked =
      BlockedSpans(town_.view(), WantedNow(town_.space(Town::kBench)), 1,
                   From("2026-03-04T09:00:00", "2026-03-04T12:00:00"), "");
  EXPECT_THAT(blocked,
              ElementsAre(From("2026-03-04T07:30:00", "2026-03-04T09:30:00")));
}

TEST_F(Availability, BeginsAfterTheNoticeInWholeMinutes) {
  town_.MoveTo(At("2026-03-04T09:00:01"));
  EXPECT_THAT(Free(Town::kRoom),
              ElementsAre(From("2026-03-04T10:01:00", kDayCloses)));
}

TEST_F(Availability, EndsWithTheCentresHorizon) {
  // 180 days after Monday 2026-03-02 08:00 UTC is Saturday 2026-08-29.
  EXPECT_THAT(FreeSpans(town_.view(), town_.centre(),
                        WantedNow(town_.space(Town::kRoom)), 1,
                        From("2026-08-28T00:00:00", "2026-09-05T00:00:00"),
                        town_.now()),
              ElementsAre(From("2026-08-28T07:00:00", "2026-08-28T15:00:00")));
}

TEST_F(Availability, OfASharedSpaceIsWhereThePartyStillFits) {
  // Of 20: 10 from 09:00 to 13:00, 6 from 11:00 to 14:00 (UTC).
  town_.Booked(Town::kHall, From("2026-03-04T09:00:00", "2026-03-04T13:00:00"),
               10);
  town_.Booked(Town::kHall, From("2026-03-04T11:00:00", "2026-03-04T14:00:00"),
               6);
  EXPECT_THAT(Free(Town::kHall, 4), ElementsAre(From(kDayOpens, kDayCloses)));
  EXPECT_THAT(Free(Town::kHall, 5),
              ElementsAre(From(kDayOpens, "2026-03-04T11:00:00"),
                          From("2026-03-04T13:00:00", kDayCloses)));
  EXPECT_THAT(Free(Town::kHall, 11),
              ElementsAre(From(kDayOpens, "2026-03-04T09:00:00"),
                          From("2026-03-04T13:00:00", kDayCloses)));
  EXPECT_THAT(Free(Town::kHall, 21), IsEmpty());
}

TEST_F(Availability, AndBookingAgreeOnEveryStartOfADay) {
  town_.Booked(Town::kBench,
               From("2026-03-04T10:00:00", "2026-03-04T11:00:00"));
  town_.Booked(Town::kHall, From("2026-03-04T09:00:00", "2026-03-04T12:00:00"),
               15);
  for (const char* space : {Town::kRoom, Town::kBench, Town::kHall}) {
    const Spans free = Free(space, 8 % town_.space(space).capacity());
    for (int minute = 0; minute < 24 * 60; minute += 15) {
      const absl::Time start =
          At("2026-03-04T00:00:00") + absl::Minutes(minute);
      const Span stay{start, start + absl::Minutes(45)};
      const absl::Status free_status =
          CheckFree(town_.view(), town_.centre(),
                    {{WantedNow(town_.space(space))},
                     8 % town_.space(space).capacity(),
                     stay,
                     ""},
                    town_.now());
      EXPECT_EQ(free_status.ok(), Contains(free, stay))
          << space << " " << minute << " " << free_status;
    }
  }
}

TEST_F(Availability, FindsSpacesByPurposeCapacityAndEquipment) {
  EXPECT_THAT(SpacesFound("purpose: SOURCE_REVIEW party_size: 4"
                          " duration { seconds: 3600 }"),
              ElementsAre(Town::kBench, Town::kHall, Town::kRoom));
  EXPECT_THAT(SpacesFound("purpose: MEDIA_VISIT party_size: 4"
                          " duration { seconds: 3600 }"),
              ElementsAre(Town::kHall, Town::kRoom));
  EXPECT_THAT(SpacesFound("purpose: MEDIA_VISIT party_size: 11"
                          " duration { seconds: 3600 }"),
              ElementsAre(Town::kHall));
  EXPECT_THAT(SpacesFound("purpose: SOURCE_REVIEW party_size: 1"
                          " duration { seconds: 3600 }"
                          " equipment: ['probe', 'projector']"),
              ElementsAre(Town::kBench));
  EXPECT_THAT(SpacesFound("purpose: SOURCE_REVIEW party_size: 1"
                          " duration { seconds: 3600 }"
                          " spaces: 'centres/brussels/spaces/room'"),
              ElementsAre(Town::kRoom));
}

TEST_F(Availability, LeavesOutSlotsShorterThanTheStay) {
  town_.Booked(Town::kRoom, From("2026-03-04T09:00:00", "2026-03-04T13:00:00"));
  const auto found = Search(
      "purpose: MEDIA_VISIT party_size: 10 duration { seconds: 7200 }"
      " spaces: 'centres/brussels/spaces/room'");
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->spaces_size(), 1);
  ASSERT_EQ(found->spaces(0).slots_size(), 1);
  const v1::Slot& slot = found->spaces(0).slots(0);
  EXPECT_EQ(ToTime(slot.start_time()), At("2026-03-04T13:00:00"));
  EXPECT_EQ(slot.local_start().hours(), 14);
  EXPECT_EQ(slot.local_start().utc_offset().seconds(), 3600);
  EXPECT_EQ(slot.local_end().hours(), 17);
  EXPECT_EQ(found->time_zone(), "Europe/Brussels");
  EXPECT_EQ(ToTime(found->current_time()), town_.now());
}

TEST_F(Availability, OffersWholeMinutesWithinThePeriodThatWasAskedFor) {
  auto request = Parse<v1::SearchAvailabilityRequest>(
      "centre: 'centres/brussels' purpose: MEDIA_VISIT party_size: 2"
      " duration { seconds: 3600 } spaces: 'centres/brussels/spaces/room'");
  *request.mutable_start_time() = ToTimestamp(At("2026-03-04T10:00:30.123"));
  *request.mutable_end_time() = ToTimestamp(At("2026-03-04T12:00:59.999"));
  const auto found =
      SearchAvailability(town_.view(), town_.centre(), request, town_.now());
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->spaces_size(), 1);
  ASSERT_EQ(found->spaces(0).slots_size(), 1);
  const v1::Slot& slot = found->spaces(0).slots(0);
  const Span offered{ToTime(slot.start_time()), ToTime(slot.end_time())};
  EXPECT_EQ(offered, From("2026-03-04T10:01:00", "2026-03-04T12:00:00"));
  EXPECT_EQ(town_.Book(town_.Wanted(Town::kRoom, offered)), absl::OkStatus());
  // No minute of it is whole.
  *request.mutable_end_time() = ToTimestamp(At("2026-03-04T10:00:59"));
  const auto none =
      SearchAvailability(town_.view(), town_.centre(), request, town_.now());
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_THAT(none->spaces(), IsEmpty());
}

TEST_F(Availability, RefusesASearchThatNoBookingCouldAnswer) {
  EXPECT_EQ(SearchReason("purpose: MEDIA_VISIT party_size: 1"
                         " duration { seconds: 28860 }"),
            "STAY_TOO_LONG");
  EXPECT_EQ(SearchReason("purpose: MEDIA_VISIT party_size: 16"
                         " duration { seconds: 60 }"),
            "PARTY_TOO_LARGE");
}

TEST_F(Availability, RefusesFieldsThatMakeNoSense) {
  for (const char* wrong :
       {"party_size: 1 duration { seconds: 60 }",
        "purpose: MEDIA_VISIT duration { seconds: 60 }",
        "purpose: MEDIA_VISIT party_size: -1 duration { seconds: 60 }",
        "purpose: MEDIA_VISIT party_size: 1",
        "purpose: MEDIA_VISIT party_size: 1 duration { seconds: 90 }",
        "purpose: MEDIA_VISIT party_size: 1 duration { seconds: -60 }",
        "purpose: MEDIA_VISIT party_size: 1 duration { seconds: 60 }"
        " spaces: 'centres/other/spaces/room'",
        "purpose: MEDIA_VISIT party_size: 1 duration { seconds: 60 }"
        " start_time { seconds: 1800000000 } end_time { seconds: 1800000000 }",
        "purpose: MEDIA_VISIT party_size: 1 duration { seconds: 60 }"
        " start_time { seconds: 1800000000 }"
        " end_time { seconds: 1808000000 }"}) {
    EXPECT_EQ(SearchReason(wrong), "INVALID_FIELDS") << wrong;
  }
}

TEST_F(Availability, RefusalNamesTheNearestFreeTimesFirst) {
  town_.Booked(Town::kRoom, From("2026-03-04T09:00:00", "2026-03-04T11:00:00"));
  const absl::Status refusal = town_.Book(town_.Wanted(
      Town::kRoom, From("2026-03-04T09:30:00", "2026-03-04T10:30:00")));
  EXPECT_EQ(status::Reason(refusal), "SPACE_TAKEN");
  EXPECT_EQ(refusal.code(), absl::StatusCode::kFailedPrecondition);
  v1::AlternativeSlots slots;
  ASSERT_TRUE(status::FindDetail(refusal, &slots));
  ASSERT_EQ(slots.slots_size(), 3);
  EXPECT_EQ(ToTime(slots.slots(0).start_time()), At("2026-03-04T08:00:00"));
  EXPECT_EQ(ToTime(slots.slots(0).end_time()), At("2026-03-04T09:00:00"));
  EXPECT_EQ(ToTime(slots.slots(1).start_time()), At("2026-03-04T11:00:00"));
  // The end of the day before.
  EXPECT_EQ(ToTime(slots.slots(2).start_time()), At("2026-03-03T15:00:00"));
}

TEST_F(Availability, AlternativesAreFreeInAllWantedSpaces) {
  town_.Booked(Town::kRoom, From("2026-03-04T08:00:00", "2026-03-04T12:00:00"));
  town_.Booked(Town::kBench,
               From("2026-03-04T13:00:00", "2026-03-04T14:00:00"));
  v1::Booking wanted = town_.Wanted(
      Town::kRoom, From("2026-03-04T11:00:00", "2026-03-04T12:00:00"));
  wanted.add_spaces(Town::kBench);
  const absl::Status refusal = town_.Book(wanted);
  v1::AlternativeSlots slots;
  ASSERT_TRUE(status::FindDetail(refusal, &slots));
  // 12:00 to 13:00 is too near to the bench's next party.
  ASSERT_GE(slots.slots_size(), 1);
  EXPECT_EQ(ToTime(slots.slots(0).start_time()), At("2026-03-04T14:30:00"));
}

}  // namespace
}  // namespace transparency::centre::domain
