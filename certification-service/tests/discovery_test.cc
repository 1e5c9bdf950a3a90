// Searching this service's records, and what happened to them when.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "certification-service/service/definition.h"
#include "common/base/civil.h"
#include "common/service/testing/running_service.h"
#include "gmock/gmock.h"
#include "transparency/certification/v1/certification_service.pb.h"

namespace transparency::certification {
namespace {

using transparency::service::kStaffToken;
using transparency::service::Parse;

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The clock stands at noon (UTC) of 2026-03-02.
class DiscoveryTest : public transparency::service::RunningServiceTest {
 protected:
  DiscoveryTest()
      : RunningServiceTest(service::Definition(),
                           absl::FromCivil(absl::CivilSecond(2026, 3, 2, 12),
                                           absl::UTCTimeZone())) {
    Do<v1::CreateSchemeRequest, v1::Scheme>(
        "CreateScheme",
        "scheme_id: 's' scheme { title: 'Common Criteria'"
        " levels { code: 'EAL4' } }");
    Do<v1::CreateBodyRequest, v1::Body>(
        "CreateBody",
        "body_id: 'b' body { display_name: 'Body' accreditations {"
        " number: 'A-1' period { from { year: 2010 } until { year: 2020 } } } "
        "}");
  }

  template <class Request, class Resource>
  void Do(const char* method, const std::string& text) {
    const auto done = StaffCall<Resource>(method, Parse<Request>(text));
    EXPECT_TRUE(done.ok()) << done.status();
  }

  // A certificate with these steps, as its source states them.
  void Record(const std::string& id, const std::string& more) {
    Do<v1::CreateCertificateRequest, v1::Certificate>(
        "CreateCertificate",
        absl::StrCat("certificate_id: '", id,
                     "' certificate { scheme: 'schemes/s' level: 'EAL4'"
                     " subjects { service: 'Cloud' } recorded_not_decided: true"
                     " certificate_number: 'N-",
                     id, "' ", more, " }"));
  }

  std::vector<std::string> Found(const std::string& query,
                                 const std::string& token = "") {
    type::v1::SearchResourcesRequest request;
    request.set_query(query);
    const auto page = Call<type::v1::SearchResourcesResponse>("SearchResources",
                                                              request, token);
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<std::string> found;
    for (const auto& hit : page->hits()) {
      found.push_back(absl::StrCat(hit.title(), " by ", hit.field()));
    }
    return found;
  }

  // Of certificates.
  std::vector<std::string> Told() {
    const auto page = Call<type::v1::ListEventsResponse>(
        "ListEvents", Parse<type::v1::ListEventsRequest>(
                          "types: 'certification.transparency/Certificate'"));
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<std::string> told;
    for (const auto& event : page->events()) {
      told.push_back(absl::StrCat(civil::DateText(event.date()), " ",
                                  event.label(), " ", event.title()));
    }
    return told;
  }
};

TEST_F(DiscoveryTest, FindsCertificatesByNumberLevelAndSubject) {
  Record("one", "initial_steps { kind: ISSUE effective_date { year: 2020 } }");
  EXPECT_THAT(Found("n-one"), ElementsAre("N-one by certificate_number"));
  EXPECT_THAT(Found("eal4"), ElementsAre("N-one by level",
                                         "Common Criteria by levels[0].code"));
  EXPECT_THAT(Found("cloud"), ElementsAre("N-one by subjects[0].service"));
  EXPECT_THAT(Found("common criteria"),
              ElementsAre("Common Criteria by title"));
}

TEST_F(DiscoveryTest, KeepsApplicationsFromThePublic) {
  Do<v1::CreateCertificateRequest, v1::Certificate>(
      "CreateCertificate",
      "certificate_id: 'applied' certificate { scheme: 'schemes/s'"
      " level: 'EAL4' subjects { service: 'Cloud' } }");
  EXPECT_THAT(Found("cloud"), IsEmpty());
  EXPECT_THAT(Found("cloud", kStaffToken),
              ElementsAre("applied by subjects[0].service"));
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_F(DiscoveryTest, TellsStepsAndLastDaysAsRecorded) {
  Record("valid",
         "initial_steps { kind: ISSUE effective_date { year: 2024 month: 5"
         " day: 2 } last_valid_date { year: 2027 month: 5 day: 1 } }");
  Record("withdrawn",
         "initial_steps { kind: ISSUE effective_date { year: 2023 }"
         "  last_valid_date { year: 2026 month: 12 } }"
         "initial_steps { kind: WITHDRAW effective_date { year: 2025 month: 7 }"
         "  reason: 'r' }");
  Record("undated", "initial_steps { kind: ISSUE }");
  EXPECT_THAT(Told(), ElementsAre("2027-05-01 LAST_VALID_DAY N-valid",
                                  "2025-07 WITHDRAW N-withdrawn",
                                  "2024-05-02 ISSUE N-valid",
                                  "2023 ISSUE N-withdrawn"));
}

TEST_F(DiscoveryTest, DoesNotTellStepsThatAreCorrected) {
  Record("one",
         "initial_steps { kind: ISSUE effective_date { year: 2023 } }"
         "initial_steps { kind: WITHDRAW effective_date { year: 2025 }"
         "  reason: 'r' }");
  Do<v1::CorrectCertificateRequest, v1::Certificate>(
      "CorrectCertificate",
      "name: 'certificates/one' reason: 'wrong year' corrections {"
      " step_number: 1 replacement { kind: ISSUE effective_date { year: 2022 } "
      "} } corrections { step_number: 2 }");
  EXPECT_THAT(Told(), ElementsAre("2022 ISSUE N-one"));
}

TEST_F(DiscoveryTest, TellsAccreditations) {
  const auto page = Call<type::v1::ListEventsResponse>(
      "ListEvents", Parse<type::v1::ListEventsRequest>(""));
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->events_size(), 2);
  EXPECT_EQ(page->events(0).label(), "ACCREDITATION_ENDED");
  EXPECT_EQ(page->events(0).field(), "accreditations[0].period.until");
  EXPECT_EQ(page->events(1).label(), "ACCREDITED");
  EXPECT_EQ(page->events(1).name(), "//certification.transparency/bodies/b");
}

}  // namespace
}  // namespace transparency::certification
