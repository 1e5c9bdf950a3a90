#include "common/base/civil.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace transparency::civil {
namespace {

using absl::CivilDay;
using google::type::Date;
using type::v1::Period;

Date DateOf(int year, int month = 0, int day = 0) {
  Date date;
  date.set_year(year);
  date.set_month(month);
  date.set_day(day);
  return date;
}

Period Read(const std::string& text) {
  Period period;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &period))
      << text;
  return period;
}

TEST(Civil, DatesOfEachPrecisionExist) {
  EXPECT_TRUE(IsDate(DateOf(2019)));
  EXPECT_TRUE(IsDate(DateOf(2019, 12)));
  EXPECT_TRUE(IsDate(DateOf(2019, 12, 31)));
  EXPECT_TRUE(IsDate(DateOf(1, 1, 1)));
  EXPECT_TRUE(IsDate(DateOf(9999, 12, 31)));
  EXPECT_TRUE(IsDate(DateOf(2020, 2, 29)));
  EXPECT_TRUE(IsDate(DateOf(2000, 2, 29)));
}

TEST(Civil, WhatIsNoDateIsRefused) {
  for (const Date& date :
       {DateOf(0), DateOf(0, 1, 1), DateOf(10000), DateOf(-1), DateOf(2019, 13),
        DateOf(2019, -1), DateOf(2019, 0, 1), DateOf(2019, 2, 29),
        DateOf(1900, 2, 29), DateOf(2019, 4, 31), DateOf(2019, 1, 32),
        DateOf(2019, 1, -1), DateOf(2019, 1, 2147483647),
        DateOf(2019, 2147483647, 1), DateOf(-2147483647 - 1)}) {
    EXPECT_FALSE(IsDate(date)) << date.ShortDebugString();
  }
  EXPECT_FALSE(IsCompleteDate(DateOf(2019, 12)));
  EXPECT_TRUE(IsCompleteDate(DateOf(2019, 12, 1)));
}

TEST(Civil, FirstAndLastDayOfImpreciseDates) {
  EXPECT_EQ(FirstDay(DateOf(2019)), CivilDay(2019, 1, 1));
  EXPECT_EQ(LastDay(DateOf(2019)), CivilDay(2019, 12, 31));
  EXPECT_EQ(FirstDay(DateOf(2020, 2)), CivilDay(2020, 2, 1));
  EXPECT_EQ(LastDay(DateOf(2020, 2)), CivilDay(2020, 2, 29));
  EXPECT_EQ(LastDay(DateOf(2019, 12)), CivilDay(2019, 12, 31));
  EXPECT_EQ(FirstDay(DateOf(2019, 5, 6)), CivilDay(2019, 5, 6));
  EXPECT_EQ(LastDay(DateOf(2019, 5, 6)), CivilDay(2019, 5, 6));
  EXPECT_EQ(DateText(DateOf(2019)), "2019");
  EXPECT_EQ(DateText(DateOf(2019, 5)), "2019-05");
  EXPECT_EQ(DateText(ToDate(CivilDay(812, 5, 6))), "0812-05-06");
}

struct HoldingCase {
  const char* period;
  CivilDay day;
  Holding expected;
};

TEST(Civil, HoldsOnByWhatIsKnown) {
  constexpr char kYear[] = "from {year: 2019} until {year: 2019}";
  constexpr char kClosed[] =
      "from {year: 2015 month: 3 day: 1} until {year: 2017}";
  constexpr char kOpen[] = "from {year: 2015} open_ended: true";
  constexpr char kFrom[] = "from {year: 2015 month: 3 day: 1}";
  constexpr char kUntil[] = "until {year: 2015 month: 3}";
  constexpr char kAttested[] =
      "attested_on {year: 2018 month: 12 day: 31} "
      "attested_on {year: 2019 month: 12 day: 31}";
  const std::vector<HoldingCase> cases = {
      {"", CivilDay(2019, 1, 1), Holding::kUndetermined},
      {kYear, CivilDay(2018, 12, 31), Holding::kOutside},
      {kYear, CivilDay(2019, 6, 1), Holding::kUndetermined},
      {kYear, CivilDay(2020, 1, 1), Holding::kOutside},
      {kClosed, CivilDay(2015, 2, 28), Holding::kOutside},
      {kClosed, CivilDay(2015, 3, 1), Holding::kInside},
      {kClosed, CivilDay(2016, 12, 31), Holding::kInside},
      {kClosed, CivilDay(2017, 1, 1), Holding::kInside},
      {kClosed, CivilDay(2017, 1, 2), Holding::kUndetermined},
      {kClosed, CivilDay(2017, 12, 31), Holding::kUndetermined},
      {kClosed, CivilDay(2018, 1, 1), Holding::kOutside},
      {kOpen, CivilDay(2014, 12, 31), Holding::kOutside},
      {kOpen, CivilDay(2015, 6, 1), Holding::kUndetermined},
      {kOpen, CivilDay(2015, 12, 31), Holding::kInside},
      {kOpen, CivilDay(2100, 1, 1), Holding::kInside},
      // The first day itself is inside, whenever it ended.
      {kFrom, CivilDay(2015, 2, 28), Holding::kOutside},
      {kFrom, CivilDay(2015, 3, 1), Holding::kInside},
      {kFrom, CivilDay(2015, 3, 2), Holding::kUndetermined},
      {kUntil, CivilDay(1900, 1, 1), Holding::kUndetermined},
      {kUntil, CivilDay(2015, 3, 31), Holding::kUndetermined},
      {kUntil, CivilDay(2015, 4, 1), Holding::kOutside},
      {"open_ended: true", CivilDay(2015, 4, 1), Holding::kUndetermined},
      // Sources speak of their days, and of no others.
      {kAttested, CivilDay(2018, 12, 31), Holding::kInside},
      {kAttested, CivilDay(2019, 6, 1), Holding::kUndetermined},
      {kAttested, CivilDay(2019, 12, 31), Holding::kInside},
      {kAttested, CivilDay(2020, 1, 1), Holding::kUndetermined},
  };
  for (const HoldingCase& c : cases) {
    EXPECT_EQ(HoldsOn(Read(c.period), c.day), c.expected)
        << c.period << " on " << absl::FormatCivilTime(c.day);
  }
}

