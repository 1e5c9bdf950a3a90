#include "common/journal/store.h"

#include <deque>
#include <memory>
#include <string>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/journal/replica/tests/workshop.h"
#include "common/status/status.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::journal {
namespace {

// Waits at a store that has loaded nothing.
class StoreTest : public testing::Test {
 protected:
  struct Wait {
    int64_t id = 0;
    int calls = 0;
    absl::Status status;
    absl::Notification told;
  };

  static StoreOptions Few() {
    StoreOptions options;
    options.max_wait = absl::Minutes(10);
    options.waiters = 2;
    return options;
  }

  Wait& Await(absl::Duration time = absl::Minutes(10)) {
    Wait& wait = waits_.emplace_back();
    wait.id =
        store_->Await(7, "", absl::Now() + time, [&wait](absl::Status status) {
          wait.status = std::move(status);
          if (++wait.calls == 1) wait.told.Notify();
        });
    return wait;
  }

  static bool ToldInTime(Wait& wait) {
    return wait.told.WaitForNotificationWithTimeout(absl::Minutes(1));
  }

  ManualClock clock_{kStart};
  std::deque<Wait> waits_;
  std::unique_ptr<Store> store_ =
      std::make_unique<Store>(&WorkshopCatalogue(), &clock_, Few());
};

TEST_F(StoreTest, RefusesWhoeverComesWhenTooManyWait) {
  Wait& first = Await();
  Wait& second = Await();
  EXPECT_NE(first.id, 0);
  EXPECT_NE(second.id, 0);
  Wait& third = Await();
  EXPECT_EQ(third.id, 0);
  ASSERT_EQ(third.calls, 1);
  EXPECT_EQ(third.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status::Reason(third.status), "OVERLOADED");
  google::rpc::RetryInfo retry;
  EXPECT_TRUE(status::FindDetail(third.status, &retry));
  store_.reset();
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(second.calls, 1);
}

TEST_F(StoreTest, AWaitThatIsGivenUpIsOverAtOnceAndMakesRoom) {
  Wait& first = Await();
  Await();
  store_->GiveUp(first.id);
  ASSERT_EQ(first.calls, 1);
  EXPECT_EQ(first.status.code(), absl::StatusCode::kCancelled);
  EXPECT_NE(Await().id, 0);
  store_->GiveUp(first.id);
  store_.reset();
  EXPECT_EQ(first.calls, 1);
}

TEST_F(StoreTest, StoppingEndsAllWaitsAndLetsNoneBegin) {
  Wait& first = Await();
  store_->Stop();
  ASSERT_EQ(first.calls, 1);
  EXPECT_EQ(status::Reason(first.status), "STALE");
  Wait& second = Await();
  EXPECT_EQ(second.id, 0);
  EXPECT_EQ(second.calls, 1);
}

TEST_F(StoreTest, WaitsExpireInTheOrderOfTheirDeadlines) {
  Wait& late = Await(absl::Minutes(5));
  Wait& early = Await(absl::Milliseconds(20));
  ASSERT_TRUE(ToldInTime(early));
  EXPECT_EQ(status::Reason(early.status), "STALE");
  // The one that is next to expire is given up, which delays no other.
  Wait& next = Await(absl::Milliseconds(20));
  store_->GiveUp(next.id);
  Wait& last = Await(absl::Milliseconds(40));
  ASSERT_TRUE(ToldInTime(last));
  EXPECT_FALSE(late.told.HasBeenNotified());
}

}  // namespace
}  // namespace transparency::journal
