#include "standards-service/domain/membership.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "standards-service/domain/field_rules.h"
#include "standards-service/tests/fixture.h"

namespace transparency::standards {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using v1::Membership;

// A membership of organizations/etsi with this id and period.
Membership Member(const std::string& id, const std::string& period,
                  const std::string& entity = "Huawei") {
  return Parse<Membership>(
      absl::StrCat("name: 'organizations/etsi/memberships/", id,
                   "' legal_entity: '", entity, "' period {", period, "}"));
}

class MembershipTest : public DomainTest {
 protected:
  Membership::State StateOf(const std::string& period) const {
    return Effective(Member("m", period)).state();
  }
};

TEST_F(MembershipTest, StateFollowsFromPeriodAndDay) {
  EXPECT_EQ(StateOf(""), Membership::APPLIED);
  EXPECT_EQ(StateOf("from {year: 2026 month: 3 day: 10} open_ended: true"),
            Membership::ACTIVE);
  EXPECT_EQ(StateOf("from {year: 2026 month: 3 day: 11} open_ended: true"),
            Membership::APPLIED);
  EXPECT_EQ(StateOf("from {year: 2020} until {year: 2026 month: 3 day: 10}"),
            Membership::ACTIVE);
  EXPECT_EQ(StateOf("from {year: 2020} until {year: 2026 month: 3 day: 9}"),
            Membership::ENDED);
  EXPECT_EQ(StateOf("from {year: 2026 month: 3} open_ended: true"),
            Membership::UNDETERMINED);
}

TEST_F(MembershipTest, AttestedInThePastIsUndeterminedToday) {
  EXPECT_EQ(StateOf("attested_on {year: 2019 month: 12 day: 31}"),
            Membership::UNDETERMINED);
  EXPECT_EQ(StateOf("attested_on {year: 2026 month: 3 day: 10}"),
            Membership::ACTIVE);
}

TEST_F(MembershipTest, EndingTellsLapsedFromLeft) {
  Membership membership =
      Member("m", "from {year: 2020} until {year: 2025 month: 12 day: 31}");
  membership.set_ending(Membership::NOT_RENEWED);
  EXPECT_EQ(Effective(membership).state(), Membership::LAPSED);
  membership.set_ending(Membership::RESIGNED);
  EXPECT_EQ(Effective(membership).state(), Membership::LEFT);
}

TEST_F(MembershipTest, ClockTurnsAtMidnightUtc) {
  Membership membership = Member(
      "m",
      "from {year: 2026 month: 4 day: 1} until {year: 2026 month: 6 day: 30}");
  const auto effective = domain::MembershipRules().effective;
  EXPECT_EQ(effective(&membership, now_),
            absl::FromCivil(absl::CivilDay(2026, 4, 1), absl::UTCTimeZone()));
  EXPECT_EQ(membership.state(), Membership::APPLIED);
  EXPECT_EQ(effective(&membership, Noon(2026, 4, 1)),
            absl::FromCivil(absl::CivilDay(2026, 7, 1), absl::UTCTimeZone()));
  EXPECT_EQ(membership.state(), Membership::ACTIVE);
  EXPECT_EQ(effective(&membership, Noon(2026, 7, 1)), absl::InfiniteFuture());
  EXPECT_EQ(membership.state(), Membership::ENDED);
}

TEST_F(MembershipTest, StepsAllowedFollowFromWhatIsRecorded) {
  auto allowed = [&](const std::string& period) {
    const auto effective = Effective(Member("m", period));
    return std::vector<std::string>(effective.allowed_steps().begin(),
                                    effective.allowed_steps().end());
  };
  EXPECT_THAT(allowed(""), ElementsAre("activate"));
  EXPECT_THAT(allowed("from {year: 2020} open_ended: true"),
              ElementsAre("lapse", "leave"));
  EXPECT_THAT(allowed("attested_on {year: 2019 month: 12 day: 31}"),
              ElementsAre("lapse", "leave"));
  EXPECT_THAT(allowed("from {year: 2020} until {year: 2030}"), IsEmpty());
}

TEST_F(MembershipTest, ActivateLapseAndLeaveAreKeptAsSteps) {
  Membership membership = Put(Member("m", ""));
  ASSERT_TRUE(
      domain::Activate(view(), Date(2026, 1, 1), now_, &membership).ok());
  membership = Put(membership);
  EXPECT_EQ(membership.state(), Membership::ACTIVE);
  EXPECT_TRUE(membership.period().open_ended());

  Membership left = membership;
  ASSERT_TRUE(domain::Leave(view(), Date(2026, 3, 1), now_, &left).ok());
  left = Effective(left);
  EXPECT_EQ(left.state(), Membership::LEFT);
  EXPECT_FALSE(left.period().open_ended());
  ASSERT_EQ(left.steps_size(), 2);
  EXPECT_EQ(left.steps(0).kind(), Membership::Step::ACTIVATE);
  EXPECT_EQ(left.steps(1).kind(), Membership::Step::LEAVE);
  EXPECT_EQ(left.steps(1).date().month(), 3);
  EXPECT_EQ(left.steps(1).record_time().seconds(), absl::ToUnixSeconds(now_));

  Membership lapsed = membership;
  ASSERT_TRUE(domain::Lapse(view(), Date(2026, 12, 31), now_, &lapsed).ok());
  EXPECT_EQ(Effective(lapsed).state(), Membership::ACTIVE);
  now_ = Noon(2027, 1, 1);
  EXPECT_EQ(Effective(lapsed).state(), Membership::LAPSED);
}

TEST_F(MembershipTest, AnAttestedMembershipCanEndWithoutKnownBegin) {
  Membership membership =
      Put(Member("m", "attested_on {year: 2019 month: 12 day: 31}"));
  ASSERT_TRUE(domain::Lapse(view(), Date(2022), now_, &membership).ok());
  membership = Effective(membership);
  EXPECT_EQ(membership.state(), Membership::LAPSED);
  EXPECT_EQ(domain::InForceOn(membership, absl::CivilDay(2019, 12, 31)),
            domain::InForce::kYes);
  EXPECT_EQ(domain::InForceOn(membership, absl::CivilDay(2022, 5, 1)),
            domain::InForce::kOpen);
  EXPECT_EQ(domain::InForceOn(membership, absl::CivilDay(2023, 1, 1)),
            domain::InForce::kNo);
}

TEST_F(MembershipTest, AnIllegalStepNamesStateAndStepsAllowed) {
  Membership membership = Put(Member("m", ""));
  const absl::Status refused =
      domain::Leave(view(), Date(2026, 1, 1), now_, &membership);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status::Reason(refused), "STEP_NOT_ALLOWED");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("APPLIED"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("activate"));
}

