#include <string>

#include "absl/strings/str_cat.h"
#include "certification-service/tests/registry.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::certification::domain {
namespace {

using v1::Certificate;
using v1::CertificateStep;

constexpr char kC[] = "certificates/c";

TEST(Create, AppliesTodayInTheSchemesZone) {
  Registry registry;
  registry.MoveTo(At("2026-03-02T23:30:00"));
  ASSERT_EQ(registry.Create("name: 'certificates/c' scheme: 'schemes/eucc'"),
            absl::OkStatus());
  const Certificate made = registry.Get(kC);
  EXPECT_EQ(made.state(), Certificate::APPLIED);
  ASSERT_EQ(made.steps_size(), 1);
  EXPECT_EQ(ToDay(made.steps(0).effective_date()), Day("2026-03-03"));
  EXPECT_TRUE(made.steps(0).has_record_time());
  EXPECT_EQ(made.time_zone(), "Europe/Brussels");
  EXPECT_EQ(made.suspension_effect(), v1::STAYS_VALID);
  EXPECT_EQ(made.initial_steps_size(), 0);
}

TEST(Create, ObeysTheRulesOfContent) {
  struct Case {
    const char* about;
    const char* text;
    const char* outcome;
  };
  const Case cases[] = {
      {"a level of the scheme", "scheme: 'schemes/eucc' level: 'EAL4'", "OK"},
      {"a level of another scheme", "scheme: 'schemes/eucc' level: 'EAL9'",
       "FAILED_PRECONDITION LEVEL_NOT_OF_SCHEME"},
      {"a level where the scheme has none",
       "scheme: 'schemes/iso' level: 'EAL4'",
       "FAILED_PRECONDITION LEVEL_NOT_OF_SCHEME"},
      {"a recorded level is no exception",
       "scheme: 'schemes/eucc' level: 'EAL9' recorded_not_decided: true",
       "FAILED_PRECONDITION LEVEL_NOT_OF_SCHEME"},
      {"a text instead of a level",
       "scheme: 'schemes/eucc' level_as_stated: 'PP Compliant'", "OK"},
      {"augmented",
       "scheme: 'schemes/eucc' level: 'EAL4'"
       " augmentations: 'ALC_FLR.2'",
       "OK"},
      {"augmented without list",
       "scheme: 'schemes/eucc' level: 'EAL4'"
       " augmentations_not_listed: true",
       "OK"},
      {"augmented without level",
       "scheme: 'schemes/eucc' augmentations: 'ALC_FLR.2'",
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"augmented where that is not allowed",
       "scheme: 'schemes/plain' level_as_stated: 'x'"
       " augmentations_not_listed: true",
       "FAILED_PRECONDITION AUGMENTATION_NOT_ALLOWED"},
      {"a subject of a kind that the scheme certifies",
       "scheme: 'schemes/iso' subjects { management_system:"
       " 'managementSystems/isms' }",
       "OK"},
      {"a subject of another kind",
       "scheme: 'schemes/iso' subjects { product { product: 'products/phone' }"
       " }",
       "FAILED_PRECONDITION SUBJECT_KIND_NOT_OF_SCHEME"},
      {"an empty subject", "scheme: 'schemes/plain' subjects {}",
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"a subject twice",
       "scheme: 'schemes/plain' subjects { service: 'A' }"
       " subjects { service: 'A' }",
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"a version of the product",
       "scheme: 'schemes/plain' subjects { product { product: 'products/phone'"
       " version: '2.0' } }",
       "OK"},
      {"no version of the product",
       "scheme: 'schemes/plain' subjects { product { product: 'products/phone'"
       " version: '3.0' } }",
       "FAILED_PRECONDITION VERSION_NOT_OF_PRODUCT"},
      {"a body that certifies",
       "scheme: 'schemes/plain' certification_body: 'bodies/cb' laboratory:"
       " 'bodies/lab'",
       "OK"},
      {"a body that does not",
       "scheme: 'schemes/plain' certification_body: 'bodies/lab'",
       "FAILED_PRECONDITION BODY_ROLE_MISSING"},
      {"a laboratory that is none",
       "scheme: 'schemes/plain' laboratory: 'bodies/cb'",
       "FAILED_PRECONDITION BODY_ROLE_MISSING"},
      {"a scheme that is missing", "scheme: 'schemes/none'",
       "FAILED_PRECONDITION REFERENCE_NOT_FOUND"},
      {"steps that were not decided here",
       "scheme: 'schemes/plain' initial_steps { kind: ISSUE }",
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"an application in the future",
       "scheme: 'schemes/plain' initial_steps { kind: APPLY effective_date {"
       " year: 2027 month: 1 day: 1 } }",
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"nothing but that it is recorded",
       "scheme: 'schemes/plain' recorded_not_decided: true", "OK"},
      {"a recorded step without dates",
       "scheme: 'schemes/plain' recorded_not_decided: true initial_steps {"
       " kind: ISSUE }",
       "OK"},
      {"a recorded step with a date that does not exist",
       "scheme: 'schemes/plain' recorded_not_decided: true initial_steps {"
       " kind: ISSUE effective_date { year: 2019 month: 2 day: 30 } }",
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"a recorded last day before the first",
       "scheme: 'schemes/plain' recorded_not_decided: true initial_steps {"
       " kind: ISSUE effective_date { year: 2019 month: 5 } last_valid_date {"
       " year: 2019 month: 4 day: 30 } }",
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"a recorded validity that the scheme would not allow",
       "scheme: 'schemes/iso' recorded_not_decided: true initial_steps { kind:"
       " ISSUE effective_date { year: 2010 month: 1 day: 1 } last_valid_date {"
       " year: 2020 month: 1 day: 1 } }",
       "OK"},
      {"recorded steps that contradict each other",
       "scheme: 'schemes/plain' recorded_not_decided: true initial_steps {"
       " kind: WITHDRAW } initial_steps { kind: REINSTATE }",
       "FAILED_PRECONDITION STEPS_CONTRADICT"},
      {"a correction as a first step",
       "scheme: 'schemes/plain' recorded_not_decided: true initial_steps {"
       " kind: CORRECT }",
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"a recorded decision of the year that has begun",
       "scheme: 'schemes/plain' recorded_not_decided: true initial_steps {"
       " kind: ISSUE decision_date { year: 2026 } }",
       "OK"},
      {"a recorded decision in the future",
       "scheme: 'schemes/plain' recorded_not_decided: true initial_steps {"
       " kind: ISSUE decision_date { year: 2026 month: 4 } }",
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"a successor that is the certificate itself",
       "scheme: 'schemes/plain' recorded_not_decided: true initial_steps {"
       " kind: ISSUE } initial_steps { kind: SUPERSEDE successor:"
       " 'certificates/c' }",
       "FAILED_PRECONDITION REFERENCE_NOT_FOUND"},
      {"fields of another kind of step",
       "scheme: 'schemes/plain' recorded_not_decided: true initial_steps {"
       " kind: SUSPEND without_expiry: true }",
       "INVALID_ARGUMENT INVALID_FIELDS"},
  };
  for (const Case& c : cases) {
    Registry registry;
    EXPECT_EQ(Outcome(registry.Create(
                  absl::StrCat("name: 'certificates/c' ", c.text))),
              c.outcome)
        << c.about;
  }
}

TEST(Create, NamesTheStepWhoseSuccessorIsTheCertificateItself) {
  Registry registry;
  const absl::Status refused = registry.Create(
      "name: 'certificates/c' scheme: 'schemes/plain' recorded_not_decided:"
      " true initial_steps { kind: ISSUE } initial_steps { kind: SUPERSEDE"
      " successor: 'certificates/c' }");
  google::rpc::PreconditionFailure failure;
  ASSERT_TRUE(status::FindDetail(refused, &failure)) << refused;
  EXPECT_EQ(failure.violations(0).subject(),
            "certificate.initial_steps[1].successor");
}

TEST(CertificateNumber, IsUniquePerBodyWhateverItsCaseAndSpaces) {
  Registry registry;
  registry.Put(
      Parse<v1::Body>("name: 'bodies/other' display_name: 'O'"
                      " roles: CERTIFICATION_BODY"));
  const std::string text =
      "scheme: 'schemes/plain' certificate_number: 'AB 12-c' ";
  ASSERT_EQ(Outcome(registry.Create("name: 'certificates/a'"
                                    " certification_body: 'bodies/cb' " +
                                    text)),
            "OK");
  EXPECT_EQ(Outcome(registry.Create(
                "name: 'certificates/b' scheme: 'schemes/plain'"
                " certification_body: 'bodies/cb' certificate_number:"
                " 'ab\xC2\xA0"
                "12-C'")),
            "ALREADY_EXISTS NOT_UNIQUE");
  EXPECT_EQ(Outcome(registry.Create("name: 'certificates/b'"
                                    " certification_body: 'bodies/other' " +
                                    text)),
            "OK");
  EXPECT_EQ(Outcome(registry.Create("name: 'certificates/d' " + text)), "OK");
  EXPECT_EQ(Outcome(registry.Create("name: 'certificates/e' " + text)), "OK");
  EXPECT_EQ(Outcome(registry.Update("certificates/e",
                                    [](Certificate* c) {
                                      c->set_certification_body("bodies/cb");
                                    })),
            "ALREADY_EXISTS NOT_UNIQUE");
  EXPECT_EQ(Outcome(registry.Update(
                "certificates/a",
                [](Certificate* c) { c->set_laboratory("bodies/lab"); })),
            "OK");
}

TEST(Predecessors, FormNoCycle) {
  Registry registry;
  const std::string text = "scheme: 'schemes/plain' recorded_not_decided: true";
  ASSERT_EQ(registry.Create("name: 'certificates/a' " + text),
            absl::OkStatus());
  ASSERT_EQ(registry.Create(
                "name: 'certificates/b' predecessor: 'certificates/a' " + text),
            absl::OkStatus());
  ASSERT_EQ(registry.Create(
                "name: 'certificates/c' predecessor: 'certificates/b' " + text),
            absl::OkStatus());
  EXPECT_EQ(Outcome(registry.Update(
                "certificates/a",
                [](Certificate* c) { c->set_predecessor("certificates/c"); })),
            "FAILED_PRECONDITION PREDECESSOR_CYCLE");
  EXPECT_EQ(Outcome(registry.Update(
                "certificates/a",
                [](Certificate* c) { c->set_predecessor("certificates/a"); })),
            "FAILED_PRECONDITION PREDECESSOR_CYCLE");
}

TEST(Update, RefusesFirstStepsLater) {
  Registry registry;
  ASSERT_EQ(registry.Create("name: 'certificates/c' scheme: 'schemes/plain'"),
            absl::OkStatus());
  EXPECT_EQ(Outcome(registry.Update(kC,
                                    [](Certificate* c) {
                                      c->add_initial_steps()->set_kind(
                                          CertificateStep::APPLY);
                                    })),
            "INVALID_ARGUMENT INVALID_FIELDS");
}

TEST(Update, LeavesACertificateWhatItWasIssuedWith) {
  Registry registry;
  registry.Put(
      Parse<v1::Body>("name: 'bodies/other' display_name: 'O'"
                      " roles: CERTIFICATION_BODY"));
  registry.Issued(kC, "2025-01-01", "last_valid_date " + D("2027-12-31"),
                  "subjects { service: 'Mail' }", "schemes/iso");
  ASSERT_EQ(registry.Take(Reduce, kC,
                          "reason: 'r' removed_subjects { service: 'Mail' }"),
            absl::OkStatus());
  const auto update = [&](auto change) {
    return Outcome(registry.Update(kC, change));
  };
  EXPECT_EQ(update([](Certificate* c) { c->clear_certification_body(); }),
            "FAILED_PRECONDITION NOT_READY_TO_ISSUE");
  EXPECT_EQ(
      update([](Certificate* c) { c->set_certification_body("bodies/other"); }),
      "FAILED_PRECONDITION ACCREDITATION_MISSING");
  EXPECT_EQ(update([](Certificate* c) { c->clear_subjects(); }),
            "FAILED_PRECONDITION NOT_READY_TO_ISSUE");
  // Of "Cloud" and "Mail" the latter was taken out.
  EXPECT_EQ(update([](Certificate* c) { c->mutable_subjects()->RemoveLast(); }),
            "FAILED_PRECONDITION SCOPE_NOT_REDUCIBLE");
  EXPECT_EQ(update([](Certificate* c) {
              c->mutable_subjects(0)->set_service("Cloud, renamed");
            }),
            "OK");
}

TEST(Update, IsNotRefusedForWhatWasSoBefore) {
  Registry registry;
  registry.Issued(kC, "2025-01-01", "last_valid_date " + D("2027-12-31"), "",
                  "schemes/iso");
  // The accreditation is found never to have been.
  registry.Put(
      Parse<v1::Body>("name: 'bodies/cb' display_name: 'CB'"
                      " roles: CERTIFICATION_BODY"));
  EXPECT_EQ(Outcome(registry.Update(
                kC, [](Certificate* c) { c->set_laboratory("bodies/lab"); })),
            "OK");
}

TEST(Update, OfAnApplicationMayLeaveWhatItIsIssuedWithForLater) {
  Registry registry;
  ASSERT_EQ(registry.Create("name: 'certificates/c' scheme: 'schemes/iso'"
                            " certification_body: 'bodies/cb'"
                            " subjects { service: 'Cloud' }"),
            absl::OkStatus());
  EXPECT_EQ(Outcome(registry.Update(kC,
                                    [](Certificate* c) {
                                      c->clear_certification_body();
                                      c->clear_subjects();
                                    })),
            "OK");
}

TEST(TheClock, ExpiresWhenTheLastDayEndsInTheSchemesZone) {
  Registry registry;
  registry.Issued(kC, "2026-03-02", "last_valid_date " + D("2026-03-28"), "",
                  "schemes/eucc");
  EXPECT_EQ(registry.State(kC), "ACTIVE");
  EXPECT_THAT(
      registry.Get(kC).allowed_steps(),
      testing::ElementsAre("suspend", "withdraw", "reduceScope", "correct"));
  // Brussels is an hour ahead of UTC until 29 March, two from then on.
  EXPECT_EQ(registry.ItemOf(kC).next_change(), At("2026-03-28T23:00:00"));
  registry.MoveTo(At("2026-03-28T22:59:59"));
  EXPECT_EQ(registry.State(kC), "ACTIVE");
  registry.MoveTo(At("2026-03-28T23:00:00"));
  EXPECT_EQ(registry.State(kC), "EXPIRED");
  EXPECT_THAT(registry.Get(kC).allowed_steps(),
              testing::ElementsAre("correct"));
  EXPECT_EQ(registry.ItemOf(kC).next_change(), absl::InfiniteFuture());
}

TEST(TheClock, BringsStepsOfTheFutureIntoEffect) {
  Registry registry;
  registry.Issued(kC, "2026-03-02", "without_expiry: true");
  ASSERT_EQ(registry.Take(Withdraw, kC,
                          "reason: 'r' effective_date " + D("2026-05-01")),
            absl::OkStatus());
  EXPECT_EQ(registry.State(kC), "ACTIVE");
  EXPECT_EQ(registry.ItemOf(kC).next_change(), At("2026-05-01T00:00:00"));
  registry.MoveTo(At("2026-05-01T00:00:00"));
  EXPECT_EQ(registry.State(kC), "WITHDRAWN");
}

TEST(TheClock, KeepsASuspensionThatRanOut) {
  Registry registry;
  registry.Issued(kC, "2026-03-02", "without_expiry: true");
  ASSERT_EQ(registry.Take(Suspend, kC,
                          "reason: 'r' suspended_until " + D("2026-03-10")),
            absl::OkStatus());
  registry.MoveTo(At("2026-06-01T00:00:00"));
  EXPECT_EQ(registry.State(kC), "SUSPENDED");
  EXPECT_EQ(ToDay(registry.Get(kC).suspended_until()), Day("2026-03-10"));
}

TEST(TheClock, GivesTheSameInOneStrideAsInMany) {
  Registry one, many;
  for (Registry* registry : {&one, &many}) {
    registry->Issued(kC, "2026-03-02", "last_valid_date " + D("2027-01-01"));
    ASSERT_EQ(registry->Take(Suspend, kC,
                             "reason: 'r' effective_date " + D("2026-04-01")),
              absl::OkStatus());
    ASSERT_EQ(
        registry->Take(Reinstate, kC, "effective_date " + D("2026-05-01")),
        absl::OkStatus());
  }
  for (const char* instant :
       {"2026-04-01T00:00:00", "2026-05-03T01:00:00", "2026-12-31T23:59:59"}) {
    many.MoveTo(At(instant));
  }
  for (Registry* registry : {&one, &many}) {
    registry->MoveTo(At("2027-02-01T00:00:00"));
  }
  // Each registry has a key of its own for etags.
  v1::Certificate in_one = one.Get(kC), in_many = many.Get(kC);
  in_one.clear_etag();
  in_many.clear_etag();
  EXPECT_EQ(in_one.SerializeAsString(), in_many.SerializeAsString());
  EXPECT_EQ(one.State(kC), "EXPIRED");
}

TEST(Visibility, HidesWhatWasNeverInForceFromThePublic) {
  Registry registry;
  const auto seen = [&] {
    return registry.ItemOf(kC).public_bytes() != nullptr;
  };
  ASSERT_EQ(registry.Create("name: 'certificates/c' scheme: 'schemes/plain'"
                            " certification_body: 'bodies/cb'"
                            " subjects { service: 'Cloud' }"),
            absl::OkStatus());
  EXPECT_FALSE(seen());
  ASSERT_EQ(registry.Take(Start, kC), absl::OkStatus());
  EXPECT_FALSE(seen());
  ASSERT_EQ(
      registry.Take(Issue, kC,
                    "without_expiry: true effective_date " + D("2026-03-04")),
      absl::OkStatus());
  EXPECT_FALSE(seen());
  registry.MoveTo(At("2026-03-04T00:00:00"));
  EXPECT_TRUE(seen());
  ASSERT_EQ(registry.Take(Withdraw, kC, "reason: 'r'"), absl::OkStatus());
  EXPECT_TRUE(seen());
}

TEST(Visibility, KeepsASuccessorsNameFromThePublicUntilItIsInForce) {
  Registry registry;
  registry.Issued("certificates/old", "2025-01-01", "without_expiry: true");
  ASSERT_EQ(registry.Create("name: 'certificates/new' scheme: 'schemes/plain'"
                            " certification_body: 'bodies/cb'"
                            " predecessor: 'certificates/old'"
                            " subjects { service: 'Cloud' }"),
            absl::OkStatus());
  ASSERT_EQ(registry.Take(Start, "certificates/new"), absl::OkStatus());
  ASSERT_EQ(
      registry.Take(Issue, "certificates/new",
                    "without_expiry: true effective_date " + D("2026-04-01")),
      absl::OkStatus());
  const auto told = [&] {
    return registry.ItemOf("certificates/old")
               .public_bytes()
               ->find("certificates/new") != std::string::npos;
  };
  EXPECT_FALSE(told());
  EXPECT_EQ(registry.Get("certificates/old").steps(3).successor(),
            "certificates/new");
  registry.MoveTo(At("2026-04-01T00:00:00"));
  EXPECT_TRUE(told());
  EXPECT_EQ(registry.State("certificates/old"), "SUPERSEDED");
  EXPECT_EQ(registry.Get("certificates/old").successor(), "certificates/new");
}

}  // namespace
}  // namespace transparency::certification::domain
