// The service as its clients meet it.
#include <string>
#include <thread>
#include <vector>

#include "certification-service/service/definition.h"
#include "common/service/testing/running_service.h"
#include "common/status/status.h"
#include "gmock/gmock.h"
#include "transparency/certification/v1/certification_service.pb.h"

namespace transparency::certification {
namespace {

constexpr char kC[] = "certificates/c";

std::string Outcome(const absl::Status& status) {
  if (status.ok()) return "OK";
  return absl::StrCat(absl::StatusCodeToString(status.code()), " ",
                      status::Reason(status));
}

// The clock stands at noon (UTC) of 2026-03-02.
class ServiceTest : public transparency::service::RunningServiceTest {
 protected:
  ServiceTest()
      : RunningServiceTest(service::Definition(),
                           absl::FromCivil(absl::CivilSecond(2026, 3, 2, 12),
                                           absl::UTCTimeZone())) {
    Must(StaffCall<v1::CreateSchemeRequest, v1::Scheme>(
        "CreateScheme",
        "scheme_id: 's' scheme { title: 'S' time_zone: 'Europe/Brussels'"
        " levels { code: 'EAL4' } rules { longest_validity { months: 36 } } "
        "}"));
    Must(StaffCall<v1::CreateBodyRequest, v1::Body>(
        "CreateBody",
        "body_id: 'b' body { display_name: 'B' roles: CERTIFICATION_BODY }"));
  }

  // Calls with a request in text form; without a token as the public.
  template <class Request, class Response>
  absl::StatusOr<Response> Call(const std::string& method,
                                const std::string& text,
                                const std::string& token = "") {
    return running_.Call<Response>(token, method,
                                   transparency::service::Parse<Request>(text));
  }
  template <class Request, class Response>
  absl::StatusOr<Response> StaffCall(const std::string& method,
                                     const std::string& text) {
    return Call<Request, Response>(method, text,
                                   transparency::service::kStaffToken);
  }

  template <class T>
  T Must(absl::StatusOr<T> answer) {
    EXPECT_EQ(answer.status(), absl::OkStatus());
    return answer.ok() ? *std::move(answer) : T();
  }

