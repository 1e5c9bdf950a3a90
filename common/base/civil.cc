#include "common/base/civil.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace transparency::civil {
namespace {

using google::type::Date;
using type::v1::Period;

// Before and after every day that a Date can name.
constexpr absl::CivilDay kBeforeAll(0, 1, 1);
constexpr absl::CivilDay kAfterAll(10000, 12, 31);

// The range of days that the ends of a period's readings take: its first day is
// one of [first_from, last_from], its last one of [first_until, last_until].
struct Ends {
  absl::CivilDay first_from = kBeforeAll;
  absl::CivilDay last_from = kAfterAll;
  absl::CivilDay first_until = kBeforeAll;
  absl::CivilDay last_until = kAfterAll;
};

Ends EndsOf(const Period& period) {
  Ends ends;
  if (period.has_from()) {
    ends.first_from = FirstDay(period.from());
    ends.last_from = LastDay(period.from());
  }
  if (period.has_until()) {
    ends.first_until = FirstDay(period.until());
    ends.last_until = LastDay(period.until());
  } else if (period.open_ended()) {
    ends.first_until = kAfterAll;
  }
  // No reading begins after it ends.
  ends.last_from = std::min(ends.last_from, ends.last_until);
  ends.first_until = std::max(ends.first_until, ends.first_from);
  return ends;
}

bool Attested(const Period& period, absl::CivilDay day) {
  return std::any_of(
      period.attested_on().begin(), period.attested_on().end(),
      [&](const Date& attested) { return FirstDay(attested) == day; });
}

bool HoldsWhenAttested(const Period& period, const Period& attested) {
  return std::any_of(attested.attested_on().begin(),
                     attested.attested_on().end(), [&](const Date& day) {
                       return HoldsOn(period, FirstDay(day)) ==
                              Holding::kInside;
                     });
}

constexpr char kNoDate[] =
    "is no date: year 1 to 9999, with a month of it or 0, with a day of that "
    "month or 0";

void CheckAttested(absl::string_view path, const Period& period,
                   status::Violations* violations) {
  for (int i = 0; i < period.attested_on_size(); ++i) {
    const std::string field = absl::StrCat(path, ".attested_on[", i, "]");
    const Date& date = period.attested_on(i);
    if (!IsCompleteDate(date)) {
      violations->Add(field, "is no complete date: year, month and day");
      continue;
    }
    const absl::CivilDay day = FirstDay(date);
    if (period.has_from() && IsDate(period.from()) &&
        day < FirstDay(period.from())) {
      violations->Add(field, "is before the period begins");
    }
    if (period.has_until() && IsDate(period.until()) &&
        day > LastDay(period.until())) {
      violations->Add(field, "is after the period ends");
    }
  }
}

}  // namespace

bool IsDate(const Date& date) {
  if (date.year() < 1 || date.year() > 9999) return false;
  if (date.month() == 0) return date.day() == 0;
  if (date.month() < 0 || date.month() > 12 || date.day() < 0 ||
      date.day() > 31) {
    return false;
  }
  if (date.day() == 0) return true;
  return absl::CivilDay(date.year(), date.month(), date.day()).day() ==
         date.day();
}

bool IsCompleteDate(const Date& date) { return IsDate(date) && date.day() > 0; }

absl::CivilDay FirstDay(const Date& date) {
  return absl::CivilDay(date.year(), std::max(date.month(), 1),
                        std::max(date.day(), 1));
}

absl::CivilDay LastDay(const Date& date) {
  if (date.month() == 0) return absl::CivilDay(date.year(), 12, 31);
  if (date.day() != 0) return FirstDay(date);
  return absl::CivilDay(absl::CivilMonth(date.year(), date.month()) + 1) - 1;
}

Date ToDate(absl::CivilDay day) {
  Date date;
  date.set_year(static_cast<int>(day.year()));
  date.set_month(day.month());
  date.set_day(day.day());
  return date;
}

std::string DateText(const Date& date) {
  if (date.month() == 0) return absl::StrFormat("%04d", date.year());
  if (date.day() == 0) {
    return absl::StrFormat("%04d-%02d", date.year(), date.month());
  }
  return absl::StrFormat("%04d-%02d-%02d", date.year(), date.month(),
                         date.day());
}

void CheckPeriod(absl::string_view path, const Period& period,
                 status::Violations* violations) {
  const bool from = period.has_from() && IsDate(period.from());
  const bool until = period.has_until() && IsDate(period.until());
  if (period.has_from() && !from) {
    violations->Add(absl::StrCat(path, ".from"), kNoDate);
  }
  if (period.has_until() && !until) {
    violations->Add(absl::StrCat(path, ".until"), kNoDate);
  }
  if (period.has_until() && period.open_ended()) {
    violations->Add(absl::StrCat(path, ".open_ended"),
                    "excludes `until`: a period that has not ended has no "
                    "last day");
  }
  if (from && until && FirstDay(period.from()) > LastDay(period.until())) {
    violations->Add(absl::StrCat(path, ".until"), "is before `from`");
  }
  CheckAttested(path, period, violations);
}

Holding HoldsOn(const Period& period, absl::CivilDay day) {
  const Ends ends = EndsOf(period);
  if (Attested(period, day) ||
      (ends.last_from <= day && day <= ends.first_until)) {
    return Holding::kInside;
  }
  return day < ends.first_from || day > ends.last_until
             ? Holding::kOutside
             : Holding::kUndetermined;
}

bool SurelyOverlap(const Period& a, const Period& b) {
  const Ends of_a = EndsOf(a);
  const Ends of_b = EndsOf(b);
  return (of_a.last_from <= of_b.first_until &&
          of_b.last_from <= of_a.first_until) ||
         HoldsWhenAttested(a, b) || HoldsWhenAttested(b, a);
}

std::vector<absl::CivilDay> TurningDays(const Period& period) {
  const Ends ends = EndsOf(period);
  std::vector<absl::CivilDay> days = {ends.first_from, ends.last_from,
                                      ends.first_until + 1,
                                      ends.last_until + 1};
  for (const Date& attested : period.attested_on()) {
    days.push_back(FirstDay(attested));
    days.push_back(FirstDay(attested) + 1);
  }
  days.erase(std::remove_if(days.begin(), days.end(),
                            [](absl::CivilDay day) {
                              return day <= kBeforeAll || day >= kAfterAll;
                            }),
             days.end());
  std::sort(days.begin(), days.end());
  days.erase(std::unique(days.begin(), days.end()), days.end());
  return days;
}

}  // namespace transparency::civil
