#include "common/methods/fresh_reads.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "common/resource/tests/library_catalogue.h"
#include "common/status/status.h"
#include "gtest/gtest.h"

namespace transparency::methods {
namespace {

constexpr char kMin[] = "x-min-revision";
constexpr char kSeen[] = "x-seen-revision";

// Calls held back at a store that has loaded nothing and lets one wait.
class FreshReadsTest : public testing::Test {
 protected:
  struct Held {
    std::shared_ptr<rpc::Call> call;
    std::shared_ptr<int> resumed = std::make_shared<int>(0);
    std::shared_ptr<absl::Status> status = std::make_shared<absl::Status>();
  };

  static journal::StoreOptions One() {
    journal::StoreOptions options;
    options.waiters = 1;
    return options;
  }

  Held Hold(const char* header) {
    const std::string token = "7.01ba4719";
    return Hold({{header, header == kMin ? "library=" + token : token}});
  }

  Held Hold(rpc::Metadata headers) {
    rpc::Arrival arrival;
    arrival.deadline = absl::Now() + absl::Minutes(2);
    arrival.headers = std::move(headers);
    Held held;
    held.call = std::make_shared<rpc::Call>(std::move(arrival));
    // As a server's, it keeps the call.
    EXPECT_FALSE(AwaitMinRevision("library", &store_, &waits_, held.call,
                                  [call = held.call, resumed = held.resumed,
                                   status = held.status](absl::Status outcome) {
                                    ++*resumed;
                                    *status = std::move(outcome);
                                  }));
    return held;
  }

  const std::unique_ptr<const resource::Catalogue> catalogue_ =
      resource::LibraryCatalogue();
  journal::ManualClock clock_{absl::FromUnixSeconds(1750000000)};
  journal::Store store_{catalogue_.get(), &clock_, One()};
  rpc::SharedPlace waits_{100};
};

TEST_F(FreshReadsTest, AnAbandonedCallIsLetGoOfAtOnce) {
  for (const char* header : {kMin, kSeen, kMin}) {
    Held held = Hold(header);
    ASSERT_EQ(*held.resumed, 0) << "no room was made";
    held.call->Abandon();
    EXPECT_EQ(*held.resumed, 1);
    EXPECT_TRUE(held.status->ok()) << *held.status;
    EXPECT_TRUE(held.call->abandoned());
    const std::weak_ptr<rpc::Call> call = held.call;
    held.call.reset();
    EXPECT_TRUE(call.expired());
  }
}

TEST_F(FreshReadsTest, AWishOfAnotherServiceLeavesTheHint) {
  const Held held = Hold({{kMin, "garden=3.01ba4719"}, {kSeen, "7.01ba4719"}});
  EXPECT_EQ(*held.resumed, 0);
  held.call->Abandon();
}

TEST_F(FreshReadsTest, OneCallTooManyIsRefusedUnlessItMerelyHasAHint) {
  Held first = Hold(kMin);
  const Held second = Hold(kMin);
  ASSERT_EQ(*second.resumed, 1);
  EXPECT_EQ(second.status->code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status::Reason(*second.status), "OVERLOADED");
  const Held hint = Hold(kSeen);
  ASSERT_EQ(*hint.resumed, 1);
  EXPECT_TRUE(hint.status->ok()) << *hint.status;
  EXPECT_EQ(*first.resumed, 0);
  first.call->Abandon();
}

}  // namespace
}  // namespace transparency::methods
