#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "certification-service/tests/registry.h"
#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace transparency::certification::domain {
namespace {

using v1::SupportChain;
using v1::VerdictReason;
using v1::VerifiedCertificate;

constexpr char kC[] = "certificates/c";

std::vector<std::string> Codes(const VerifiedCertificate& verified) {
  std::vector<std::string> codes;
  for (const VerdictReason& reason : verified.reasons()) {
    codes.push_back(VerdictReason::Code_Name(reason.code()));
  }
  return codes;
}

std::string Recorded(const std::string& steps) {
  return "name: 'certificates/c' scheme: 'schemes/plain'"
         " recorded_not_decided: true " +
         steps;
}

TEST(Verify, SaysWhatTheRecordsShowOfEachDay) {
  struct Case {
    const char* about;
    std::string certificate;
    std::vector<std::pair<const char*, const char*>> verdicts;
  };
  const std::string issue = "initial_steps { kind: ISSUE effective_date ";
  const Case cases[] = {
      {"all dates known",
       Recorded(issue + D("2020-05-15") + " last_valid_date " +
                D("2023-05-14") + " }"),
       {{"2020-05-14", "NOT_YET_VALID"},
        {"2020-05-15", "VALID"},
        {"2023-05-14", "VALID"},
        {"2023-05-15", "EXPIRED"}}},
      {"issued some day in a year",
       Recorded(issue + D("2019") + " }"),
       {{"2018-12-31", "NOT_YET_VALID"},
        {"2019-06-01", "VALIDITY_NOT_RECORDED"},
        {"2021-01-01", "VALIDITY_NOT_RECORDED"}}},
      {"no date at all",
       Recorded("initial_steps { kind: ISSUE }"),
       {{"1990-01-01", "VALIDITY_NOT_RECORDED"},
        {"2026-03-02", "VALIDITY_NOT_RECORDED"}}},
      {"no step at all",
       Recorded(""),
       {{"2026-03-02", "VALIDITY_NOT_RECORDED"}}},
      {"a withdrawal alone",
       Recorded("initial_steps { kind: WITHDRAW effective_date " +
                D("2021-02-03") + " }"),
       {{"2021-02-02", "VALIDITY_NOT_RECORDED"}, {"2021-02-03", "WITHDRAWN"}}},
      {"suspended where that is not recorded to leave it valid",
       Recorded(issue + D("2020-05-15") + " without_expiry: true }" +
                "initial_steps { kind: SUSPEND effective_date " +
                D("2021-01-01") + " }"),
       {{"2020-12-31", "VALID"}, {"2021-01-01", "SUSPENDED"}}},
      {"superseded",
       Recorded(issue + D("2020-05-15") + " without_expiry: true }" +
                "initial_steps { kind: SUPERSEDE effective_date " +
                D("2021-01-01") + " }"),
       {{"2020-12-31", "VALID"}, {"2021-01-01", "SUPERSEDED"}}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.about);
    Registry registry;
    ASSERT_EQ(registry.Create(c.certificate), absl::OkStatus());
    for (const auto& [day, verdict] : c.verdicts) {
      EXPECT_EQ(registry.Verdict(kC, day), verdict) << day;
    }
  }
}

TEST(Verify, LetsTheSchemeSayWhatASuspensionDoes) {
  Registry registry;
  registry.Issued("certificates/eucc", "2025-01-01",
                  "last_valid_date " + D("2027-12-31"), "", "schemes/eucc");
  registry.Issued("certificates/iso", "2025-01-01",
                  "last_valid_date " + D("2027-12-31"), "", "schemes/iso");
  for (const char* name : {"certificates/eucc", "certificates/iso"}) {
    ASSERT_EQ(
        registry.Take(Suspend, name,
                      "reason: 'audit' suspended_until " + D("2026-03-20")),
        absl::OkStatus());
  }
  const auto eucc = registry.Ask("certificates/eucc", "2026-03-21");
  EXPECT_EQ(eucc.verdict(), VerifiedCertificate::VALID_SUSPENDED);
  EXPECT_THAT(Codes(eucc),
              testing::ElementsAre("SUSPENDED_SINCE", "SUSPENSION_RAN_OUT",
                                   "SUSPENSION_LEAVES_VALID"));
  EXPECT_EQ(eucc.reasons(0).reason(), "audit");
  const auto iso = registry.Ask("certificates/iso", "2026-03-20");
  EXPECT_EQ(iso.verdict(), VerifiedCertificate::SUSPENDED);
  EXPECT_THAT(Codes(iso), testing::ElementsAre("SUSPENDED_SINCE"));
}

TEST(Verify, NamesWhatIsMissing) {
  Registry registry;
  ASSERT_EQ(registry.Create(Recorded("initial_steps { kind: ISSUE"
                                     " effective_date { year: 2019 } }")),
            absl::OkStatus());
  EXPECT_THAT(
      Codes(registry.Ask(kC, "2019-06-01")),
      testing::ElementsAre("FIRST_DAY_NOT_RECORDED", "LAST_DAY_NOT_RECORDED"));
  EXPECT_THAT(Codes(registry.Ask(kC, "2021-06-01")),
              testing::ElementsAre("LAST_DAY_NOT_RECORDED"));
}

TEST(Verify, DoesNotTakeApplicationsForCertificates) {
  Registry registry;
  ASSERT_EQ(registry.Create("name: 'certificates/c' scheme: 'schemes/plain'"
                            " certification_body: 'bodies/cb'"
                            " subjects { service: 'Cloud' }"),
            absl::OkStatus());
  EXPECT_FALSE(IsGranted(registry.Get(kC)));
  ASSERT_EQ(registry.Take(Start, kC), absl::OkStatus());
  EXPECT_FALSE(IsGranted(registry.Get(kC)));
  ASSERT_EQ(
      registry.Take(Issue, kC,
                    "without_expiry: true effective_date " + D("2026-04-01")),
      absl::OkStatus());
  EXPECT_TRUE(IsGranted(registry.Get(kC)));
  EXPECT_EQ(registry.Verdict(kC, "2026-03-31"), "NOT_YET_VALID");
  EXPECT_EQ(registry.Verdict(kC, "2026-04-01"), "VALID");
}

// The chain of a certificate of bodies/cb under schemes/iso on a day, with
// other accreditations than the registry's own.
SupportChain ChainWith(const std::string& accreditations,
                       const std::string& day) {
  Registry registry;
  registry.Put(
      Parse<v1::Body>("name: 'bodies/cb' roles: CERTIFICATION_BODY"
                      " display_name: 'CB' " +
                      accreditations));
  EXPECT_EQ(registry.Create("name: 'certificates/c' scheme: 'schemes/iso'"
                            " certification_body: 'bodies/cb'"
                            " recorded_not_decided: true"),
            absl::OkStatus());
  return registry.Ask(kC, day).chain();
}

TEST(Chain, TellsWhichLinkIsBrokenAndSinceWhen) {
  const std::string iso =
      "accreditation_body: 'bodies/ab' schemes: 'schemes/iso' ";
  const std::string held =
      "period { from " + D("2020-01-01") + " until " + D("2024-12-31") + " } ";
  struct Case {
    const char* about;
    std::string accreditations;
    const char* day;
    SupportChain::Support support;
    const char* since;
  };
  const Case cases[] = {
      {"held", "accreditations { " + iso + held + "}", "2022-01-01",
       SupportChain::SUPPORTED, ""},
      {"over", "accreditations { " + iso + held + "}", "2025-06-01",
       SupportChain::BROKEN, "2025-01-01"},
      {"not begun", "accreditations { " + iso + held + "}", "2019-06-01",
       SupportChain::BROKEN, ""},
      {"suspended",
       "accreditations { " + iso + held +
           " suspensions { open_ended: true"
           " from " +
           D("2023-05-01") + " } }",
       "2023-06-01", SupportChain::BROKEN, "2023-05-01"},
      {"suspended before",
       "accreditations { " + iso + held + " suspensions { from " +
           D("2021-05-01") + " until " + D("2021-06-01") + " } }",
       "2023-06-01", SupportChain::SUPPORTED, ""},
      {"no dates", "accreditations { " + iso + "}", "2023-06-01",
       SupportChain::NOT_RECORDED, ""},
      {"attested on the day",
       "accreditations { " + iso + "period { attested_on " + D("2023-06-01") +
           " } }",
       "2023-06-01", SupportChain::SUPPORTED, ""},
      {"for another scheme",
       "accreditations { accreditation_body: 'bodies/ab' schemes:"
       " 'schemes/plain' " +
           held + "}",
       "2022-01-01", SupportChain::NOT_RECORDED, ""},
      {"for schemes not recorded",
       "accreditations { accreditation_body: 'bodies/ab' " + held + "}",
       "2022-01-01", SupportChain::NOT_RECORDED, ""},
      {"by nobody recorded",
       "accreditations { schemes: 'schemes/iso' " + held + "}", "2022-01-01",
       SupportChain::NOT_RECORDED, ""},
      {"none", "", "2022-01-01", SupportChain::NOT_RECORDED, ""},
      {"one over, one held",
       "accreditations { " + iso + held + "} accreditations { " + iso +
           "period { open_ended: true from " + D("2025-01-01") + " } }",
       "2025-06-01", SupportChain::SUPPORTED, ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.about);
    const SupportChain chain = ChainWith(c.accreditations, c.day);
    EXPECT_EQ(SupportChain::Support_Name(chain.support()),
              SupportChain::Support_Name(c.support));
    ASSERT_GE(chain.links_size(), 2);
    EXPECT_EQ(chain.links(0).support(), SupportChain::SUPPORTED);
    const auto& link = chain.links(1);
    EXPECT_EQ(link.kind(), SupportChain::Link::ACCREDITATION);
    EXPECT_EQ(
        link.has_broken_since() ? civil::DateText(link.broken_since()) : "",
        c.since);
  }
}

TEST(Chain, EndsWhereNoBodyIsRecorded) {
  Registry registry;
  ASSERT_EQ(registry.Create(Recorded("")), absl::OkStatus());
  const SupportChain chain = registry.Ask(kC, "2026-03-02").chain();
  EXPECT_EQ(chain.support(), SupportChain::NOT_RECORDED);
  ASSERT_EQ(chain.links_size(), 1);
  EXPECT_EQ(chain.links(0).kind(), SupportChain::Link::CERTIFICATION_BODY);
  EXPECT_EQ(chain.links(0).support(), SupportChain::NOT_RECORDED);
}

// ---- sample facts ----

template <class T>
absl::Status Accept(Registry* registry, const google::protobuf::Struct& request,
                    const std::string& id, const std::string& field,
                    const std::string& collection,
                    absl::Status (*check)(const resource::Snapshot&, const T*,
                                          T*, absl::Time)) {
  std::string json;
  EXPECT_TRUE(google::protobuf::util::MessageToJsonString(
                  request.fields().at(field), &json)
                  .ok());
  T message;
  const auto parsed =
      google::protobuf::util::JsonStringToMessage(json, &message);
  EXPECT_TRUE(parsed.ok()) << parsed.ToString();
  message.set_name(collection + request.fields().at(id).string_value());
  EXPECT_TRUE(message.source().sample());
  EXPECT_FALSE(message.source().title().empty());
  absl::Status status = check == nullptr ? absl::OkStatus()
                                         : check(registry->view(), nullptr,
                                                 &message, registry->now());
  if (status.ok()) registry->Put(message);
  return status;
}

absl::Status CreateCertificate(const resource::Snapshot& view,
                               const v1::Certificate* before,
                               v1::Certificate* created, absl::Time now) {
  absl::Status status = CheckCertificate(view, before, created, now);
  return status.ok() ? BeginCertificate(view, created, now) : status;
}

absl::Status Accept(Registry* registry, const google::protobuf::Struct& line) {
  const std::string method = line.fields().at("method").string_value();
  const auto& request = line.fields().at("request").struct_value();
  if (method == "CreateScheme") {
    return Accept<v1::Scheme>(registry, request, "schemeId", "scheme",
                              "schemes/", CheckScheme);
  }
  if (method == "CreateBody") {
    return Accept<v1::Body>(registry, request, "bodyId", "body", "bodies/",
                            CheckBody);
  }
  if (method == "CreateProduct") {
    return Accept<v1::Product>(registry, request, "productId", "product",
                               "products/", CheckProduct);
  }
  if (method == "CreateManagementSystem") {
    return Accept<v1::ManagementSystem>(registry, request, "managementSystemId",
                                        "managementSystem",
                                        "managementSystems/", nullptr);
  }
  EXPECT_EQ(method, "CreateCertificate");
  return Accept<v1::Certificate>(registry, request, "certificateId",
                                 "certificate", "certificates/",
                                 CreateCertificate);
}

TEST(Samples, AreAcceptedAndClaimNoValidityThatTheirSourceDoesNotState) {
  Registry registry;
  std::ifstream file("certification-service/samples/facts.jsonl");
  ASSERT_TRUE(file.is_open());
  std::string text;
  while (std::getline(file, text)) {
    google::protobuf::Struct line;
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(text, &line).ok())
        << text;
    EXPECT_EQ(Accept(&registry, line), absl::OkStatus()) << text;
  }
  int certificates = 0;
  registry.view().ForEach<v1::Certificate>(
      "", [&](const v1::Certificate& certificate) {
        ++certificates;
        EXPECT_EQ(certificate.state(), v1::Certificate::UNDETERMINED);
        EXPECT_EQ(registry.Verdict(certificate.name(), "2026-03-02"),
                  "VALIDITY_NOT_RECORDED")
            << certificate.name();
        return true;
      });
  EXPECT_EQ(certificates, 7);
}

}  // namespace
}  // namespace transparency::certification::domain
