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

// An application under a scheme, in evaluation since the day given.
void InEvaluation(Registry* registry, const std::string& scheme,
                  const std::string& more =
                      "certification_body: 'bodies/cb' subjects {"
                      " service: 'Cloud' }",
                  const std::string& day = "2020-01-01") {
  ASSERT_EQ(registry->Create(absl::StrCat(
                "name: 'certificates/c' scheme: '", scheme, "' ", more,
                " initial_steps { kind: APPLY effective_date ", D(day), " }")),
            absl::OkStatus());
  ASSERT_EQ(registry->Take(Start, kC, "effective_date " + D(day)),
            absl::OkStatus());
}

TEST(Steps, LeadThroughTheLifecycle) {
  Registry registry;
  ASSERT_EQ(registry.Create("name: 'certificates/c' scheme: 'schemes/plain'"
                            " certification_body: 'bodies/cb'"
                            " subjects { service: 'Cloud' }"),
            absl::OkStatus());
  EXPECT_EQ(Outcome(registry.Take(Start, kC)), "OK");
  EXPECT_EQ(registry.State(kC), "IN_EVALUATION");
  EXPECT_EQ(Outcome(registry.Take(Issue, kC,
                                  "without_expiry: true"
                                  " certificate_number: 'N-1'")),
            "OK");
  EXPECT_EQ(registry.State(kC), "ACTIVE");
  EXPECT_EQ(registry.Get(kC).certificate_number(), "N-1");
  EXPECT_TRUE(registry.Get(kC).without_expiry());
  EXPECT_EQ(Outcome(registry.Take(Suspend, kC, "reason: 'r'")), "OK");
  EXPECT_EQ(registry.State(kC), "SUSPENDED");
  EXPECT_EQ(Outcome(registry.Take(
                Extend, kC, "reason: 'r' suspended_until " + D("2026-09-01"))),
            "OK");
  EXPECT_EQ(ToDay(registry.Get(kC).suspended_until()), Day("2026-09-01"));
  EXPECT_EQ(Outcome(registry.Take(Reinstate, kC)), "OK");
  EXPECT_EQ(registry.State(kC), "ACTIVE");
  EXPECT_FALSE(registry.Get(kC).has_suspended_until());
  EXPECT_EQ(Outcome(registry.Take(Withdraw, kC, "reason: 'r'")), "OK");
  EXPECT_EQ(registry.State(kC), "WITHDRAWN");
  EXPECT_EQ(registry.Get(kC).steps_size(), 7);
}

TEST(Steps, AreRefusedWithTheStateAndWhatItAllows) {
  Registry registry;
  InEvaluation(&registry, "schemes/plain");
  const absl::Status refused = registry.Take(Suspend, kC, "reason: 'r'");
  EXPECT_EQ(Outcome(refused), "FAILED_PRECONDITION STEP_NOT_ALLOWED");
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(status::FindDetail(refused, &info));
  EXPECT_EQ(info.metadata().at("state"), "IN_EVALUATION");
  EXPECT_THAT(std::string(refused.message()),
              testing::HasSubstr("issue, reject"));
  EXPECT_EQ(Outcome(registry.Take(Reject, kC, "reason: 'r'")), "OK");
  EXPECT_EQ(registry.State(kC), "REJECTED");
  EXPECT_EQ(Outcome(registry.Take(Issue, kC, "without_expiry: true")),
            "FAILED_PRECONDITION STEP_NOT_ALLOWED");
}

TEST(Steps, AreDecidedByTheStateOnTheirOwnDay) {
  Registry registry;
  registry.Issued(kC, "2020-01-01", "last_valid_date " + D("2027-01-01"));
  EXPECT_EQ(Outcome(registry.Take(
                Withdraw, kC, "reason: 'r' effective_date " + D("2026-06-01"))),
            "OK");
  // Still in force today, and to be withdrawn later.
  EXPECT_EQ(Outcome(registry.Take(
                Suspend, kC, "reason: 'r' effective_date " + D("2026-04-01"))),
            "OK");
  // What would forbid a step that is recorded for later.
  EXPECT_EQ(Outcome(registry.Take(
                Withdraw, kC, "reason: 'r' effective_date " + D("2026-05-01"))),
            "FAILED_PRECONDITION LATER_STEP_NOT_ALLOWED");
  // After the withdrawal, after the expiry, and before it was issued.
  for (const char* day : {"2026-06-02", "2027-01-02", "2019-12-31"}) {
    EXPECT_EQ(Outcome(registry.Take(Suspend, kC,
                                    "reason: 'r' effective_date " + D(day))),
              "FAILED_PRECONDITION STEP_NOT_ALLOWED")
        << day;
  }
}

