#pragma once

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"

namespace transparency::journal {

// The database's time as a replica knows it. Handed in everywhere; tests move
// it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // The corrected time, in whole microseconds.
  virtual absl::Time Now() const = 0;

  // The instant that a reading of the database's clock stands for.
  virtual absl::Time Reading(absl::Time database) const = 0;

  // Takes a measurement: the database's clock was read between the instants
  // `sent` and `received` of SteadyNow.
  virtual void Measured(absl::Time database, absl::Time sent,
                        absl::Time received) = 0;

  // How far it is ahead of this machine's clock.
  virtual absl::Duration offset() const = 0;
};

// This machine's clock until the first measurement; from each one on the
// database's, which goes on steadily whatever is done to this machine's clock.
class DatabaseClock : public Clock {
 public:
  DatabaseClock();

  absl::Time Now() const override;
  absl::Time Reading(absl::Time database) const override { return database; }
  void Measured(absl::Time database, absl::Time sent,
                absl::Time received) override;
  absl::Duration offset() const override;

 private:
  std::atomic<bool> measured_{false};
  // From SteadyNow.
  std::atomic<int64_t> offset_micros_;
};

// A clock that stands until a test moves it; the database's is not looked at.
class ManualClock : public Clock {
 public:
  explicit ManualClock(absl::Time now) { Set(now); }

  void Set(absl::Time now) { micros_ = absl::ToUnixMicros(now); }
  void Advance(absl::Duration by) { micros_ += absl::ToInt64Microseconds(by); }

  absl::Time Now() const override { return absl::FromUnixMicros(micros_); }
  absl::Time Reading(absl::Time) const override { return Now(); }
  void Measured(absl::Time, absl::Time, absl::Time) override {}
  absl::Duration offset() const override { return absl::ZeroDuration(); }

 private:
  std::atomic<int64_t> micros_;
};

// An instant of a clock that nobody sets, for lengths of time alone.
absl::Time SteadyNow();

}  // namespace transparency::journal
