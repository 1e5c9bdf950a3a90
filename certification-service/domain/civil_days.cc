#include "certification-service/domain/civil_days.h"

#include <algorithm>

#include "common/base/civil.h"

namespace transparency::certification::domain {
namespace {

using google::type::Date;

absl::CivilDay LastOfMonth(absl::CivilMonth month) {
  return absl::CivilDay(month + 1) - 1;
}

absl::CivilDay AddMonths(absl::CivilDay day, int months) {
  const absl::CivilMonth month = absl::CivilMonth(day) + months;
  const absl::CivilDay last = LastOfMonth(month);
  return absl::CivilDay(month) + (std::min(day.day(), last.day()) - 1);
}

}  // namespace

bool IsEmpty(const Date& date) {
  return date.year() == 0 && date.month() == 0 && date.day() == 0;
}

bool IsReadable(const Date& date) {
  return IsEmpty(date) || civil::IsDate(date);
}

DayRange Readings(const Date& date) {
  if (IsEmpty(date)) return {kFirstDay, kLastDay};
  return {civil::FirstDay(date), civil::LastDay(date)};
}

absl::CivilDay ToDay(const Date& date) {
  return absl::CivilDay(date.year(), date.month(), date.day());
}

absl::TimeZone ZoneOf(absl::string_view name) {
  absl::TimeZone zone;
  if (name.empty() || !absl::LoadTimeZone(name, &zone)) {
    return absl::UTCTimeZone();
  }
  return zone;
}

absl::Time StartOf(absl::CivilDay day, absl::TimeZone zone) {
  return absl::FromCivil(day, zone);
}

absl::CivilDay DayAt(absl::Time instant, absl::TimeZone zone) {
  absl::CivilDay day = absl::ToCivilDay(instant, zone);
  if (StartOf(day + 1, zone) <= instant) ++day;
  return day;
}

bool IsZero(const v1::CivilSpan& span) {
  return span.months() == 0 && span.days() == 0;
}

absl::CivilDay Add(absl::CivilDay day, const v1::CivilSpan& span) {
  return AddMonths(day, span.months()) + span.days();
}

}  // namespace transparency::certification::domain