TEST(Steps, NeedDatesThatExistAndDecisionsThatWereMade) {
  Registry registry;
  registry.Issued(kC, "2020-01-01", "without_expiry: true");
  for (const char* text : {"effective_date { year: 2026 }",
                           "effective_date { year: 2026 month: 2 day: 30 }",
                           "decision_date { year: 2026 month: 3 day: 3 }",
                           "decision_date { year: 2026 month: 2 }"}) {
    EXPECT_EQ(Outcome(registry.Take(Withdraw, kC,
                                    absl::StrCat("reason: 'r' ", text))),
              "INVALID_ARGUMENT INVALID_FIELDS")
        << text;
  }
}

TEST(IssueCertificate, ObeysTheScheme) {
  struct Case {
    const char* about;
    const char* scheme;
    std::string content;
    std::string request;
    const char* outcome;
  };
  const std::string body = "certification_body: 'bodies/cb' ";
  const std::string subject = "subjects { service: 'Cloud' }";
  const std::string from = "effective_date " + D("2026-03-02");
  const Case cases[] = {
      {"the longest validity", "schemes/iso", body + subject,
       from + " last_valid_date " + D("2029-03-01"), "OK"},
      {"a day more", "schemes/iso", body + subject,
       from + " last_valid_date " + D("2029-03-02"),
       "FAILED_PRECONDITION VALIDITY_TOO_LONG"},
      {"for ever", "schemes/iso", body + subject,
       from + " without_expiry: true", "FAILED_PRECONDITION VALIDITY_TOO_LONG"},
      {"for ever where nothing limits it", "schemes/plain", body + subject,
       from + " without_expiry: true", "OK"},
      {"one day", "schemes/plain", body + subject,
       from + " last_valid_date " + D("2026-03-02"), "OK"},
      {"the last day before the first", "schemes/plain", body + subject,
       from + " last_valid_date " + D("2026-03-01"),
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"no last day", "schemes/plain", body + subject, from,
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"a last day and for ever", "schemes/plain", body + subject,
       from + " without_expiry: true last_valid_date " + D("2026-03-03"),
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"no body", "schemes/plain", subject, from + " without_expiry: true",
       "FAILED_PRECONDITION NOT_READY_TO_ISSUE"},
      {"no subject", "schemes/plain", body, from + " without_expiry: true",
       "FAILED_PRECONDITION NOT_READY_TO_ISSUE"},
      {"decided before the body was accredited", "schemes/iso", body + subject,
       "effective_date " + D("2020-02-01") + " last_valid_date " +
           D("2021-01-01") + " decision_date " + D("2019-12-31"),
       "FAILED_PRECONDITION ACCREDITATION_MISSING"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.about);
    Registry registry;
    InEvaluation(&registry, c.scheme, c.content, "2019-01-01");
    EXPECT_EQ(Outcome(registry.Take(Issue, kC, c.request)), c.outcome);
  }
}

TEST(IssueCertificate, TakesNoNumberThatTheBodyGaveAlready) {
  Registry registry;
  ASSERT_EQ(registry.Create("name: 'certificates/other' scheme: 'schemes/plain'"
                            " certification_body: 'bodies/cb'"
                            " certificate_number: 'N 1'"),
            absl::OkStatus());
  InEvaluation(&registry, "schemes/plain");
  EXPECT_EQ(Outcome(registry.Take(
                Issue, kC, "without_expiry: true certificate_number: 'n1'")),
            "ALREADY_EXISTS NOT_UNIQUE");
}

