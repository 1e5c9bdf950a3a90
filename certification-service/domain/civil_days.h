#pragma once

#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "google/type/date.pb.h"
#include "transparency/certification/v1/scheme.pb.h"

// Civil days as records know them: wholly, in part, or not at all.
namespace transparency::certification::domain {

// All days from `first` to `last`, both inside.
struct DayRange {
  absl::CivilDay first;
  absl::CivilDay last;
};

// The first and last day that a google.type.Date can name: stand for "not
// known" in a range.
inline constexpr absl::CivilDay kFirstDay(1, 1, 1);
inline constexpr absl::CivilDay kLastDay(9999, 12, 31);

// Empty, a year, a year and month, or a day; each one that exists.
bool IsReadable(const google::type::Date& date);
// Nothing is known of it.
bool IsEmpty(const google::type::Date& date);

// The days that a readable date can stand for; all days for an empty one.
DayRange Readings(const google::type::Date& date);
// Of a complete date.
absl::CivilDay ToDay(const google::type::Date& date);

// The zone of this IANA name; UTC for an empty one or one that this machine
// does not know.
absl::TimeZone ZoneOf(absl::string_view name);
// When a civil day begins: its midnight, or the first instant after a gap in
// which midnight does not exist there; of two midnights the first.
absl::Time StartOf(absl::CivilDay day, absl::TimeZone zone);
// The last civil day that has begun by `instant`. Never falls back, also where
// the clocks are put back over midnight.
absl::CivilDay DayAt(absl::Time instant, absl::TimeZone zone);

bool IsZero(const v1::CivilSpan& span);
// `day` and a span; a day that a month does not have becomes its last.
absl::CivilDay Add(absl::CivilDay day, const v1::CivilSpan& span);

}  // namespace transparency::certification::domain
