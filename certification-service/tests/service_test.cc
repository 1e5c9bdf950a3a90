// The service as its clients meet it.
#include <string>

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

TEST_F(ServiceTest, NumbersAreUniquePerBody) {
  ASSERT_EQ(Create("c", "certificate_number: 'N-1'"), absl::OkStatus());
  EXPECT_EQ(Outcome(Create("d", "certificate_number: 'n-1'")),
            "ALREADY_EXISTS NOT_UNIQUE");
  EXPECT_EQ(Outcome(Create("c")), "ALREADY_EXISTS RESOURCE_EXISTS");
}

TEST_F(ServiceTest, TheDatabaseIsWhatTheJournalSays) {
  MakeActive("old");
  MakeActive("new", "predecessor: 'certificates/old'");
  EXPECT_EQ(transparency::service::ProblemsOf(service_, database_), "");
}

}  // namespace
}  // namespace transparency::certification
