#include "standards-service/domain/standard.h"

#include <string>

#include "common/status/status.h"
#include "gtest/gtest.h"
#include "standards-service/tests/fixture.h"

namespace transparency::standards {
namespace {

using v1::Standard;

Standard Version(const std::string& id, const std::string& version) {
  Standard standard;
  standard.set_name("standards/" + id);
  standard.set_designation("O-TTPS");
  standard.set_version(version);
  standard.set_publisher("organizations/ottf");
  return standard;
}

using StandardTest = DomainTest;

TEST_F(StandardTest, DesignationAndVersionAreUniquePerPublisher) {
  ASSERT_TRUE(Record(Version("a", "1.0")).ok());
  EXPECT_TRUE(Check(Version("a", "1.0")).ok());
  EXPECT_EQ(status::Reason(Check(Version("b", "1.0"))), "NOT_UNIQUE");
  EXPECT_TRUE(Check(Version("b", "1.1")).ok());
  Standard other = Version("b", "1.0");
  other.set_publisher("organizations/iso");
  EXPECT_TRUE(Check(other).ok());
}

TEST_F(StandardTest, WithoutPublisherNothingIsSaidOfUniqueness) {
  Standard standard = Version("a", "1.0");
  standard.clear_publisher();
  ASSERT_TRUE(Record(standard).ok());
  standard.set_name("standards/b");
  EXPECT_TRUE(Check(standard).ok());
}

TEST_F(StandardTest, SuccessorsBelongToSupersededStandardsAndFormNoCircle) {
  ASSERT_TRUE(Record(Version("b", "1.1")).ok());
  Standard first = Version("a", "1.0");
  first.set_successor("standards/b");
  EXPECT_EQ(Check(first).code(), absl::StatusCode::kInvalidArgument);
  first.set_status(Standard::SUPERSEDED);
  ASSERT_TRUE(Record(first).ok());

  Standard second = Version("b", "1.1");
  second.set_status(Standard::SUPERSEDED);
  second.set_successor("standards/a");
  EXPECT_EQ(status::Reason(Check(second)), "SUCCESSOR_CYCLE");
}

}  // namespace
}  // namespace transparency::standards
