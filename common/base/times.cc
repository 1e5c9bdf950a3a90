#include "common/base/times.h"

#include <algorithm>

namespace transparency::times {

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  // From year 1 to the end of year 9999.
  const absl::Time kept =
      std::clamp(time, absl::FromUnixSeconds(-62'135'596'800),
                 absl::FromUnixSeconds(253'402'300'799));
  const int64_t seconds = absl::ToUnixSeconds(kept);
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(seconds);
  timestamp.set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(kept - absl::FromUnixSeconds(seconds))));
  return timestamp;
}

absl::Time ToTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) +
         absl::Nanoseconds(timestamp.nanos());
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

}  // namespace transparency::times
