#include "absl/strings/match.h"
#include "common/rpc/server/embedded_descriptors.h"
#include "gateway/contract/comments.h"
#include "gateway/contract/reasons.h"
#include "gateway/contract/service_config.h"
#include "gmock/gmock.h"
#include "grpcpp/support/validate_service_config.h"
#include "gtest/gtest.h"
#include "transparency/centre/v1/centre_service.pb.h"
#include "transparency/centre/v1/error_reason.pb.h"
#include "transparency/type/v1/refusal.pb.h"

namespace transparency::gateway::contract {
namespace {

using testing::HasSubstr;
using testing::Not;

google::protobuf::FileDescriptorSet Embedded() {
  google::protobuf::FileDescriptorSet set;
  EXPECT_TRUE(
      set.ParseFromArray(EmbeddedDescriptorSet().data(),
                         static_cast<int>(EmbeddedDescriptorSet().size())));
  return set;
}

ServiceList Centre() {
  return {google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
      "transparency.centre.v1.CentreService")};
}

FileList Files() {
  return FilesOf(Embedded(),
                 *google::protobuf::DescriptorPool::generated_pool());
}

TEST(CommentsTest, FindsWhatHasAName) {
  const Comments comments(Embedded());
  EXPECT_THAT(comments.Of("transparency.centre.v1.CentreService.GetCentre"),
              HasSubstr("centre"));
  // A value's scope is its enum's.
  EXPECT_THAT(comments.Of("transparency.centre.v1.SPACE_TAKEN"),
              HasSubstr("AlternativeSlots"));
  EXPECT_THAT(comments.Of("google.type.Date.year"), HasSubstr("Year"));
  EXPECT_EQ(comments.Of("transparency.nothing"), "");
  EXPECT_EQ(Comments().Of("transparency.centre.v1.SPACE_TAKEN"), "");
}

TEST(CommentsTest, TakesTheFirstSentence) {
  EXPECT_EQ(FirstSentence("One thing\nof two. Another."), "One thing of two");
  EXPECT_EQ(FirstSentence("Only one.\n\nMore."), "Only one");
  EXPECT_EQ(FirstSentence("See v1.2 there"), "See v1.2 there");
  EXPECT_EQ(FirstSentence(""), "");
}

TEST(ReasonsTest, EveryReasonSaysItsCodes) {
  const auto enums = ReasonEnums(Files(), Centre());
  ASSERT_EQ(enums.size(), 2);
  EXPECT_EQ(enums[0]->name(), "CommonErrorReason");
  EXPECT_EQ(enums[1], centre::v1::ErrorReason_descriptor());
  for (const auto* reasons : enums) {
    for (int i = 1; i < reasons->value_count(); ++i) {
      EXPECT_GT(reasons->value(i)
                    ->options()
                    .GetExtension(type::v1::refusal)
                    .codes_size(),
                0)
          << reasons->value(i)->full_name();
    }
  }
}

TEST(ReasonsTest, FindsTheDetailsThatNoMethodCarries) {
  std::vector<std::string> names;
  for (const auto* type : DetailMessages(Files(), Centre())) {
    names.push_back(type->name());
  }
  EXPECT_THAT(names, testing::ElementsAre("AlternativeSlots"));
}

TEST(ServiceConfigTest, RetriesWhatHasNoSideEffectsAlone) {
  const std::string config = ServiceConfig(Centre(), {});
  EXPECT_EQ(grpc::experimental::ValidateServiceConfigJSON(config), "");
  EXPECT_THAT(config, HasSubstr("\"GetCentre\""));
  EXPECT_THAT(config, Not(HasSubstr("\"CreateCentre\"")));
  EXPECT_THAT(config, Not(HasSubstr("timeout")));
  EXPECT_THAT(config, Not(HasSubstr("round_robin")));
}

TEST(ServiceConfigTest, GivesClientsTimeAndBalance) {
  const std::string config = ServiceConfig(
      Centre(),
      {.unary_timeout = absl::Milliseconds(2500), .balance_by_health = true});
  EXPECT_EQ(grpc::experimental::ValidateServiceConfigJSON(config), "");
  EXPECT_THAT(config, HasSubstr("\"timeout\":\"2.5s\""));
  EXPECT_THAT(config, HasSubstr("healthCheckConfig"));
  // What is not retried has its time too.
  const size_t change = config.find("\"CreateCentre\"");
  ASSERT_NE(change, std::string::npos);
  EXPECT_LT(config.find("retryPolicy"), change);
  EXPECT_TRUE(absl::StrContains(config.substr(change), "timeout"));
}

TEST(ServiceConfigTest, IsEmptyWhereThereIsNothingToSay) {
  EXPECT_EQ(ServiceConfig({}, {}), "");
}

}  // namespace
}  // namespace transparency::gateway::contract
