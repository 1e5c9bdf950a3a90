#pragma once

#include "absl/time/time.h"
#include "common/base/times.h"

// Instants, which are whole minutes here.
namespace transparency::centre::domain {

using times::ToDuration;
using times::ToTime;
using times::ToTimestamp;

// The first whole minute that is not before `time`, and the last not after it.
absl::Time CeilMinute(absl::Time time);
absl::Time FloorMinute(absl::Time time);

// No part of it below the minute.
bool IsWholeMinutes(absl::Time time);
bool IsWholeMinutes(absl::Duration duration);

}  // namespace transparency::centre::domain
