// Searching this service's records, and what happened to them when.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/civil.h"
#include "common/service/testing/running_service.h"
#include "gmock/gmock.h"
#include "standards-service/service/definition.h"
#include "transparency/standards/v1/standards_service.pb.h"

namespace transparency::standards {
namespace {

using transparency::service::kStaffToken;
using transparency::service::Parse;

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The clock stands at noon (UTC) of 2026-03-10.
class DiscoveryTest : public transparency::service::RunningServiceTest {
 protected:
  DiscoveryTest()
      : RunningServiceTest(service::Definition(),
                           absl::FromCivil(absl::CivilSecond(2026, 3, 10, 12),
                                           absl::UTCTimeZone())) {
    Create<v1::CreateOrganizationRequest, v1::Organization>(
        "CreateOrganization",
        "organization_id: 'etsi' organization { display_name: 'European "
        "Telecommunications Standards Institute' abbreviation: 'ETSI'"
        " founding_date { year: 1988 } }");
    Create<v1::CreateMembershipRequest, v1::Membership>(
        "CreateMembership",
        "parent: 'organizations/etsi' membership_id: 'm' membership {"
        " legal_entity: 'Huawei' period { from { year: 2001 month: 5 }"
        "  attested_on { year: 2019 month: 12 day: 31 } }"
        " annual_fee { currency_code: 'EUR' units: 7 } }");
    Create<v1::CreatePublicationRequest, v1::Publication>(
        "CreatePublication",
        "publication_id: 'paper' publication { title: '5G Security White Paper'"
        " topics: 'telecommunications' publication_date { year: 2019 month: 5 }"
        " }");
  }

  template <class Request, class Resource>
  void Create(const char* method, const std::string& text) {
    const auto made = StaffCall<Resource>(method, Parse<Request>(text));
    EXPECT_TRUE(made.ok()) << made.status();
  }

  void Publish() {
    v1::PublishPublicationRequest publish;
    publish.set_name("publications/paper");
    const auto made = StaffCall<v1::Publication>("PublishPublication", publish);
    EXPECT_TRUE(made.ok()) << made.status();
  }

  std::vector<std::string> Found(const std::string& query,
                                 const std::string& token = "") {
    type::v1::SearchResourcesRequest request;
    request.set_query(query);
    const auto page = Call<type::v1::SearchResourcesResponse>("SearchResources",
                                                              request, token);
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<std::string> names;
    for (const auto& hit : page->hits()) names.push_back(hit.name());
    return names;
  }

  std::vector<std::string> Told(const std::string& request = "",
                                const std::string& token = "") {
    const auto page = Call<type::v1::ListEventsResponse>(
        "ListEvents", Parse<type::v1::ListEventsRequest>(request), token);
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<std::string> told;
    for (const auto& event : page->events()) {
      told.push_back(absl::StrCat(civil::DateText(event.date()), " ",
                                  event.label(), " ", event.title()));
    }
    return told;
  }
};

TEST_F(DiscoveryTest, FindsTheRecordsThatTheCallerSees) {
  const std::string etsi = "//standards.transparency/organizations/etsi";
  const std::string paper = "//standards.transparency/publications/paper";
  EXPECT_THAT(Found("etsi"), ElementsAre(etsi));
  EXPECT_THAT(Found("telecommunications"), ElementsAre(etsi));
  EXPECT_THAT(Found("white paper"), IsEmpty());
  EXPECT_THAT(Found("telecommunications", kStaffToken),
              ElementsAre(etsi, paper));
  Publish();
  EXPECT_THAT(Found("white paper"), ElementsAre(paper));
  EXPECT_THAT(Found("huawei"), ElementsAre(etsi + "/memberships/m"));
}

TEST_F(DiscoveryTest, TellsWhatHappenedAsExactlyAsItIsKnown) {
  EXPECT_THAT(Told(),
              ElementsAre("2001-05 MEMBERSHIP_BEGUN Huawei",
                          "1988 FOUNDED European Telecommunications Standards "
                          "Institute"));
  // A draft has not been published, whoever asks.
  EXPECT_EQ(Told("", kStaffToken).size(), 2u);
  Publish();
  EXPECT_THAT(Told("from_date { year: 2019 month: 5 day: 20 }"),
              ElementsAre("2019-05 PUBLISHED 5G Security White Paper"));
  v1::RetirePublicationRequest retire;
  retire.set_name("publications/paper");
  ASSERT_TRUE(StaffCall<v1::Publication>("RetirePublication", retire).ok());
  v1::LapseMembershipRequest lapse;
  lapse.set_name("organizations/etsi/memberships/m");
  *lapse.mutable_date() = Parse<google::type::Date>("year: 2026 month: 12");
  ASSERT_TRUE(StaffCall<v1::Membership>("LapseMembership", lapse).ok());
  EXPECT_THAT(Told("from_date { year: 2026 month: 1 day: 1 }"),
              ElementsAre("2026-12 MEMBERSHIP_ENDED Huawei",
                          "2026-03-10 RETIRED 5G Security White Paper"));
}

TEST_F(DiscoveryTest, WhatIsDeletedIsNeitherFoundNorTold) {
  v1::DeleteMembershipRequest remove;
  remove.set_name("organizations/etsi/memberships/m");
  ASSERT_TRUE(StaffCall<v1::Membership>("DeleteMembership", remove).ok());
  for (const char* token : {"", kStaffToken}) {
    EXPECT_THAT(Found("huawei", token), IsEmpty());
    EXPECT_EQ(Told("", token).size(), 1u);
  }
}

}  // namespace
}  // namespace transparency::standards
