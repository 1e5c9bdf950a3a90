#include "standards-service/domain/participation.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "standards-service/tests/fixture.h"

namespace transparency::standards {
namespace {

using v1::Membership;
using v1::Organization;

Membership Of(const std::string& period) {
  return Parse<Membership>(absl::StrCat("period {", period, "}"));
}

v1::Participation CountOn(absl::CivilDay day) {
  domain::ParticipationCount count(day);
  // Twice a member of one organization.
  count.Add(Of("from {year: 2015 month: 1 day: 1} open_ended: true"));
  count.Add(Of("from {year: 2018} until {year: 2019 month: 12 day: 31}"));
  count.EndOrganization(Organization::STANDARDS_BODY);
  count.Add(Of("attested_on {year: 2019 month: 12 day: 31}"));
  count.EndOrganization(Organization::STANDARDS_BODY);
  count.Add(Of("attested_on {year: 2019 month: 12 day: 31}"));
  count.EndOrganization(Organization::KIND_UNSPECIFIED);
  // Applied for, no more.
  count.Add(Of(""));
  count.EndOrganization(Organization::INDUSTRY_ALLIANCE);
  return count.Result();
}

TEST(ParticipationTest, AttestedDayCountsAsActive) {
  EXPECT_EQ(CountOn(absl::CivilDay(2019, 12, 31)).DebugString(),
            Parse<v1::Participation>(R"(
                as_of { year: 2019 month: 12 day: 31 }
                kinds { kind: STANDARDS_BODY active_organizations: 2
                        active_memberships: 3 }
                kinds { active_organizations: 1 active_memberships: 1 }
                total { active_organizations: 3 active_memberships: 4 })")
                .DebugString());
}

TEST(ParticipationTest, WhatIsOpenIsCountedApart) {
  EXPECT_EQ(CountOn(absl::CivilDay(2026, 3, 10)).DebugString(),
            Parse<v1::Participation>(R"(
                as_of { year: 2026 month: 3 day: 10 }
                kinds { kind: STANDARDS_BODY active_organizations: 1
                        undetermined_organizations: 1 active_memberships: 1
                        undetermined_memberships: 1 }
                kinds { undetermined_organizations: 1
                        undetermined_memberships: 1 }
                total { active_organizations: 1 undetermined_organizations: 2
                        active_memberships: 1 undetermined_memberships: 2 })")
                .DebugString());
}

TEST(ParticipationTest, NobodyGivesZeros) {
  const v1::Participation none =
      domain::ParticipationCount(absl::CivilDay(2020, 1, 1)).Result();
  EXPECT_EQ(none.kinds_size(), 0);
  EXPECT_TRUE(none.has_total());
}

}  // namespace
}  // namespace transparency::standards
