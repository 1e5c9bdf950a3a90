#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "common/status/status.h"
#include "google/type/date.pb.h"
#include "transparency/type/v1/period.pb.h"

// Civil days as records know them: google.type.Date with the precision of a
// day, a month (day 0) or a year (month and day 0), and spans of them.
namespace transparency::civil {

// Whether the date exists: year 1 to 9999, month and day of the calendar or 0,
// no day without a month. The empty date is none.
bool IsDate(const google::type::Date& date);
// Same, with year, month and day.
bool IsCompleteDate(const google::type::Date& date);

// The first and the last day that `date` can mean. `date` must satisfy IsDate.
absl::CivilDay FirstDay(const google::type::Date& date);
absl::CivilDay LastDay(const google::type::Date& date);

google::type::Date ToDate(absl::CivilDay day);
// `2019-12-31`, `2019-12` or `2019`.
std::string DateText(const google::type::Date& date);

// Where a day stands to a period.
enum class Holding { kInside, kOutside, kUndetermined };

// Adds what is wrong with the period's own fields; `path` is where it stands in
// the request. Nothing to add: the functions below may be called.
void CheckPeriod(absl::string_view path, const type::v1::Period& period,
                 status::Violations* violations);

// A reading of a period gives each end a day that it can mean, the first not
// after the last; an end that is not known can be any day. Attested days bound
// no reading: a source that says it held on two days says nothing of the days
// between.
Holding HoldsOn(const type::v1::Period& period, absl::CivilDay day);

// Whether two periods share a day by every reading of both, or one surely holds
// on a day on which the other is attested.
bool SurelyOverlap(const type::v1::Period& a, const type::v1::Period& b);

// The days on which HoldsOn can differ from the day before, in order.
std::vector<absl::CivilDay> TurningDays(const type::v1::Period& period);

}  // namespace transparency::civil
