#pragma once

#include "absl/time/time.h"
#include "centre-service/domain/span.h"
#include "common/status/status.h"
#include "google/type/datetime.pb.h"
#include "transparency/centre/v1/centre.pb.h"

namespace transparency::centre::domain {

// The time zone of a centre; UTC when it names none that is known.
absl::TimeZone ZoneOf(const v1::Centre& centre);

// When a centre is open within `range`: its weekly hours since the day it
// opened, clipped to `range`. Right across changes of its clocks, as
// OpeningHours in the contract says.
Spans OpenSpans(const v1::Centre& centre, const Span& range);

// Adds what is wrong with a centre's weekly hours; paths are those of a request
// that holds it as `centre`.
void CheckOpeningHours(const v1::Centre& centre,
                       status::Violations* violations);

// An instant on a centre's clock, with its offset from UTC.
google::type::DateTime LocalTime(absl::Time time, const absl::TimeZone& zone);

}  // namespace transparency::centre::domain