TEST_F(MembershipTest, StepDatesMustFitTheRecord) {
  Membership membership = Put(Member(
      "m",
      "from {year: 2020 month: 5} attested_on {year: 2021 month: 2 day: 3}"));
  auto reason = [&](const google::type::Date& date) {
    Membership copy = membership;
    return status::Reason(domain::Leave(view(), date, now_, &copy));
  };
  EXPECT_EQ(reason(Date(2020, 4, 30)), "DATE_CONTRADICTS_RECORD");
  EXPECT_EQ(reason(Date(2021, 2, 2)), "DATE_CONTRADICTS_RECORD");
  EXPECT_EQ(reason(Date(2021, 2)), "");

  Membership applied = Member("n", "");
  *applied.mutable_application_date() = Date(2026, 2);
  applied = Put(applied);
  EXPECT_EQ(status::Reason(
                domain::Activate(view(), Date(2026, 1, 31), now_, &applied)),
            "DATE_CONTRADICTS_RECORD");
}

TEST_F(MembershipTest, SureOverlapOfOneEntityThroughOnePartnerIsRefused) {
  ASSERT_TRUE(Record(Member("m",
                            "from {year: 2020 month: 1 day: 1} until "
                            "{year: 2020 month: 12 day: 31}"))
                  .ok());
  const absl::Status refused =
      Check(Member("n", "from {year: 2020 month: 6} open_ended: true"));
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(status::Reason(refused), "MEMBERSHIP_OVERLAPS");
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("organizations/etsi/memberships/m"));

  // The day after, another entity, another partner, another organization.
  EXPECT_TRUE(Check(Member("n", "from {year: 2021} open_ended: true")).ok());
  EXPECT_TRUE(
      Check(Member("n", "from {year: 2020} open_ended: true", "Other")).ok());
  Membership through = Member("n", "from {year: 2020} open_ended: true");
  through.set_partner("organizations/ccsa");
  EXPECT_TRUE(Check(through).ok());
  Membership elsewhere = Member("n", "from {year: 2020} open_ended: true");
  elsewhere.set_name("organizations/ietf/memberships/m");
  EXPECT_TRUE(Check(elsewhere).ok());
}

