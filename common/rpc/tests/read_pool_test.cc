#include "common/rpc/read_pool.h"

#include <atomic>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/text_serializer.h"

namespace transparency::rpc {
namespace {

std::shared_ptr<Call> MakeCall(const std::string& subject = "") {
  Arrival arrival;
  arrival.caller = std::make_shared<Caller>(Caller{subject, {}});
  return std::make_shared<Call>(std::move(arrival));
}

// Takes one thread of a pool until it is opened.
class Gate {
 public:
  Gate(ReadPool* pool, const std::string& subject) {
    EXPECT_TRUE(pool->Submit(MakeCall(subject), [this] {
      running_.Notify();
      open_.WaitForNotification();
    }));
    running_.WaitForNotification();
  }
  void Open() { open_.Notify(); }

 private:
  absl::Notification running_;
  absl::Notification open_;
};

TEST(ReadPool, RefusesWhenFullAndDropsAbandonedCallsFirst) {
  prometheus::Registry registry;
  std::atomic<int> runs{0};
  {
    ReadPool pool(/*running=*/1, /*capacity=*/1, &registry);
    Gate gate(&pool, "");
    auto waiting = MakeCall();
    bool told = false;
    ASSERT_TRUE(pool.Submit(waiting, [&] { told = waiting->abandoned(); }));
    EXPECT_FALSE(pool.Submit(MakeCall(), [] {}));
    waiting->Abandon();
    EXPECT_TRUE(pool.Submit(MakeCall(), [&] { ++runs; }));
    EXPECT_TRUE(told) << "the dropped call was not answered";
    EXPECT_FALSE(pool.Submit(MakeCall("bob"), [] {}));
    gate.Open();
  }
  EXPECT_EQ(runs, 1);
  const std::string metrics =
      prometheus::TextSerializer().Serialize(registry.Collect());
  EXPECT_NE(metrics.find("rpc_read_queue_refused_total 2"), std::string::npos)
      << metrics;
  EXPECT_NE(metrics.find("rpc_read_queue_dropped_total 1"), std::string::npos);
}

TEST(ReadPool, OneCallerHasAQuarterOfTheQueue) {
  prometheus::Registry registry;
  ReadPool pool(/*running=*/1, /*capacity=*/8, &registry);
  Gate gate(&pool, "greedy");
  std::vector<std::shared_ptr<Call>> waiting;
  for (int i = 0; i < 2; ++i) {
    waiting.push_back(MakeCall("greedy"));
    EXPECT_TRUE(pool.Submit(waiting.back(), [] {}));
  }
  EXPECT_FALSE(pool.Submit(MakeCall("greedy"), [] {}));
  // There is room for others, and for the same one when it gives calls up.
  EXPECT_TRUE(pool.Submit(MakeCall("other"), [] {}));
  waiting.front()->Abandon();
  EXPECT_TRUE(pool.Submit(MakeCall("greedy"), [] {}));
  EXPECT_FALSE(pool.Submit(MakeCall("greedy"), [] {}));
  gate.Open();
}

TEST(ReadPool, NextIsWhoHasHadTheLeast) {
  prometheus::Registry registry;
  absl::Mutex mutex;
  std::vector<std::string> order;
  {
    ReadPool pool(/*running=*/1, /*capacity=*/100, &registry);
    Gate gate(&pool, "greedy");
    const auto submit = [&](const std::string& subject) {
      EXPECT_TRUE(pool.Submit(MakeCall(subject), [&, subject] {
        // Long enough that clocks tell it from nothing.
        const absl::Time end = absl::Now() + absl::Milliseconds(1);
        while (absl::Now() < end) {
        }
        absl::MutexLock lock(&mutex);
        order.push_back(subject);
      }));
    };
    for (int i = 0; i < 6; ++i) submit("greedy");
    for (const char* subject : {"a", "b", "a", "b"}) submit(subject);
    gate.Open();
  }
  ASSERT_EQ(order.size(), 10u);
  const std::vector<std::string> first(order.begin(), order.begin() + 2);
  EXPECT_THAT(first, testing::ElementsAre("a", "b"));
  // Whoever had the thread before them waits for its own turn.
  EXPECT_EQ(order.back(), "greedy");
  EXPECT_EQ(order[8], "greedy");
}

TEST(ReadPool, ALongReadGivesWayToOthersAndGoesOn) {
  prometheus::Registry registry;
  std::atomic<bool> done{false};
  std::atomic<int> ended{0};
  {
    ReadPool pool(/*running=*/2, /*capacity=*/100, &registry);
    absl::Notification begun;
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    const auto long_read = [&] {
      if (!begun.HasBeenNotified()) begun.Notify();
      while (!done && absl::Now() < deadline) ReadPool::GiveWay();
      ++ended;
    };
    ASSERT_TRUE(pool.Submit(MakeCall("greedy"), long_read));
    begun.WaitForNotification();
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(pool.Submit(MakeCall("greedy"), long_read));
    }
    ASSERT_TRUE(pool.Submit(MakeCall("other"), [&] {
      EXPECT_EQ(ended, 0) << "a short read waited for the end of a long one";
      done = true;
    }));
  }
  EXPECT_EQ(ended, 6);
  EXPECT_TRUE(done);
}

TEST(ReadPool, ManyCallersShareFewThreadsAndNoMoreRunThanMay) {
  constexpr int kRunning = 2;
  constexpr int kReads = 100;
  prometheus::Registry registry;
  std::atomic<int> ended{0};
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  {
    ReadPool pool(kRunning, /*capacity=*/kReads, &registry);
    for (int i = 0; i < kReads; ++i) {
      // Half of them come from one caller, a quarter from another.
      const std::string subject = i % 4 == 3   ? absl::StrCat("s", i)
                                  : i % 4 == 2 ? "b"
                                               : "a";
      const bool taken = pool.Submit(MakeCall(subject), [&] {
        for (int slice = 0; slice < 4; ++slice) {
          most = std::max(most.load(), ++running);
          const absl::Time end = absl::Now() + ReadPool::kSlice;
          while (absl::Now() < end) {
          }
          --running;
          ReadPool::GiveWay();
        }
        ++ended;
      });
      if (!taken) ++ended;
    }
  }
  EXPECT_EQ(ended, kReads);
  EXPECT_LE(most, kRunning);
}

TEST(ReadPool, LongReadsLeaveAPlaceToShortOnes) {
  prometheus::Registry registry;
  std::atomic<int> going_on{0};
  std::atomic<int> most{0};
  {
    ReadPool pool(/*running=*/3, /*capacity=*/100, &registry);
    for (int i = 0; i < 6; ++i) {
      ASSERT_TRUE(pool.Submit(MakeCall(absl::StrCat(i)), [&] {
        for (int slice = 0; slice < 20; ++slice) {
          if (slice > 0) most = std::max(most.load(), ++going_on);
          const absl::Time end = absl::Now() + ReadPool::kSlice;
          while (absl::Now() < end) {
          }
          if (slice > 0) --going_on;
          ReadPool::GiveWay();
        }
      }));
    }
  }
  EXPECT_EQ(most, 2);
}

TEST(ReadPool, RunsWhatWaitsBeforeItEnds) {
  prometheus::Registry registry;
  std::atomic<int> runs{0};
  {
    ReadPool pool(2, 1000, &registry);
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE(
          pool.Submit(MakeCall(absl::StrCat(i % 5)), [&runs] { ++runs; }));
    }
  }
  EXPECT_EQ(runs, 1000);
}

}  // namespace
}  // namespace transparency::rpc
