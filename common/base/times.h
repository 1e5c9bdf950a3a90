#pragma once

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

// Instants and spans of time between Abseil and protobuf, to the nanosecond.
// Abseil's infinities are none that protobuf knows, and give its bounds.
namespace transparency::times {

google::protobuf::Timestamp ToTimestamp(absl::Time time);
absl::Time ToTime(const google::protobuf::Timestamp& timestamp);
absl::Duration ToDuration(const google::protobuf::Duration& duration);

}  // namespace transparency::times
