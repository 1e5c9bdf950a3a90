#include "standards-service/domain/commitment.h"

#include "common/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "standards-service/tests/fixture.h"

namespace transparency::standards {
namespace {

using ::testing::ElementsAre;
using v1::Commitment;

constexpr char kCall[] =
    "name: 'commitments/c' initiative: 'Call' join_date {year: 2018 month: 11}";

using CommitmentTest = DomainTest;

TEST_F(CommitmentTest, EndsOnceEveryReadingOfItsLastDayIsPast) {
  Commitment commitment = Put(Parse<Commitment>(kCall));
  EXPECT_EQ(commitment.state(), Commitment::ACTIVE);
  EXPECT_THAT(commitment.allowed_steps(), ElementsAre("end"));
  ASSERT_TRUE(domain::EndCommitment(Date(2026, 3), &commitment).ok());

  const auto effective = domain::CommitmentRules().effective;
  EXPECT_EQ(effective(&commitment, now_),
            absl::FromCivil(absl::CivilDay(2026, 4, 1), absl::UTCTimeZone()));
  EXPECT_EQ(commitment.state(), Commitment::ACTIVE);
  EXPECT_EQ(commitment.allowed_steps_size(), 0);
  EXPECT_EQ(effective(&commitment, Noon(2026, 4, 1)), absl::InfiniteFuture());
  EXPECT_EQ(commitment.state(), Commitment::ENDED);
  EXPECT_EQ(status::Reason(domain::EndCommitment(Date(2027), &commitment)),
            "STEP_NOT_ALLOWED");
}

TEST_F(CommitmentTest, DoesNotEndBeforeItBegan) {
  Commitment commitment = Put(Parse<Commitment>(kCall));
  EXPECT_EQ(status::Reason(domain::EndCommitment(Date(2018, 10), &commitment)),
            "DATE_CONTRADICTS_RECORD");
  ASSERT_TRUE(domain::EndCommitment(Date(2018), &commitment).ok());
  *commitment.mutable_join_date() = Date(2019);
  EXPECT_EQ(Check(commitment).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace transparency::standards
