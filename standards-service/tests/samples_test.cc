// The sample facts keep to the contract and the rules, in the order in which
// they are sent.
#include <fstream>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "standards-service/domain/participation.h"
#include "standards-service/tests/fixture.h"
#include "transparency/standards/v1/standards_service.pb.h"

namespace transparency::standards {
namespace {

using google::protobuf::util::JsonStringToMessage;
using google::protobuf::util::MessageToJsonString;

class SamplesTest : public DomainTest {
 protected:
  // Carries out one line.
  void Take(const std::string& line) {
    google::protobuf::Struct call;
    ASSERT_TRUE(JsonStringToMessage(line, &call).ok()) << line;
    const std::string method = call.fields().at("method").string_value();
    std::string request;
    ASSERT_TRUE(
        MessageToJsonString(call.fields().at("request"), &request).ok());
    if (method == "CreateOrganization") {
      const auto create = Read<v1::CreateOrganizationRequest>(request);
      Create(absl::StrCat("organizations/", create.organization_id()),
             create.organization());
    } else if (method == "CreateMembership") {
      const auto create = Read<v1::CreateMembershipRequest>(request);
      EXPECT_NE(view().Get<v1::Organization>(create.parent()), nullptr) << line;
      Create(absl::StrCat(create.parent(), "/memberships/",
                          create.membership_id()),
             create.membership());
    } else if (method == "CreateStandard") {
      const auto create = Read<v1::CreateStandardRequest>(request);
      Create(absl::StrCat("standards/", create.standard_id()),
             create.standard());
    } else if (method == "CreateCommitment") {
      const auto create = Read<v1::CreateCommitmentRequest>(request);
      Create(absl::StrCat("commitments/", create.commitment_id()),
             create.commitment());
    } else if (method == "CreatePublication") {
      const auto create = Read<v1::CreatePublicationRequest>(request);
      Create(absl::StrCat("publications/", create.publication_id()),
             create.publication());
    } else if (method == "PublishPublication") {
      const auto publish = Read<v1::PublishPublicationRequest>(request);
      const auto* found = view().Get<v1::Publication>(publish.name());
      ASSERT_NE(found, nullptr) << line;
      v1::Publication paper = *found;
      EXPECT_TRUE(domain::Publish(nullptr, now_, &paper).ok()) << line;
      Put(paper);
    } else {
      FAIL() << "no sample of " << method;
    }
  }

  template <class T>
  T Read(const std::string& json) {
    T message;
    EXPECT_TRUE(JsonStringToMessage(json, &message).ok()) << json;
    return message;
  }

  template <class T>
  void Create(const std::string& name, T resource) {
    EXPECT_TRUE(names_.insert(name).second) << name << " comes twice";
    EXPECT_TRUE(resource.source().sample()) << name;
    EXPECT_FALSE(resource.source().title().empty()) << name;
    resource.set_name(name);
    const absl::Status recorded = Record(resource);
    EXPECT_TRUE(recorded.ok()) << name << ": " << recorded;
  }

  v1::Participation CountOn(absl::CivilDay day) const {
    domain::ParticipationCount count(day);
    view().ForEach<v1::Organization>(
        "organizations/", [&](const v1::Organization& organization) {
          view().ForEach<v1::Membership>(organization.name() + "/",
                                         [&](const v1::Membership& membership) {
                                           count.Add(membership);
                                           return true;
                                         });
          count.EndOrganization(organization.kind());
          return true;
        });
    return count.Result();
  }

  void TakeAll() {
    std::ifstream file("standards-service/samples/facts.jsonl");
    ASSERT_TRUE(file.is_open());
    for (std::string line; std::getline(file, line);) Take(line);
  }

 private:
  std::set<std::string> names_;
};

TEST_F(SamplesTest, TwentyOrganizationsAtTheEndOf2019) {
  TakeAll();
  const auto total = CountOn(absl::CivilDay(2019, 12, 31)).total();
  EXPECT_EQ(total.active_organizations(), 20);
  EXPECT_EQ(total.active_memberships(), 20);
  EXPECT_EQ(total.undetermined_memberships(), 0);
}

TEST_F(SamplesTest, NothingIsSaidOfAnyOtherDay) {
  TakeAll();
  for (absl::CivilDay day :
       {absl::CivilDay(2019, 12, 30), absl::CivilDay(2020, 1, 1)}) {
    const auto total = CountOn(day).total();
    EXPECT_EQ(total.active_organizations(), 0);
    EXPECT_EQ(total.undetermined_organizations(), 20);
  }
}

}  // namespace
}  // namespace transparency::standards