TEST_F(MembershipTest, WhatMayNotOverlapIsKept) {
  ASSERT_TRUE(
      Record(Member("m", "from {year: 2019} until {year: 2020 month: 6}"))
          .ok());
  EXPECT_TRUE(
      Check(Member("n", "from {year: 2020 month: 6} open_ended: true")).ok());
  ASSERT_TRUE(
      Record(Member("a", "attested_on {year: 2019 month: 12 day: 30}", "Other"))
          .ok());
  EXPECT_TRUE(
      Check(Member("b", "attested_on {year: 2019 month: 12 day: 31}", "Other"))
          .ok());
  EXPECT_FALSE(
      Check(Member("b", "attested_on {year: 2019 month: 12 day: 30}", "Other"))
          .ok());
}

TEST_F(MembershipTest, StepsDecideOverlapToo) {
  ASSERT_TRUE(
      Record(Member("m", "from {year: 2020 month: 1 day: 1} open_ended: true"))
          .ok());
  Membership applied = Put(Member("n", ""));
  EXPECT_EQ(status::Reason(
                domain::Activate(view(), Date(2026, 1, 1), now_, &applied)),
            "MEMBERSHIP_OVERLAPS");
}

TEST_F(MembershipTest, UpdateMayKeepItsOwnPeriod) {
  Membership membership =
      Put(Member("m", "from {year: 2020 month: 1 day: 1} open_ended: true"));
  *membership.mutable_renewal_date() = Date(2027, 1, 1);
  ASSERT_TRUE(Check(&membership).ok());
  EXPECT_EQ(membership.steps_size(), 0);
}

TEST_F(MembershipTest, ACorrectionKeepsBoth) {
  Membership membership =
      Put(Member("m", "from {year: 2020} open_ended: true"));
  *membership.mutable_period()->mutable_from() = Date(2019, 5);
  ASSERT_TRUE(Check(&membership).ok());
  ASSERT_EQ(membership.steps_size(), 1);
  EXPECT_EQ(membership.steps(0).kind(), Membership::Step::CORRECT);
  EXPECT_EQ(membership.steps(0).previous_period().from().year(), 2020);
  EXPECT_EQ(membership.period().from().year(), 2019);
}

TEST_F(MembershipTest, FieldsThatContradictAreAllNamed) {
  Membership membership = Member("m", "from {year: 2020 month: 3}");
  membership.set_partner("organizations/etsi");
  membership.set_ending(Membership::RESIGNED);
  *membership.mutable_application_date() = Date(2020, 4);
  membership.mutable_annual_fee()->set_units(-1);
  const absl::Status refused = Check(membership);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  google::rpc::BadRequest details;
  ASSERT_TRUE(status::FindDetail(refused, &details));
  std::vector<std::string> fields;
  for (const auto& violation : details.field_violations()) {
    fields.push_back(violation.field());
  }
  EXPECT_THAT(fields, ElementsAre("membership.annual_fee",
                                  "membership.application_date",
                                  "membership.ending", "membership.partner"));
}

TEST_F(MembershipTest, ApplicationAfterTheFirstDayIsRefused) {
  Membership membership =
      Member("m", "from {year: 2020 month: 5} open_ended: true");
  *membership.mutable_application_date() = Date(2020, 6, 1);
  EXPECT_EQ(Check(membership).code(), absl::StatusCode::kInvalidArgument);
  *membership.mutable_application_date() = Date(2020, 5, 31);
  EXPECT_TRUE(Check(membership).ok());
}

TEST_F(MembershipTest, StepsAreBounded) {
  Membership membership = Member("m", "from {year: 2020} open_ended: true");
  for (int i = 0; i < 100; ++i) membership.add_steps();
  Put(membership);
  membership.mutable_period()->mutable_from()->set_year(2019);
  EXPECT_EQ(status::Reason(Check(membership)), "LIMIT_EXCEEDED");
}

}  // namespace
}  // namespace transparency::standards
