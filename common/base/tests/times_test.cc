#include "common/base/times.h"

#include "gtest/gtest.h"

namespace transparency::times {
namespace {

TEST(Times, InstantsSurviveTheWayThereAndBack) {
  for (const absl::Time time :
       {absl::UnixEpoch(), absl::FromUnixMicros(1'577'836'799'999'999),
        absl::FromUnixNanos(-1), absl::FromUnixMicros(-1'500'000)}) {
    const google::protobuf::Timestamp timestamp = ToTimestamp(time);
    EXPECT_EQ(ToTime(timestamp), time);
    // Before the epoch too, nanoseconds count forward.
    EXPECT_GE(timestamp.nanos(), 0);
    EXPECT_LT(timestamp.nanos(), 1'000'000'000);
  }
}

TEST(Times, WhatProtobufCannotSayBecomesItsBound) {
  EXPECT_EQ(ToTimestamp(absl::InfiniteFuture()).seconds(), 253'402'300'799);
  EXPECT_EQ(ToTimestamp(absl::InfinitePast()).seconds(), -62'135'596'800);
}

TEST(Times, SpansMayBeNegative) {
  google::protobuf::Duration duration;
  duration.set_seconds(-1);
  duration.set_nanos(-500'000'000);
  EXPECT_EQ(ToDuration(duration), absl::Milliseconds(-1500));
}

}  // namespace
}  // namespace transparency::times
