#include "centre-service/domain/instants.h"

namespace transparency::centre::domain {

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
