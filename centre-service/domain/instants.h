#pragma once

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

// Between the time types of the contract and of Abseil.
namespace transparency::centre::domain {

absl::Time ToTime(const google::protobuf::Timestamp& timestamp);
google::protobuf::Timestamp ToTimestamp(absl::Time time);
absl::Duration ToDuration(const google::protobuf::Duration& duration);

// The first whole minute that is not before `time`, and the last not after it.
absl::Time CeilMinute(absl::Time time);
absl::Time FloorMinute(absl::Time time);

// No part of it below the minute.
bool IsWholeMinutes(absl::Time time);
bool IsWholeMinutes(absl::Duration duration);

}  // namespace transparency::centre::domain
