#include "centre-service/domain/opening_hours.h"

#include "centre-service/tests/centre_town.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::centre::domain {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A centre in Brussels with these hours on every day of the week.
v1::Centre Daily(const std::string& opens, const std::string& closes) {
  auto centre = Parse<v1::Centre>("time_zone: 'Europe/Brussels'");
  for (int day = 1; day <= 7; ++day) {
    *centre.add_weekly_opening_hours() = Parse<v1::OpeningHours>(absl::StrCat(
        "day: ", day, " opens { ", opens, " } closes { ", closes, " }"));
  }
  return centre;
}

TEST(OpeningHours, FollowTheCentresClockThroughTheYear) {
  const v1::Centre centre = Town::WorkingWeek();
  // Winter: UTC+1; summer: UTC+2.
  EXPECT_THAT(
      OpenSpans(centre, From("2026-01-14T00:00:00", "2026-01-15T00:00:00")),
      ElementsAre(From("2026-01-14T08:00:00", "2026-01-14T16:00:00")));
  EXPECT_THAT(
      OpenSpans(centre, From("2026-07-15T00:00:00", "2026-07-16T00:00:00")),
      ElementsAre(From("2026-07-15T07:00:00", "2026-07-15T15:00:00")));
}

TEST(OpeningHours, AreClippedToTheRange) {
  const v1::Centre centre = Town::WorkingWeek();
  EXPECT_THAT(
      OpenSpans(centre, From("2026-01-14T10:00:00", "2026-01-15T09:00:00")),
      ElementsAre(From("2026-01-14T10:00:00", "2026-01-14T16:00:00"),
                  From("2026-01-15T08:00:00", "2026-01-15T09:00:00")));
}

TEST(OpeningHours, AreNoneAtTheWeekend) {
  EXPECT_THAT(OpenSpans(Town::WorkingWeek(),
                        From("2026-01-17T00:00:00", "2026-01-18T23:00:00")),
              IsEmpty());
}

TEST(OpeningHours, BeginOnTheDayTheCentreOpened) {
  EXPECT_THAT(OpenSpans(Town::WorkingWeek(),
                        From("2019-03-04T00:00:00", "2019-03-06T00:00:00")),
              ElementsAre(From("2019-03-05T08:00:00", "2019-03-05T16:00:00")));
}

TEST(OpeningHours, OfADayLast23HoursWhenClocksGoForward) {
  const v1::Centre centre = Daily("hours: 0", "hours: 24");
  const Span day =
      From("2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00");
  EXPECT_THAT(OpenSpans(centre, day), ElementsAre(day));
  EXPECT_EQ(day.length(), absl::Hours(23));
}

TEST(OpeningHours, OfADayLast25HoursWhenClocksGoBack) {
  const v1::Centre centre = Daily("hours: 0", "hours: 24");
  const Span day =
      From("2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00");
  EXPECT_THAT(OpenSpans(centre, day), ElementsAre(day));
  EXPECT_EQ(day.length(), absl::Hours(25));
}

TEST(OpeningHours, OfAWorkingDayLastEightHoursOnBothDaysOfChange) {
  const v1::Centre centre = Daily("hours: 9", "hours: 17");
  EXPECT_THAT(
      OpenSpans(centre, From("2026-03-29T00:00:00", "2026-03-29T23:00:00")),
      ElementsAre(From("2026-03-29T07:00:00", "2026-03-29T15:00:00")));
  EXPECT_THAT(
      OpenSpans(centre, From("2026-10-25T00:00:00", "2026-10-25T23:00:00")),
      ElementsAre(From("2026-10-25T08:00:00", "2026-10-25T16:00:00")));
}

TEST(OpeningHours, AtALocalTimeThatDoesNotExistStandForTheChange) {
  // On 2026-03-29 clocks go from 02:00 to 03:00, at 01:00 UTC.
  const Span range = From("2026-03-29T00:00:00", "2026-03-29T06:00:00");
  EXPECT_THAT(OpenSpans(Daily("hours: 2 minutes: 30", "hours: 4"), range),
              ElementsAre(From("2026-03-29T01:00:00", "2026-03-29T02:00:00")));
  EXPECT_THAT(OpenSpans(Daily("hours: 1", "hours: 2 minutes: 30"), range),
              ElementsAre(From("2026-03-29T00:00:00", "2026-03-29T01:00:00")));
  EXPECT_THAT(OpenSpans(Daily("hours: 2", "hours: 3"), range), IsEmpty());
}

