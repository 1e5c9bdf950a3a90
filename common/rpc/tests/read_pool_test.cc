#include "common/rpc/read_pool.h"

#include <atomic>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "prometheus/text_serializer.h"

namespace transparency::rpc {
namespace {

std::shared_ptr<Call> MakeCall() { return std::make_shared<Call>(Arrival{}); }

TEST(ReadPool, RefusesWhenFullAndDropsAbandonedCallsFirst) {
  prometheus::Registry registry;
  absl::Notification open;
  std::atomic<int> runs{0};
  {
    ReadPool pool(/*threads=*/1, /*capacity=*/1, &registry);
    absl::Notification running;
    ASSERT_TRUE(pool.Submit(MakeCall(), [&] {
      running.Notify();
      open.WaitForNotification();
      ++runs;
    }));
    running.WaitForNotification();

    auto waiting = MakeCall();
    bool told = false;
    ASSERT_TRUE(pool.Submit(waiting, [&] { told = waiting->abandoned(); }));
    EXPECT_FALSE(pool.Submit(MakeCall(), [] {}));
    waiting->Abandon();
    EXPECT_TRUE(pool.Submit(MakeCall(), [&] { ++runs; }));
    EXPECT_TRUE(told) << "the dropped call was not answered";
    EXPECT_FALSE(pool.Submit(MakeCall(), [] {}));
    open.Notify();
  }
  EXPECT_EQ(runs, 2);
  const std::string metrics =
      prometheus::TextSerializer().Serialize(registry.Collect());
  EXPECT_NE(metrics.find("rpc_read_queue_refused_total 2"), std::string::npos)
      << metrics;
  EXPECT_NE(metrics.find("rpc_read_queue_dropped_total 1"), std::string::npos);
}

TEST(ReadPool, RunsWhatWaitsBeforeItEnds) {
  prometheus::Registry registry;
  std::atomic<int> runs{0};
  {
    ReadPool pool(2, 1000, &registry);
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE(pool.Submit(MakeCall(), [&runs] { ++runs; }));
    }
  }
  EXPECT_EQ(runs, 1000);
}

}  // namespace
}  // namespace transparency::rpc
