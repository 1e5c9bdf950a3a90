#include "centre-service/domain/instants.h"

namespace transparency::centre::domain {

absl::Time ToTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) +
         absl::Nanoseconds(timestamp.nanos());
}

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  google::protobuf::Timestamp timestamp;
  const int64_t seconds = absl::ToUnixSeconds(time);
  timestamp.set_seconds(seconds);
  timestamp.set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return timestamp;
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

absl::Time CeilMinute(absl::Time time) {
  return absl::UnixEpoch() +
         absl::Ceil(time - absl::UnixEpoch(), absl::Minutes(1));
}

absl::Time FloorMinute(absl::Time time) {
  return absl::UnixEpoch() +
         absl::Floor(time - absl::UnixEpoch(), absl::Minutes(1));
}

bool IsWholeMinutes(absl::Time time) {
  return IsWholeMinutes(time - absl::UnixEpoch());
}

bool IsWholeMinutes(absl::Duration duration) {
  return absl::Trunc(duration, absl::Minutes(1)) == duration;
}

}  // namespace transparency::centre::domain