TEST(SuspendCertificate, LastsAsLongAsTheSchemeAllows) {
  Registry registry;
  registry.Issued(kC, "2025-01-01", "last_valid_date " + D("2027-12-31"), "",
                  "schemes/eucc");
  const std::string decided = "reason: 'r' decision_date " + D("2026-03-01") +
                              " effective_date " + D("2026-03-01");
  EXPECT_EQ(Outcome(registry.Take(
                Suspend, kC, decided + " suspended_until " + D("2026-04-13"))),
            "FAILED_PRECONDITION SUSPENSION_TOO_LONG");
  EXPECT_EQ(Outcome(registry.Take(
                Suspend, kC, decided + " suspended_until " + D("2026-02-28"))),
            "INVALID_ARGUMENT INVALID_FIELDS");
  // 42 days from the day after the decision.
  ASSERT_EQ(Outcome(registry.Take(Suspend, kC, decided)), "OK");
  EXPECT_EQ(ToDay(registry.Get(kC).suspended_until()), Day("2026-04-12"));
  // Extensible to one year in all.
  const auto extend = [&](const char* until) {
    return Outcome(registry.Take(
        Extend, kC, absl::StrCat("reason: 'r' suspended_until ", D(until))));
  };
  EXPECT_EQ(extend("2027-03-02"), "FAILED_PRECONDITION SUSPENSION_TOO_LONG");
  EXPECT_EQ(extend("2026-04-12"), "FAILED_PRECONDITION STEPS_CONTRADICT");
  EXPECT_EQ(extend("2026-08-01"), "OK");
  EXPECT_EQ(extend("2026-08-01"), "FAILED_PRECONDITION STEPS_CONTRADICT");
  EXPECT_EQ(extend("2027-03-01"), "OK");
  EXPECT_EQ(ToDay(registry.Get(kC).suspended_until()), Day("2027-03-01"));
}

// Decided on 2026-03-01 and extended by as much as the scheme allows.
void LongSuspended(Registry* registry) {
  registry->Issued(kC, "2025-01-01", "last_valid_date " + D("2027-12-31"), "",
                   "schemes/eucc");
  ASSERT_EQ(
      Outcome(registry->Take(Suspend, kC,
                             "reason: 'r' decision_date " + D("2026-03-01") +
                                 " effective_date " + D("2026-03-01"))),
      "OK");
  ASSERT_EQ(Outcome(registry->Take(
                Extend, kC, "reason: 'r' suspended_until " + D("2027-03-01"))),
            "OK");
}

TEST(SuspendCertificate, SaysWhichStepOfACorrectionExtendsNothing) {
  Registry registry;
  LongSuspended(&registry);
  const absl::Status refused = registry.Take(
      Correct, kC,
      "reason: 'r' corrections { step_number: 5 replacement { kind:"
      " EXTEND_SUSPENSION effective_date " +
          D("2026-03-02") + " suspended_until " + D("2026-04-12") + " } }");
  EXPECT_EQ(Outcome(refused), "FAILED_PRECONDITION STEPS_CONTRADICT");
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(status::FindDetail(refused, &info));
  EXPECT_EQ(info.metadata().at("step_number"), "6");
  EXPECT_EQ(info.metadata().at("state"), "SUSPENDED");
}

TEST(SuspendCertificate, KeepsToTheSchemeWhenWhatWasExtendedIsCorrected) {
  const auto suspended_on = [](const char* day, const char* until) {
    return absl::StrCat(
        "corrections { step_number: 4 replacement { kind: SUSPEND",
        " effective_date ", D(day), " decision_date ", D(day),
        " suspended_until ", D(until), " } }");
  };
  Registry registry;
  LongSuspended(&registry);
  // The extension would last longer than a year from the decision.
  EXPECT_EQ(Outcome(registry.Take(
                Correct, kC,
                "reason: 'r' " + suspended_on("2026-02-01", "2026-03-10"))),
            "FAILED_PRECONDITION SUSPENSION_TOO_LONG");
  EXPECT_EQ(Outcome(registry.Take(
                Correct, kC,
                "reason: 'r' " + suspended_on("2026-02-01", "2026-03-10") +
                    " corrections { step_number: 5 replacement { kind:"
                    " EXTEND_SUSPENSION effective_date " +
                    D("2026-03-02") + " suspended_until " + D("2027-02-01") +
                    " } }")),
            "OK");
}

TEST(SuspendCertificate, IsNotExtendedWhereTheSchemeDoesNotSaySo) {
  Registry registry;
  registry.Issued(kC, "2025-01-01", "last_valid_date " + D("2027-12-31"), "",
                  "schemes/iso");
  ASSERT_EQ(Outcome(registry.Take(Suspend, kC, "reason: 'r'")), "OK");
  EXPECT_EQ(ToDay(registry.Get(kC).suspended_until()), Day("2026-09-02"));
  EXPECT_EQ(Outcome(registry.Take(
                Extend, kC, "reason: 'r' suspended_until " + D("2026-10-01"))),
            "FAILED_PRECONDITION EXTENSION_NOT_ALLOWED");
}