  absl::Status Create(const std::string& id, const std::string& more = "") {
    return StaffCall<v1::CreateCertificateRequest, v1::Certificate>(
               "CreateCertificate",
               absl::StrCat("certificate_id: '", id,
                            "' certificate { scheme: 'schemes/s'"
                            " certification_body: 'bodies/b' level: 'EAL4'"
                            " subjects { service: 'Cloud' } ",
                            more, " }"))
        .status();
  }
  template <class Request>
  absl::StatusOr<v1::Certificate> Step(const std::string& method,
                                       const std::string& name,
                                       const std::string& more = "") {
    return StaffCall<Request, v1::Certificate>(
        method, absl::StrCat("name: '", name, "' ", more));
  }
  // From nothing to ACTIVE, until the end of 2026-03-05 in Brussels.
  void MakeActive(const std::string& id, const std::string& more = "") {
    ASSERT_EQ(Create(id, more), absl::OkStatus());
    const std::string name = "certificates/" + id;
    Must(Step<v1::StartCertificateEvaluationRequest>(
        "StartCertificateEvaluation", name));
    Must(Step<v1::IssueCertificateRequest>(
        "IssueCertificate", name,
        "last_valid_date { year: 2026 month: 3 day: 5 }"));
  }
  absl::StatusOr<v1::Certificate> Get(const std::string& name,
                                      const std::string& token = "") {
    return Call<v1::GetCertificateRequest, v1::Certificate>(
        "GetCertificate", absl::StrCat("name: '", name, "'"), token);
  }
  absl::StatusOr<v1::Certificate> Delete(const std::string& name) {
    return Step<v1::DeleteCertificateRequest>("DeleteCertificate", name);
  }
  absl::StatusOr<v1::Certificate> Undelete(const std::string& name) {
    return Step<v1::UndeleteCertificateRequest>("UndeleteCertificate", name);
  }
  v1::VerifyCertificateResponse Verify(const std::string& text,
                                       const std::string& token = "") {
    return Must(
        Call<v1::VerifyCertificateRequest, v1::VerifyCertificateResponse>(
            "VerifyCertificate", text, token));
  }
};

TEST_F(ServiceTest, ACertificateLivesThroughItsSteps) {
  MakeActive("c");
  const v1::Certificate active = Must(Get(kC));
  EXPECT_EQ(active.state(), v1::Certificate::ACTIVE);
  EXPECT_EQ(active.time_zone(), "Europe/Brussels");
  EXPECT_EQ(active.steps_size(), 3);
  const v1::Certificate suspended = Must(Step<v1::SuspendCertificateRequest>(
      "SuspendCertificate", kC, "reason: 'audit'"));
  EXPECT_EQ(suspended.state(), v1::Certificate::SUSPENDED);
  EXPECT_NE(suspended.etag(), active.etag());
  EXPECT_EQ(Outcome(Step<v1::ReinstateCertificateRequest>(
                        "ReinstateCertificate", kC,
                        absl::StrCat("etag: '", active.etag(), "'"))
                        .status()),
            "ABORTED ETAG_MISMATCH");
  Must(Step<v1::ReinstateCertificateRequest>("ReinstateCertificate", kC));
  EXPECT_EQ(Outcome(Step<v1::RejectCertificateRequest>("RejectCertificate", kC,
                                                       "reason: 'r'")
                        .status()),
            "FAILED_PRECONDITION STEP_NOT_ALLOWED");
  EXPECT_EQ(
      Outcome(Step<v1::WithdrawCertificateRequest>("WithdrawCertificate", kC)
                  .status()),
      "INVALID_ARGUMENT INVALID_FIELDS")
      << "a reason is needed";
  const v1::Certificate withdrawn = Must(Step<v1::WithdrawCertificateRequest>(
      "WithdrawCertificate", kC, "reason: 'r'"));
  EXPECT_EQ(withdrawn.state(), v1::Certificate::WITHDRAWN);
  const v1::Certificate corrected = Must(Step<v1::CorrectCertificateRequest>(
      "CorrectCertificate", kC,
      "reason: 'wrong one' corrections { step_number: 6 }"));
  EXPECT_EQ(corrected.state(), v1::Certificate::ACTIVE);
  EXPECT_EQ(corrected.steps_size(), 7);
}

TEST_F(ServiceTest, OnlyTheStepsChangeAState) {
  MakeActive("c");
  const v1::Certificate updated =
      Must(StaffCall<v1::UpdateCertificateRequest, v1::Certificate>(
          "UpdateCertificate",
          "certificate { name: 'certificates/c' state: WITHDRAWN"
          " certificate_number: 'N-1' steps { kind: WITHDRAW } }"));
  EXPECT_EQ(updated.state(), v1::Certificate::ACTIVE);
  EXPECT_EQ(updated.steps_size(), 3);
  EXPECT_EQ(updated.certificate_number(), "N-1");
  EXPECT_EQ(Outcome(StaffCall<v1::UpdateSchemeRequest, v1::Scheme>(
                        "UpdateScheme",
                        "scheme { name: 'schemes/s' time_zone: 'Asia/Tokyo' }")
                        .status()),
            "INVALID_ARGUMENT INVALID_FIELDS");
}

TEST_F(ServiceTest, ThePublicSeesWhatWasInForce) {
  ASSERT_EQ(Create("c", "certificate_number: 'N-1'"), absl::OkStatus());
  EXPECT_EQ(Outcome(Get(kC).status()), "NOT_FOUND RESOURCE_NOT_FOUND");
  EXPECT_EQ(Outcome(Get("certificates/none").status()),
            "NOT_FOUND RESOURCE_NOT_FOUND");
  EXPECT_EQ(Must(Get(kC, "staff-token")).state(), v1::Certificate::APPLIED);
  for (const char* token : {"", "staff-token"}) {
    EXPECT_EQ(Verify("certificate_number: 'N-1'", token).outcome(),
              v1::VerifyCertificateResponse::UNKNOWN);
  }
  const std::string list = "page_size: 10";
  using ListAnswer = v1::ListCertificatesResponse;
  EXPECT_EQ(Must(Call<v1::ListCertificatesRequest, ListAnswer>(
                     "ListCertificates", list))
                .certificates_size(),
            0);
  EXPECT_EQ(Must(StaffCall<v1::ListCertificatesRequest, ListAnswer>(
                     "ListCertificates", list))
                .certificates_size(),
            1);
  Must(Step<v1::StartCertificateEvaluationRequest>("StartCertificateEvaluation",
                                                   kC));
  // To be valid tomorrow: until then it is staff's.
  Must(Step<v1::IssueCertificateRequest>(
      "IssueCertificate", kC,
      "effective_date { year: 2026 month: 3 day: 3 }"
      " last_valid_date { year: 2026 month: 3 day: 5 }"));
  EXPECT_EQ(Verify("certificate_number: 'N-1'").outcome(),
            v1::VerifyCertificateResponse::UNKNOWN);
  EXPECT_EQ(
      Verify("certificate_number: 'N-1'", "staff-token").matches(0).verdict(),
      v1::VerifiedCertificate::NOT_YET_VALID);
  EXPECT_EQ(Outcome(Call<v1::CreateBodyRequest, v1::Body>(
                        "CreateBody", "body { display_name: 'X' }")
                        .status()),
            "UNAUTHENTICATED TOKEN_UNKNOWN");
}

TEST_F(ServiceTest, ExpiresByTheClockWithNobodyCalling) {
  MakeActive("c");
  clock().Set(absl::FromCivil(absl::CivilSecond(2026, 3, 5, 22, 59, 59),
                              absl::UTCTimeZone()));
  EXPECT_EQ(Must(Get(kC)).state(), v1::Certificate::ACTIVE);
  clock().Set(
      absl::FromCivil(absl::CivilSecond(2026, 3, 5, 23), absl::UTCTimeZone()));
  EXPECT_EQ(Must(Get(kC)).state(), v1::Certificate::EXPIRED);
  // The journal learns of it by itself.
  const absl::Time patience = absl::Now() + absl::Seconds(20);
  while (database_.Number("SELECT count(*) FROM certificates"
                          " WHERE state = 'EXPIRED'") == 0) {
    ASSERT_LT(absl::Now(), patience);
    std::this_thread::yield();
  }
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal WHERE kind = 6"), 1);
}

TEST_F(ServiceTest, ASuccessorTakesItsPredecessorsPlace) {
  MakeActive("old");
  MakeActive("new", "predecessor: 'certificates/old'");
  const v1::Certificate old = Must(Get("certificates/old"));
  EXPECT_EQ(old.state(), v1::Certificate::SUPERSEDED);
  EXPECT_EQ(old.successor(), "certificates/new");
  EXPECT_EQ(old.steps(3).successor(), "") << "staff's alone";
  EXPECT_EQ(Must(Get("certificates/old", "staff-token")).steps(3).successor(),
            "certificates/new");
}

TEST_F(ServiceTest, VerifiesByEverythingThatACertificateIsKnownBy) {
  const std::string digest(64, 'a');
  MakeActive("c", absl::StrCat("certificate_number: 'N 1-x' identifiers {"
                               " register: 'R' value: 'R-77' } documents {"
                               " kind: CERTIFICATE sha256: '",
                               digest, "' }"));
  for (const std::string& key :
       {std::string("certificate_number: 'n1-X'"),
        std::string("identifier: 'N1-X'"), std::string("identifier: 'r-77'"),
        absl::StrCat("document_sha256: '", digest, "'"),
        std::string("certificate: 'certificates/c'"),
        std::string("identifier: 'R-77' certification_body: 'bodies/b'"
                    " scheme: 'schemes/s'")}) {
    const auto answer = Verify(key);
    ASSERT_EQ(answer.matches_size(), 1) << key;
    EXPECT_EQ(answer.outcome(), v1::VerifyCertificateResponse::MATCHED);
    EXPECT_EQ(answer.matches(0).certificate(), kC);
    EXPECT_EQ(answer.matches(0).verdict(), v1::VerifiedCertificate::VALID);
    EXPECT_EQ(answer.matches(0).chain().support(),
              v1::SupportChain::NOT_RECORDED);
    EXPECT_EQ(answer.matches(0).as_of().day(), 2);
  }
  for (const std::string& key :
       {std::string("certificate_number: 'R-77'"),
        std::string("identifier: 'N'"),
        absl::StrCat("document_sha256: '", std::string(64, 'b'), "'"),
        std::string("certificate: 'bodies/b'"),
        std::string("identifier: 'R-77' certification_body: 'bodies/x'"),
        std::string("identifier: 'R-77' scheme: 'schemes/x'")}) {
    const auto answer = Verify(key);
    EXPECT_EQ(answer.outcome(), v1::VerifyCertificateResponse::UNKNOWN) << key;
    EXPECT_EQ(answer.matches_size(), 0);
  }
  EXPECT_EQ(Verify("identifier: 'R-77' as_of { year: 2026 month: 3 day: 6 }")
                .matches(0)
                .verdict(),
            v1::VerifiedCertificate::EXPIRED);
}

TEST_F(ServiceTest, RefusesAQuestionThatNamesNothing) {
  for (const char* text :
       {"", "certificate_number: ' '", "identifier: ''",
        "document_sha256: 'xyz'", "certificate: ''",
        "identifier: 'x' as_of { year: 2026 }",
        "identifier: 'x' as_of { year: 2026 month: 2 day: 30 }"}) {
    EXPECT_EQ(
        Outcome(
            Call<v1::VerifyCertificateRequest, v1::VerifyCertificateResponse>(
                "VerifyCertificate", text)
                .status()),
        "INVALID_ARGUMENT INVALID_FIELDS")
        << text;
  }
}

TEST_F(ServiceTest, CountsWhatTheCallerSeesByVerdict) {
  MakeActive("c");
  ASSERT_EQ(Create("application"), absl::OkStatus());
  const auto count = [&](const std::string& text) {
    return Must(
        Call<v1::SummarizeCertificatesRequest,
             v1::SummarizeCertificatesResponse>("SummarizeCertificates", text));
  };
  const auto today = count("");
  ASSERT_EQ(today.schemes_size(), 1);
  EXPECT_EQ(today.schemes(0).scheme(), "schemes/s");
  EXPECT_EQ(today.total().certificates(), 1);
  EXPECT_EQ(today.total().verdicts(0).verdict(),
            v1::VerifiedCertificate::VALID);
  EXPECT_EQ(count("as_of { year: 2026 month: 3 day: 6 }")
                .total()
                .verdicts(0)
                .verdict(),
            v1::VerifiedCertificate::EXPIRED);
}

TEST_F(ServiceTest, NoCertificateIsItsOwnSuccessor) {
  EXPECT_EQ(Outcome(Create("c",
                           "recorded_not_decided: true"
                           " initial_steps { kind: ISSUE } initial_steps {"
                           " kind: SUPERSEDE successor: 'certificates/c' }")),
            "FAILED_PRECONDITION REFERENCE_NOT_FOUND");
}

TEST_F(ServiceTest, NumbersAreUniquePerBody) {
  ASSERT_EQ(Create("c", "certificate_number: 'N-1'"), absl::OkStatus());
  EXPECT_EQ(Outcome(Create("d", "certificate_number: 'n-1'")),
            "ALREADY_EXISTS NOT_UNIQUE");
  EXPECT_EQ(Outcome(Create("c")), "ALREADY_EXISTS RESOURCE_EXISTS");
}

TEST_F(ServiceTest, ADeletedCertificateDoesNotExistForAnyQuestion) {
  MakeActive("c", "certificate_number: 'N-1'");
  const v1::Certificate deleted = Must(Delete(kC));
  EXPECT_TRUE(deleted.has_delete_time());
  EXPECT_EQ(Outcome(Get(kC).status()), "NOT_FOUND RESOURCE_NOT_FOUND");
  EXPECT_EQ(Must(Get(kC, "staff-token")).etag(), deleted.etag());
  for (const char* token : {"", "staff-token"}) {
    EXPECT_EQ(Verify("certificate_number: 'N-1'", token).outcome(),
              v1::VerifyCertificateResponse::UNKNOWN);
    EXPECT_EQ(Verify("certificate: 'certificates/c'", token).outcome(),
              v1::VerifyCertificateResponse::UNKNOWN);
    EXPECT_EQ(Must(Call<v1::SummarizeCertificatesRequest,
                        v1::SummarizeCertificatesResponse>(
                       "SummarizeCertificates", "", token))
                  .total()
                  .certificates(),
              0);
    for (const char* show : {"", "show_deleted: true"}) {
      const auto list =
          Must(Call<v1::ListCertificatesRequest, v1::ListCertificatesResponse>(
              "ListCertificates",
              absl::StrCat("return_total_size: true ", show), token));
      const int expected = *token != '\0' && *show != '\0' ? 1 : 0;
      EXPECT_EQ(list.certificates_size(), expected) << token << show;
      EXPECT_EQ(list.total_size(), expected) << token << show;
    }
  }
  EXPECT_EQ(Outcome(Step<v1::SuspendCertificateRequest>("SuspendCertificate",
                                                        kC, "reason: 'r'")
                        .status()),
            "NOT_FOUND RESOURCE_NOT_FOUND");
}

TEST_F(ServiceTest, AnUndeletedCertificateGoesOnWhereItsStepsLead) {
  MakeActive("c", "certificate_number: 'N-1'");
  const v1::Certificate before = Must(Get(kC, "staff-token"));
  Must(Delete(kC));
  const v1::Certificate restored = Must(Undelete(kC));
  EXPECT_EQ(restored.state(), v1::Certificate::ACTIVE);
  EXPECT_EQ(restored.steps_size(), 3);
  EXPECT_EQ(restored.create_time().seconds(), before.create_time().seconds());
  EXPECT_EQ(Verify("certificate_number: 'N-1'").matches(0).verdict(),
            v1::VerifiedCertificate::VALID);
  // The clock goes on for what is deleted too, once it is back.
  Must(Delete(kC));
  clock().Set(
      absl::FromCivil(absl::CivilSecond(2026, 3, 6, 12), absl::UTCTimeZone()));
  EXPECT_EQ(Must(Get(kC, "staff-token")).state(), v1::Certificate::ACTIVE);
  EXPECT_EQ(Must(Undelete(kC)).state(), v1::Certificate::EXPIRED);
}

TEST_F(ServiceTest, ANumberGivenAwayMeanwhileKeepsACertificateDeleted) {
  ASSERT_EQ(Create("c", "certificate_number: 'N-1'"), absl::OkStatus());
  Must(Delete(kC));
  ASSERT_EQ(Create("d", "certificate_number: 'n-1'"), absl::OkStatus());
  EXPECT_EQ(Outcome(Undelete(kC).status()), "ALREADY_EXISTS NOT_UNIQUE");
  EXPECT_EQ(Outcome(Create("c")), "ALREADY_EXISTS DELETED_EXISTS");
  Must(Delete("certificates/d"));
  Must(Undelete(kC));
}

TEST_F(ServiceTest, ALinkInAChainIsNotDeleted) {
  MakeActive("old");
  ASSERT_EQ(Create("new", "predecessor: 'certificates/old'"), absl::OkStatus());
  EXPECT_EQ(Outcome(Delete("certificates/old").status()),
            "FAILED_PRECONDITION STILL_REFERRED_TO");
  // An application holds its predecessor, and nothing holds the application.
  Must(Delete("certificates/new"));
  Must(Delete("certificates/old"));
  EXPECT_EQ(Outcome(Undelete("certificates/new").status()),
            "FAILED_PRECONDITION REFERENCE_NOT_FOUND");
  Must(Undelete("certificates/old"));
  Must(Undelete("certificates/new"));
  // Once it has taken its predecessor's place, each holds the other.
  Must(Step<v1::StartCertificateEvaluationRequest>("StartCertificateEvaluation",
                                                   "certificates/new"));
  Must(Step<v1::IssueCertificateRequest>(
      "IssueCertificate", "certificates/new",
      "last_valid_date { year: 2027 month: 1 day: 1 }"));
  for (const char* name : {"certificates/old", "certificates/new"}) {
    EXPECT_EQ(Outcome(Delete(name).status()),
              "FAILED_PRECONDITION STILL_REFERRED_TO");
  }
}

TEST_F(ServiceTest, WhatACertificateRestsOnOutlivesIt) {
  Must(StaffCall<v1::CreateProductRequest, v1::Product>(
      "CreateProduct",
      "product_id: 'p' product { display_name: 'P'"
      " versions { version: '1' } versions { version: '2' } }"));
  ASSERT_EQ(
      Create("c",
             "subjects { product { product: 'products/p' version: '2' } }"),
      absl::OkStatus());
  const auto delete_all = [&](const std::string& outcome) {
    const auto scheme = StaffCall<v1::DeleteSchemeRequest, v1::Scheme>(
        "DeleteScheme", "name: 'schemes/s'");
    EXPECT_EQ(Outcome(scheme.status()), outcome);
    const auto body = StaffCall<v1::DeleteBodyRequest, v1::Body>(
        "DeleteBody", "name: 'bodies/b'");
    EXPECT_EQ(Outcome(body.status()), outcome);
    const auto product = StaffCall<v1::DeleteProductRequest, v1::Product>(
        "DeleteProduct", "name: 'products/p'");
    EXPECT_EQ(Outcome(product.status()), outcome);
  };
  delete_all("FAILED_PRECONDITION STILL_REFERRED_TO");
  Must(Delete(kC));
  // A version may go with nothing live that needs it.
  Must(StaffCall<v1::UpdateProductRequest, v1::Product>(
      "UpdateProduct",
      "product { name: 'products/p' versions { version: '1' } }"));
  EXPECT_EQ(Outcome(Undelete(kC).status()),
            "FAILED_PRECONDITION VERSION_NOT_OF_PRODUCT");
  delete_all("OK");
  EXPECT_EQ(Outcome(Undelete(kC).status()),
            "FAILED_PRECONDITION REFERENCE_NOT_FOUND");
}

TEST_F(ServiceTest, NothingIsDeletedWhileSomethingComesToReferToIt) {
  constexpr int kPairs = 16;
  for (int i = 0; i < kPairs; ++i) {
    Must(StaffCall<v1::CreateSchemeRequest, v1::Scheme>(
        "CreateScheme",
        absl::StrCat("scheme_id: 's", i, "' scheme { title: 'S' }")));
  }
  std::vector<std::string> outcomes(2 * kPairs);
  std::vector<std::thread> callers;
  for (int i = 0; i < kPairs; ++i) {
    callers.emplace_back([&, i] {
      const auto deleted = StaffCall<v1::DeleteSchemeRequest, v1::Scheme>(
          "DeleteScheme", absl::StrCat("name: 'schemes/s", i, "'"));
      outcomes[2 * static_cast<size_t>(i)] = Outcome(deleted.status());
    });
    callers.emplace_back([&, i] {
      const auto created =
          StaffCall<v1::CreateCertificateRequest, v1::Certificate>(
              "CreateCertificate",
              absl::StrCat("certificate { scheme: 'schemes/s", i,
                           "' subjects { service: 'Cloud' } }"));
      outcomes[2 * static_cast<size_t>(i) + 1] = Outcome(created.status());
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (size_t i = 0; i < outcomes.size(); i += 2) {
    const bool deleted = outcomes[i] == "OK";
    EXPECT_EQ(outcomes[i],
              deleted ? "OK" : "FAILED_PRECONDITION STILL_REFERRED_TO");
    EXPECT_EQ(outcomes[i + 1],
              deleted ? "FAILED_PRECONDITION REFERENCE_NOT_FOUND" : "OK");
  }
  EXPECT_EQ(
      database_.Number("SELECT count(*) FROM certificates c JOIN schemes s"
                       " ON s.name = c.scheme WHERE c.delete_time IS NULL"
                       " AND s.delete_time IS NOT NULL"),
      0);
  EXPECT_EQ(database_.Number("SELECT (SELECT count(*) FROM certificates)"
                             " + (SELECT count(*) FROM schemes"
                             " WHERE delete_time IS NOT NULL)"),
            kPairs);
}

TEST_F(ServiceTest, TheDatabaseIsWhatTheJournalSays) {
  MakeActive("old");
  MakeActive("new", "predecessor: 'certificates/old'");
  EXPECT_EQ(transparency::service::ProblemsOf(service_, database_), "");
}

}  // namespace
}  // namespace transparency::certification
