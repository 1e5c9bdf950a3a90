// Look-ups among more certificates than a test would send to a service.
#include "certification-service/service/verify_certificate.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "certification-service/tests/registry.h"
#include "common/methods/reader.h"
#include "common/rpc/call.h"
#include "gmock/gmock.h"

namespace transparency::certification::service {
namespace {

class VerifyCertificateTest : public ::testing::Test {
 protected:
  // Certificates that share a document: 1,500 of one body, and after them, in
  // the order of their names, one of another.
  VerifyCertificateTest() {
    for (int i = 0; i < 1'500; ++i) {
      Put(absl::StrCat("certificates/c", 10'000 + i), "bodies/cb");
    }
    Put("certificates/last", "bodies/other");
  }

  void Put(const std::string& name, const std::string& body) {
    registry_.Put(domain::Parse<v1::Certificate>(
        absl::StrCat("name: '", name, "' certification_body: '", body,
                     "' scheme: 'schemes/plain' recorded_not_decided: true"
                     " documents { sha256: '",
                     kDocument, "' }")));
  }

  absl::StatusOr<v1::VerifyCertificateResponse> Verify(
      const std::string& more, absl::Time deadline = absl::InfiniteFuture()) {
    rpc::Arrival arrival;
    arrival.caller = std::make_shared<const Caller>();
    arrival.deadline = deadline;
    const rpc::Call call(std::move(arrival));
    return VerifyCertificate(
        methods::Reader(&registry_.view(), &call),
        domain::Parse<v1::VerifyCertificateRequest>(
            absl::StrCat("document_sha256: '", kDocument, "' ", more)));
  }

  const std::string kDocument = std::string(64, 'a');
  domain::Registry registry_;
};

TEST_F(VerifyCertificateTest, ListsTheFirstOfManyThatShareADocument) {
  const auto answer = Verify("");
  ASSERT_EQ(answer.status(), absl::OkStatus());
  ASSERT_EQ(answer->matches_size(), 20);
  EXPECT_EQ(answer->matches(0).certificate(), "certificates/c10000");
  EXPECT_EQ(answer->matches(19).certificate(), "certificates/c10019");
  EXPECT_TRUE(answer->more_matches());
}

TEST_F(VerifyCertificateTest, FindsTheOneOfABodyBehindManyOfAnother) {
  const auto answer = Verify("certification_body: 'bodies/other'");
  ASSERT_EQ(answer.status(), absl::OkStatus());
  ASSERT_EQ(answer->matches_size(), 1);
  EXPECT_EQ(answer->matches(0).certificate(), "certificates/last");
  EXPECT_FALSE(answer->more_matches());
}

TEST_F(VerifyCertificateTest, FindsNoneOfASchemeAmongMany) {
  const auto answer = Verify("scheme: 'schemes/iso'");
  ASSERT_EQ(answer.status(), absl::OkStatus());
  EXPECT_EQ(answer->outcome(), v1::VerifyCertificateResponse::UNKNOWN);
  EXPECT_FALSE(answer->more_matches());
}

TEST_F(VerifyCertificateTest, StopsWhenNobodyWaitsAnyMore) {
  const auto answer = Verify("scheme: 'schemes/iso'", absl::InfinitePast());
  EXPECT_EQ(domain::Outcome(answer.status()),
            "DEADLINE_EXCEEDED DEADLINE_PASSED");
}

}  // namespace
}  // namespace transparency::certification::service
