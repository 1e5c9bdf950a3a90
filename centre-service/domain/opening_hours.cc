#include "centre-service/domain/opening_hours.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace transparency::centre::domain {
namespace {

constexpr int kMinutesPerDay = 24 * 60;

int MinuteOf(const google::type::TimeOfDay& time) {
  return time.hours() * 60 + time.minutes();
}

google::type::DayOfWeek DayOf(absl::CivilDay day) {
  // absl::Weekday counts from Monday 0, google.type.DayOfWeek from Monday 1.
  return static_cast<google::type::DayOfWeek>(
      static_cast<int>(absl::GetWeekday(day)) + 1);
}

// The instant at which a centre opens or closes at this minute of a day.
enum class Edge { kOpens, kCloses };
absl::Time Instant(absl::CivilDay day, int minute, Edge edge,
                   const absl::TimeZone& zone) {
  const absl::TimeZone::TimeInfo info =
      zone.At(absl::CivilSecond(day) + minute * 60);
  switch (info.kind) {
    case absl::TimeZone::TimeInfo::SKIPPED:
      return info.trans;
    case absl::TimeZone::TimeInfo::REPEATED:
      return edge == Edge::kOpens ? info.pre : info.post;
    case absl::TimeZone::TimeInfo::UNIQUE:
      break;
  }
  return info.pre;
}

bool IsMinute(const google::type::TimeOfDay& time, bool end_of_day) {
  if (time.seconds() != 0 || time.nanos() != 0) return false;
  if (time.minutes() < 0 || time.minutes() > 59 || time.hours() < 0 ||
      time.hours() > 24) {
    return false;
  }
  return end_of_day ? MinuteOf(time) <= kMinutesPerDay : time.hours() <= 23;
}

}  // namespace

absl::TimeZone ZoneOf(const v1::Centre& centre) {
  absl::TimeZone zone;
  if (!absl::LoadTimeZone(centre.time_zone(), &zone)) {
    return absl::UTCTimeZone();
  }
  return zone;
}

Spans OpenSpans(const v1::Centre& centre, const Span& range) {
  if (range.empty()) return {};
  const absl::TimeZone zone = ZoneOf(centre);
  absl::CivilDay first = absl::ToCivilDay(range.from, zone) - 1;
  const absl::CivilDay last = absl::ToCivilDay(range.until, zone);
  if (centre.has_opened_on()) {
    first = std::max(first, absl::CivilDay(centre.opened_on().year(),
                                           centre.opened_on().month(),
                                           centre.opened_on().day()));
  }
  std::vector<Span> open;
  for (absl::CivilDay day = first; day <= last; ++day) {
    const google::type::DayOfWeek weekday = DayOf(day);
    for (const v1::OpeningHours& hours : centre.weekly_opening_hours()) {
      if (hours.day() != weekday) continue;
      open.push_back(
          {Instant(day, MinuteOf(hours.opens()), Edge::kOpens, zone),
           Instant(day, MinuteOf(hours.closes()), Edge::kCloses, zone)});
    }
  }
  return Intersection(Union(std::move(open)), {range});
}

void CheckOpeningHours(const v1::Centre& centre,
                       status::Violations* violations) {
  std::map<int, std::vector<std::pair<int, int>>> by_day;
  for (int i = 0; i < centre.weekly_opening_hours_size(); ++i) {
    const v1::OpeningHours& hours = centre.weekly_opening_hours(i);
    const std::string path =
        absl::StrCat("centre.weekly_opening_hours[", i, "]");
    if (hours.day() < google::type::MONDAY ||
        hours.day() > google::type::SUNDAY) {
      violations->Add(absl::StrCat(path, ".day"), "must be a day of the week");
      continue;
    }
    if (!IsMinute(hours.opens(), false)) {
      violations->Add(absl::StrCat(path, ".opens"),
                      "must be a whole minute from 00:00 to 23:59");
      continue;
    }
    if (!IsMinute(hours.closes(), true) ||
        MinuteOf(hours.closes()) <= MinuteOf(hours.opens())) {
      violations->Add(absl::StrCat(path, ".closes"),
                      "must be a whole minute after `opens`, up to 24:00");
      continue;
    }
    auto& others = by_day[hours.day()];
    const std::pair<int, int> span(MinuteOf(hours.opens()),
                                   MinuteOf(hours.closes()));
    for (const auto& [opens, closes] : others) {
      if (span.first < closes && opens < span.second) {
        violations->Add(path, "overlaps other hours of the same day");
        break;
      }
    }
    others.push_back(span);
  }
}

google::type::DateTime LocalTime(absl::Time time, const absl::TimeZone& zone) {
  const absl::TimeZone::CivilInfo info = zone.At(time);
  google::type::DateTime local;
  local.set_year(static_cast<int32_t>(info.cs.year()));
  local.set_month(info.cs.month());
  local.set_day(info.cs.day());
  local.set_hours(info.cs.hour());
  local.set_minutes(info.cs.minute());
  local.set_seconds(info.cs.second());
  local.mutable_utc_offset()->set_seconds(info.offset);
  return local;
}

}  // namespace transparency::centre::domain