TEST(ReduceScope, TakesOutSubjectsAndLeavesSome) {
  Registry registry;
  registry.Issued(kC, "2025-01-01", "without_expiry: true",
                  "subjects { service: 'Mail' }");
  EXPECT_EQ(registry.Get(kC).current_subjects_size(), 2);
  const auto reduce = [&](const std::string& subjects) {
    return Outcome(registry.Take(Reduce, kC, "reason: 'r' " + subjects));
  };
  EXPECT_EQ(reduce(""), "INVALID_ARGUMENT INVALID_FIELDS");
  EXPECT_EQ(reduce("removed_subjects { service: 'Disk' }"),
            "FAILED_PRECONDITION SCOPE_NOT_REDUCIBLE");
  EXPECT_EQ(reduce("removed_subjects { service: 'Mail' } removed_subjects {"
                   " service: 'Cloud' }"),
            "FAILED_PRECONDITION SCOPE_NOT_REDUCIBLE");
  EXPECT_EQ(reduce("removed_subjects { service: 'Mail' }"), "OK");
  const Certificate reduced = registry.Get(kC);
  EXPECT_EQ(reduced.state(), Certificate::ACTIVE);
  EXPECT_EQ(reduced.subjects_size(), 2);
  ASSERT_EQ(reduced.current_subjects_size(), 1);
  EXPECT_EQ(reduced.current_subjects(0).service(), "Cloud");
  EXPECT_EQ(registry.Ask(kC, "2026-03-01").subjects_size(), 2);
  EXPECT_EQ(registry.Ask(kC, "2026-03-02").subjects_size(), 1);
  EXPECT_EQ(reduce("removed_subjects { service: 'Mail' }"),
            "FAILED_PRECONDITION SCOPE_NOT_REDUCIBLE");
}

TEST(ReduceScope, LeavesALaterReductionItsSubjects) {
  Registry registry;
  registry.Issued(kC, "2025-01-01", "without_expiry: true",
                  "subjects { service: 'Mail' }");
  const auto reduce = [&](const std::string& service, const char* day) {
    return Outcome(
        registry.Take(Reduce, kC,
                      absl::StrCat("reason: 'r' removed_subjects { service: '",
                                   service, "' } effective_date ", D(day))));
  };
  EXPECT_EQ(reduce("Mail", "2026-06-01"), "OK");
  EXPECT_EQ(reduce("Mail", "2026-04-01"),
            "FAILED_PRECONDITION SCOPE_NOT_REDUCIBLE");
  EXPECT_EQ(reduce("Cloud", "2026-04-01"),
            "FAILED_PRECONDITION SCOPE_NOT_REDUCIBLE");
}

TEST(CorrectCertificate, KeepsBothAndGivesWhatTheCorrectedStepsGive) {
  Registry registry;
  registry.Issued(kC, "2025-01-01", "without_expiry: true");
  ASSERT_EQ(Outcome(registry.Take(Withdraw, kC, "reason: 'mixed up'")), "OK");
  ASSERT_EQ(registry.State(kC), "WITHDRAWN");
  // It was another one that was withdrawn; this one was suspended.
  ASSERT_EQ(Outcome(registry.Take(
                Correct, kC,
                "reason: 'wrong one' corrections { step_number: 4 replacement"
                " { kind: SUSPEND reason: 'audit' effective_date " +
                    D("2026-02-01") + " } }")),
            "OK");
  const Certificate corrected = registry.Get(kC);
  EXPECT_EQ(corrected.state(), Certificate::SUSPENDED);
  ASSERT_EQ(corrected.steps_size(), 5);
  EXPECT_EQ(corrected.steps(3).kind(), CertificateStep::WITHDRAW);
  EXPECT_EQ(corrected.steps(4).corrects(), 4);
  EXPECT_EQ(corrected.steps(4).correction_reason(), "wrong one");
  EXPECT_TRUE(corrected.steps(3).corrected());
  EXPECT_FALSE(corrected.steps(4).corrected());
  // Nor was it suspended.
  ASSERT_EQ(Outcome(registry.Take(Correct, kC,
                                  "reason: 'nor that' corrections {"
                                  " step_number: 5 }")),
            "OK");
  EXPECT_EQ(registry.State(kC), "ACTIVE");
  EXPECT_EQ(registry.Get(kC).steps(5).kind(), CertificateStep::CORRECT);
  EXPECT_TRUE(registry.Get(kC).steps(4).corrected());
}