// What the functions say, from all readings one by one.
struct Naive {
  static std::vector<CivilDay> Days(bool known, const Date& date, CivilDay low,
                                    CivilDay high) {
    std::vector<CivilDay> days;
    const CivilDay first = known ? FirstDay(date) : low;
    const CivilDay last = known ? LastDay(date) : high;
    for (CivilDay day = first; day <= last; ++day) days.push_back(day);
    return days;
  }
  static constexpr CivilDay kLow{2018, 12, 20};
  static constexpr CivilDay kHigh{2020, 1, 10};

  static std::vector<std::pair<CivilDay, CivilDay>> Readings(const Period& p) {
    std::vector<std::pair<CivilDay, CivilDay>> readings;
    const auto untils = p.open_ended()
                            ? std::vector<CivilDay>{kHigh}
                            : Days(p.has_until(), p.until(), kLow, kHigh);
    for (CivilDay from : Days(p.has_from(), p.from(), kLow, kHigh)) {
      for (CivilDay until : untils) {
        if (from <= until) readings.emplace_back(from, until);
      }
    }
    return readings;
  }
};

std::vector<Period> SmallPeriods() {
  std::vector<Period> periods;
  for (const char* from :
       {"", "from {year: 2019}", "from {year: 2019 month: 2}",
        "from {year: 2019 month: 2 day: 3}"}) {
    for (const char* until :
         {"", "open_ended: true", "until {year: 2019}",
          "until {year: 2019 month: 2}", "until {year: 2019 month: 2 day: 3}",
          "until {year: 2019 month: 3 day: 1}"}) {
      periods.push_back(Read(absl::StrCat(from, " ", until)));
    }
  }
  return periods;
}

TEST(Civil, HoldsOnAgreesWithAllReadings) {
  std::vector<CivilDay> days;
  for (CivilDay around :
       {CivilDay(2019, 1, 1), CivilDay(2019, 2, 3), CivilDay(2019, 2, 28),
        CivilDay(2019, 6, 15), CivilDay(2020, 1, 1)}) {
    for (int i = -3; i <= 3; ++i) days.push_back(around + i);
  }
  for (const Period& period : SmallPeriods()) {
    const auto readings = Naive::Readings(period);
    ASSERT_FALSE(readings.empty()) << period.ShortDebugString();
    for (CivilDay day : days) {
      size_t contain = 0;
      for (const auto& [from, until] : readings) {
        contain += from <= day && day <= until ? 1 : 0;
      }
      const Holding expected = contain == readings.size() ? Holding::kInside
                               : contain == 0             ? Holding::kOutside
                                              : Holding::kUndetermined;
      EXPECT_EQ(HoldsOn(period, day), expected)
          << period.ShortDebugString() << " on " << absl::FormatCivilTime(day);
    }
  }
}

TEST(Civil, HoldingChangesOnTurningDaysOnly) {
  for (Period period : SmallPeriods()) {
    *period.add_attested_on() = DateOf(2019, 2, 20);
    const std::vector<CivilDay> turns = TurningDays(period);
    for (CivilDay day(2018, 12, 30); day < CivilDay(2020, 1, 3); ++day) {
      if (HoldsOn(period, day) != HoldsOn(period, day - 1)) {
        EXPECT_THAT(turns, testing::Contains(day))
            << period.ShortDebugString() << " on "
            << absl::FormatCivilTime(day);
      }
    }
  }
}