TEST(OpeningHours, AtALocalTimeThatComesTwiceOpenAtTheFirstCloseAtTheSecond) {
  // On 2026-10-25 clocks go from 03:00 to 02:00, at 01:00 UTC.
  const Span range = From("2026-10-24T23:00:00", "2026-10-25T06:00:00");
  EXPECT_THAT(OpenSpans(Daily("hours: 2 minutes: 30", "hours: 4"), range),
              ElementsAre(From("2026-10-25T00:30:00", "2026-10-25T03:00:00")));
  EXPECT_THAT(OpenSpans(Daily("hours: 1", "hours: 2 minutes: 30"), range),
              ElementsAre(From("2026-10-24T23:00:00", "2026-10-25T01:30:00")));
}

TEST(OpeningHours, UntilMidnightAndFromMidnightAreOneOpening) {
  const v1::Centre centre = Daily("hours: 0", "hours: 24");
  const Span week = From("2026-10-22T03:00:00", "2026-10-29T05:00:00");
  EXPECT_THAT(OpenSpans(centre, week), ElementsAre(week));
}

TEST(OpeningHours, ThatMakeNoSenseAreRefusedEachByItsPath) {
  auto centre = Parse<v1::Centre>(
      "weekly_opening_hours { day: MONDAY closes { hours: 17 } }"
      "weekly_opening_hours { opens { hours: 9 } closes { hours: 17 } }"
      "weekly_opening_hours { day: MONDAY opens { hours: 16 }"
      "                       closes { hours: 18 } }"
      "weekly_opening_hours { day: TUESDAY opens { hours: 9 }"
      "                       closes { hours: 9 } }"
      "weekly_opening_hours { day: FRIDAY opens { hours: 9 }"
      "                       closes { hours: 24 minutes: 1 } }"
      "weekly_opening_hours { day: FRIDAY opens { hours: 24 }"
      "                       closes { hours: 24 } }"
      "weekly_opening_hours { day: SUNDAY opens { seconds: 1 }"
      "                       closes { hours: 24 } }"
      // So many minutes that they come round to 00:44.
      "weekly_opening_hours { day: SATURDAY opens { hours: 0 }"
      "                       closes { hours: 71582789 } }");
  status::Violations violations;
  CheckOpeningHours(centre, &violations);
  const absl::Status refusal = violations.ToStatus();
  google::rpc::BadRequest bad;
  ASSERT_TRUE(status::FindDetail(refusal, &bad));
  std::vector<std::string> fields;
  for (const auto& violation : bad.field_violations()) {
    fields.push_back(violation.field());
  }
  EXPECT_THAT(fields, ElementsAre("centre.weekly_opening_hours[1].day",
                                  "centre.weekly_opening_hours[2]",
                                  "centre.weekly_opening_hours[3].closes",
                                  "centre.weekly_opening_hours[4].closes",
                                  "centre.weekly_opening_hours[5].opens",
                                  "centre.weekly_opening_hours[6].opens",
                                  "centre.weekly_opening_hours[7].closes"));
}

TEST(LocalTime, TellsTheTwoOccurrencesApartByTheirOffset) {
  absl::TimeZone zone;
  ASSERT_TRUE(absl::LoadTimeZone("Europe/Brussels", &zone));
  const auto first = LocalTime(At("2026-10-25T00:30:00"), zone);
  const auto second = LocalTime(At("2026-10-25T01:30:00"), zone);
  EXPECT_EQ(first.hours(), 2);
  EXPECT_EQ(second.hours(), 2);
  EXPECT_EQ(first.utc_offset().seconds(), 7200);
  EXPECT_EQ(second.utc_offset().seconds(), 3600);
}

}  // namespace
}  // namespace transparency::centre::domain