TEST(CorrectCertificate, RefusesWhatMakesNoSense) {
  struct Case {
    const char* about;
    std::string corrections;
    const char* outcome;
  };
  const Case cases[] = {
      {"no such step", "corrections { step_number: 9 }",
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"a negative one", "corrections { step_number: -1 }",
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"the same twice",
       "corrections { step_number: 4 } corrections { step_number: 4 }",
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"nothing at all", "corrections {}", "INVALID_ARGUMENT INVALID_FIELDS"},
      {"an issue that a later step rests on", "corrections { step_number: 3 }",
       "FAILED_PRECONDITION STEPS_CONTRADICT"},
      {"a missing step where it is not allowed",
       "corrections { replacement { kind: REINSTATE effective_date " +
           D("2025-06-01") + " } }",
       "FAILED_PRECONDITION STEPS_CONTRADICT"},
      {"a last day before the first",
       "corrections { step_number: 3 replacement { kind: ISSUE "
       "effective_date " +
           D("2025-01-01") + " last_valid_date " + D("2024-12-31") + " } }",
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"a last day before the withdrawal",
       "corrections { step_number: 3 replacement { kind: ISSUE "
       "effective_date " +
           D("2025-01-01") + " last_valid_date " + D("2025-12-31") + " } }",
       "FAILED_PRECONDITION STEPS_CONTRADICT"},
      {"every step",
       "corrections { step_number: 4 } corrections { step_number: 3 }"
       " corrections { step_number: 2 } corrections { step_number: 1 }",
       "FAILED_PRECONDITION STEPS_CONTRADICT"},
      {"a decision in the future",
       "corrections { step_number: 4 replacement { kind: WITHDRAW "
       "effective_date " +
           D("2026-03-02") + " decision_date " + D("2026-03-03") + " } }",
       "INVALID_ARGUMENT INVALID_FIELDS"},
      {"a decision today",
       "corrections { step_number: 4 replacement { kind: WITHDRAW "
       "effective_date " +
           D("2026-03-03") + " decision_date " + D("2026-03-02") + " } }",
       "OK"},
      {"the certificate as its own successor",
       "corrections { step_number: 4 replacement { kind: SUPERSEDE successor:"
       " 'certificates/c' effective_date " +
           D("2026-01-01") + " } }",
       "FAILED_PRECONDITION REFERENCE_NOT_FOUND"},
      {"a successor that does not exist",
       "corrections { step_number: 4 replacement { kind: SUPERSEDE successor:"
       " 'certificates/none' effective_date " +
           D("2026-01-01") + " } }",
       "FAILED_PRECONDITION REFERENCE_NOT_FOUND"},
      {"the issue and the withdrawal together",
       "corrections { step_number: 4 } corrections { step_number: 3 }", "OK"},
      {"a missing suspension and its end",
       "corrections { replacement { kind: SUSPEND effective_date " +
           D("2025-05-01") +
           " } } corrections { replacement { kind: REINSTATE effective_date " +
           D("2025-06-01") + " } }",
       "OK"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.about);
    Registry registry;
    registry.Issued(kC, "2025-01-01", "without_expiry: true");
    ASSERT_EQ(Outcome(registry.Take(Withdraw, kC, "reason: 'r'")), "OK");
    EXPECT_EQ(
        Outcome(registry.Take(Correct, kC, "reason: 'r' " + c.corrections)),
        c.outcome);
  }
}

// A certificate in evaluation that is to take the place of certificates/old.
void Succeeding(Registry* registry, const std::string& name) {
  ASSERT_EQ(registry->Create(absl::StrCat(
                "name: '", name,
                "' scheme: 'schemes/plain' predecessor:"
                " 'certificates/old' certification_body: 'bodies/cb' subjects {"
                " service: 'Cloud' }")),
            absl::OkStatus());
  ASSERT_EQ(registry->Take(Start, name), absl::OkStatus());
}

