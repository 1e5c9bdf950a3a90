#include "common/journal/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace transparency::journal {

// A measurement over a slower round trip than this tells less than the one
// before it.
constexpr absl::Duration kMaxRoundTrip = absl::Milliseconds(200);

DatabaseClock::DatabaseClock()
    : offset_micros_(absl::ToInt64Microseconds(absl::Now() - SteadyNow())) {}

absl::Time DatabaseClock::Now() const {
  return absl::FromUnixMicros(absl::ToUnixMicros(SteadyNow()) +
                              offset_micros_.load(std::memory_order_relaxed));
}

void DatabaseClock::Measured(absl::Time database, absl::Time sent,
                             absl::Time received) {
  const absl::Duration round_trip = received - sent;
  if (round_trip < absl::ZeroDuration()) return;
  if (measured_.exchange(true) && round_trip > kMaxRoundTrip) return;
  const absl::Duration offset = database - (sent + round_trip / 2);
  offset_micros_.store(absl::ToInt64Microseconds(offset),
                       std::memory_order_relaxed);
}

absl::Duration DatabaseClock::offset() const { return Now() - absl::Now(); }

absl::Time SteadyNow() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return absl::UnixEpoch() + absl::FromChrono(since);
}

}  // namespace transparency::journal