TEST(Civil, SureOverlaps) {
  const auto overlap = [](const char* a, const char* b) {
    EXPECT_EQ(SurelyOverlap(Read(a), Read(b)), SurelyOverlap(Read(b), Read(a)))
        << a << " / " << b;
    return SurelyOverlap(Read(a), Read(b));
  };
  constexpr char k2015To2017[] = "from {year: 2015} until {year: 2017}";
  EXPECT_TRUE(overlap(k2015To2017, k2015To2017));
  EXPECT_TRUE(
      overlap(k2015To2017, "from {year: 2016 month: 5} until {year: 2020}"));
  // In 2017 either can be over before the other begins.
  EXPECT_FALSE(overlap(k2015To2017, "from {year: 2017} open_ended: true"));
  EXPECT_TRUE(overlap("from {year: 2015} until {year: 2017 month: 3 day: 1}",
                      "from {year: 2017 month: 3 day: 1} open_ended: true"));
  EXPECT_FALSE(overlap("from {year: 2015} until {year: 2017 month: 3 day: 1}",
                       "from {year: 2017 month: 3 day: 2} open_ended: true"));
  EXPECT_FALSE(overlap("", ""));
  EXPECT_FALSE(overlap("", "from {year: 2015} open_ended: true"));
  EXPECT_TRUE(overlap("from {year: 2019} open_ended: true",
                      "from {year: 2015} open_ended: true"));
  // Attested on a day on which the other surely holds.
  constexpr char kAttested[] = "attested_on {year: 2016 month: 6 day: 1}";
  EXPECT_TRUE(overlap(kAttested, k2015To2017));
  EXPECT_TRUE(overlap(kAttested, kAttested));
  EXPECT_FALSE(overlap(kAttested, "attested_on {year: 2016 month: 6 day: 2}"));
  EXPECT_FALSE(
      overlap("attested_on {year: 2015 month: 6 day: 1}", k2015To2017));
}

TEST(Civil, SurelyOverlapAgreesWithAllReadings) {
  for (const Period& a : SmallPeriods()) {
    for (const Period& b : SmallPeriods()) {
      // Ends that nothing bounds have too many readings here.
      if (!a.has_from() || !b.has_from()) continue;
      if (!a.has_until() || !b.has_until()) continue;
      bool all = true;
      for (const auto& [from_a, until_a] : Naive::Readings(a)) {
        // Of the other, the reading that can miss it is an extreme one.
        for (const auto& [from_b, until_b] :
             {std::make_pair(LastDay(b.from()), LastDay(b.until())),
              std::make_pair(FirstDay(b.from()), FirstDay(b.until()))}) {
          const CivilDay from = std::min(from_b, LastDay(b.until()));
          const CivilDay until = std::max(until_b, FirstDay(b.from()));
          all = all && from_a <= until && from <= until_a;
        }
      }
      EXPECT_EQ(SurelyOverlap(a, b), all)
          << a.ShortDebugString() << " / " << b.ShortDebugString();
    }
  }
}

std::vector<std::string> Wrong(const char* period) {
  status::Violations violations;
  CheckPeriod("record.period", Read(period), &violations);
  google::rpc::BadRequest bad;
  status::FindDetail(violations.ToStatus(), &bad);
  std::vector<std::string> fields;
  for (const auto& violation : bad.field_violations()) {
    fields.push_back(violation.field());
  }
  return fields;
}

TEST(Civil, PeriodsThatCannotBeAreRefusedByField) {
  using testing::ElementsAre;
  using testing::IsEmpty;
  EXPECT_THAT(Wrong(""), IsEmpty());
  EXPECT_THAT(Wrong("from {year: 2019} until {year: 2019 month: 1 day: 1}"),
              IsEmpty());
  EXPECT_THAT(Wrong("from {year: 2019 month: 13} until {day: 1}"),
              ElementsAre("record.period.from", "record.period.until"));
  EXPECT_THAT(Wrong("from {year: 2020} until {year: 2019}"),
              ElementsAre("record.period.until"));
  EXPECT_THAT(Wrong("until {year: 2019} open_ended: true"),
              ElementsAre("record.period.open_ended"));
  EXPECT_THAT(Wrong("attested_on {year: 2019 month: 1}"),
              ElementsAre("record.period.attested_on[0]"));
  EXPECT_THAT(Wrong("from {year: 2019 month: 2} until {year: 2020} "
                    "attested_on {year: 2019 month: 1 day: 31} "
                    "attested_on {year: 2019 month: 2 day: 1} "
                    "attested_on {year: 2021 month: 1 day: 1}"),
              ElementsAre("record.period.attested_on[0]",
                          "record.period.attested_on[2]"));
}

}  // namespace
}  // namespace transparency::civil