TEST(Succession, SupersedesOnTheSuccessorsFirstValidDay) {
  Registry registry;
  registry.Issued("certificates/old", "2025-01-01", "without_expiry: true");
  Succeeding(&registry, "certificates/new");
  EXPECT_EQ(registry.State("certificates/old"), "ACTIVE");
  ASSERT_EQ(Outcome(registry.Take(
                Issue, "certificates/new",
                "without_expiry: true effective_date " + D("2026-04-01"))),
            "OK");
  EXPECT_EQ(registry.State("certificates/old"), "ACTIVE");
  EXPECT_EQ(registry.Verdict("certificates/old", "2026-03-31"), "VALID");
  EXPECT_EQ(registry.Verdict("certificates/old", "2026-04-01"), "SUPERSEDED");
  // Found to have been a month later: the predecessor follows.
  ASSERT_EQ(Outcome(registry.Take(
                Correct, "certificates/new",
                "reason: 'typing' corrections { step_number: 3 replacement {"
                " kind: ISSUE without_expiry: true effective_date " +
                    D("2026-05-01") + " } }")),
            "OK");
  EXPECT_EQ(registry.Verdict("certificates/old", "2026-04-30"), "VALID");
  EXPECT_EQ(registry.Verdict("certificates/old", "2026-05-01"), "SUPERSEDED");
  // Found never to have been issued.
  ASSERT_EQ(Outcome(registry.Take(
                Correct, "certificates/new",
                "reason: 'not at all' corrections { step_number: 4 }")),
            "OK");
  EXPECT_EQ(registry.Verdict("certificates/old", "2026-05-01"), "VALID");
}

TEST(Succession, IsOfOneByOne) {
  Registry registry;
  registry.Issued("certificates/old", "2025-01-01", "without_expiry: true");
  Succeeding(&registry, "certificates/new");
  Succeeding(&registry, "certificates/other");
  ASSERT_EQ(
      Outcome(registry.Take(Issue, "certificates/new", "without_expiry: true")),
      "OK");
  EXPECT_EQ(Outcome(registry.Take(Issue, "certificates/other",
                                  "without_expiry: true")),
            "FAILED_PRECONDITION PREDECESSOR_TAKEN");
  EXPECT_EQ(
      Outcome(registry.Update("certificates/new",
                              [](Certificate* c) { c->clear_predecessor(); })),
      "FAILED_PRECONDITION PREDECESSOR_FIXED");
}

TEST(Succession, NeedsAPredecessorThatWasInForce) {
  Registry registry;
  ASSERT_EQ(registry.Create("name: 'certificates/old' scheme: 'schemes/plain'"),
            absl::OkStatus());
  Succeeding(&registry, "certificates/new");
  EXPECT_EQ(
      Outcome(registry.Take(Issue, "certificates/new", "without_expiry: true")),
      "FAILED_PRECONDITION PREDECESSOR_NOT_IN_FORCE");
}

TEST(Succession, LeavesAnExpiredPredecessorExpired) {
  Registry registry;
  registry.Issued("certificates/old", "2025-01-01",
                  "last_valid_date " + D("2025-12-31"));
  Succeeding(&registry, "certificates/new");
  ASSERT_EQ(
      Outcome(registry.Take(Issue, "certificates/new", "without_expiry: true")),
      "OK");
  EXPECT_EQ(registry.State("certificates/old"), "EXPIRED");
  EXPECT_EQ(registry.Get("certificates/old").successor(), "certificates/new");
}

TEST(RecordedCertificates, TakeStepsWithoutTheSchemesLimits) {
  Registry registry;
  ASSERT_EQ(
      registry.Create("name: 'certificates/c' scheme: 'schemes/iso'"
                      " recorded_not_decided: true initial_steps { kind: ISSUE"
                      " effective_date { year: 2019 } }"),
      absl::OkStatus());
  EXPECT_EQ(registry.State(kC), "UNDETERMINED");
  EXPECT_THAT(
      registry.Get(kC).allowed_steps(),
      testing::ElementsAre("suspend", "withdraw", "reduceScope", "correct"));
  EXPECT_EQ(Outcome(registry.Take(
                Suspend, kC, "reason: 'r' suspended_until " + D("2028-01-01"))),
            "OK");
  EXPECT_EQ(registry.State(kC), "UNDETERMINED");
  EXPECT_EQ(Outcome(registry.Take(
                Correct, kC,
                "reason: 'found it' corrections { step_number: 1 replacement {"
                " kind: ISSUE effective_date " +
                    D("2019-07-01") + " last_valid_date " + D("2030-06-30") +
                    " } }")),
            "OK");
  EXPECT_EQ(registry.State(kC), "SUSPENDED");
  EXPECT_EQ(Outcome(registry.Take(Withdraw, kC, "reason: 'r'")), "OK");
  EXPECT_EQ(registry.State(kC), "WITHDRAWN");
}

}  // namespace
}  // namespace transparency::certification::domain
