#include "standards-service/domain/organization.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "gtest/gtest.h"
#include "standards-service/tests/fixture.h"

namespace transparency::standards {
namespace {

using v1::Organization;

Organization Org(const std::string& id, const std::string& parent = "") {
  Organization organization;
  organization.set_name(absl::StrCat("organizations/", id));
  organization.set_display_name(id);
  if (!parent.empty()) {
    organization.set_parent_organization(
        absl::StrCat("organizations/", parent));
  }
  return organization;
}

using OrganizationTest = DomainTest;

TEST_F(OrganizationTest, ParentsFormATree) {
  EXPECT_TRUE(Record(Org("linux-foundation")).ok());
  EXPECT_TRUE(Record(Org("lfn", "linux-foundation")).ok());
  EXPECT_TRUE(Record(Org("onap", "lfn")).ok());
}

TEST_F(OrganizationTest, NoneIsItsOwnAncestor) {
  ASSERT_TRUE(Record(Org("a")).ok());
  ASSERT_TRUE(Record(Org("b", "a")).ok());
  ASSERT_TRUE(Record(Org("c", "b")).ok());
  const absl::Status refused = Check(Org("a", "c"));
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status::Reason(refused), "PARENT_CYCLE");
  EXPECT_EQ(status::Reason(Check(Org("a", "a"))), "PARENT_CYCLE");
  EXPECT_TRUE(Check(Org("c", "a")).ok());
}

}  // namespace
}  // namespace transparency::standards
