// What is refused before it costs anything or goes any further, and what keeps
// browsers from making more of answers than they are.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/rpc/caller_directory.h"
#include "gateway/http/host.h"
#include "gateway/http/tests/server_fixture.h"
#include "gmock/gmock.h"

namespace transparency::gateway::http {
namespace {

using library::v1::Book;
using testing::AllOf;
using testing::HasSubstr;

const char kGet[] = "/library/v1/books/2";
const char kStamp[] = "/library/v1/stamps";

class DoorTest : public ServerTest {
 protected:
  int StatusFor(absl::string_view host, absl::string_view target = "/healthz") {
    RawClient client(server_->port());
    return client
        .Ask(absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: ", host,
                          "\r\n\r\n"))
        .status;
  }
};

TEST_F(DoorTest, ALoopbackPortIsServedUnderLoopbackNamesAlone) {
  options_.hosts = {};
  StartServer();
  for (const char* host :
       {"localhost", "LocalHost:7180", "127.0.0.1", "127.0.0.1:80", "127.1.2.3",
        "[::1]", "[::1]:7180", "localhost:"}) {
    EXPECT_EQ(StatusFor(host), 200) << host;
  }
  for (const char* host :
       {"evil.example", "evil.example:7180", "localhost.evil", "10.0.0.1",
        "[2001:db8::1]", "127.0.0.1.evil"}) {
    EXPECT_EQ(StatusFor(host), 421) << host;
  }
  EXPECT_EQ(StatusFor("localhost", "http://evil.example/healthz"), 421);
  EXPECT_EQ(StatusFor("evil.example", "http://localhost/healthz"), 421);
  EXPECT_EQ(StatusFor("localhost", "http://localhost:7180/healthz"), 200);
  RawClient old(server_->port());
  EXPECT_EQ(old.Ask("GET /healthz HTTP/1.0\r\n\r\n").status, 200);
  RawClient client(server_->port());
  const RawAnswer answer =
      client.Ask("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_THAT(answer.body,
              AllOf(HasSubstr("\"reason\":"), HasSubstr("header Host"),
                    HasSubstr("not served as evil.example")));
}

TEST_F(DoorTest, ServesTheHostsThatItIsTold) {
  options_.hosts = {"Example.org", "::1", "[::1]"};
  StartServer();
  EXPECT_EQ(StatusFor("example.ORG:443"), 200);
  EXPECT_EQ(StatusFor("[::1]"), 200);
  EXPECT_EQ(StatusFor("localhost"), 421);
}

TEST(HostRuleTest, APortThatIsNotOnLoopbackIsServedUnderAnyName) {
  const HostRule rule(false, {});
  EXPECT_TRUE(rule.Serves("example.org"));
  EXPECT_TRUE(rule.Serves("127.0.0.1"));
}

TEST_F(DoorTest, FoldsAreSeenWhereverTheHeadIsCut) {
  StartServer();
  const std::string request =
      "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n";
  for (size_t cut = 1; cut < request.size(); ++cut) {
    RawClient client(server_->port());
    ASSERT_TRUE(client.Send(absl::string_view(request).substr(0, cut)));
    EXPECT_EQ(client.Ask(absl::string_view(request).substr(cut)).status, 400);
  }
  // A body may begin with a blank.
  EXPECT_EQ(Ask("POST", "/library/v1/shelves/1/books", " {}").status, 200);
}

TEST_F(DoorTest, TellsTheInvokerWhereTheClientIs) {
  StartServer();
  AnswerWith(Book());
  RawClient client(server_->port(), 0, "127.0.0.7");
  // What a client says of itself is not passed on.
  const RawAnswer answer = client.Ask(MakeRequest(
      "GET", kGet, "",
      "X-Client-Address: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.1\r\n"
      "X-Gateway-Token: t\r\nX-Seen-Revision: 9.0\r\n"));
  EXPECT_EQ(answer.status, 200);
  int seen = 0;
  for (const auto& [name, value] : invoker_.last().headers) {
    if (name == "x-client-address") {
      ++seen;
      EXPECT_EQ(value, "127.0.0.7");
    }
    EXPECT_NE(name, "x-forwarded-for");
    EXPECT_NE(name, "x-gateway-token");
    EXPECT_NE(name, "x-seen-revision");
  }
  EXPECT_EQ(seen, 1);
  ASSERT_TRUE(observer_.AwaitLines(1));
  EXPECT_EQ(observer_.lines()[0].client_address, "127.0.0.7");
  EXPECT_TRUE(observer_.lines()[0].anonymous);
}

TEST_F(DoorTest, HeadersOfAnySizeAreServedOrRefusedAndNeverTooLongBehind) {
  StartServer();
  AnswerWith(Book());
  int served = 0;
  int refused = 0;
  for (size_t size = 1 << 10; size <= 17 << 10; size += 97) {
    const RawAnswer answer = Ask(
        "GET", kGet, "",
        absl::StrCat("Authorization: Bearer ", std::string(size, 'a'), "\r\n"));
    if (answer.status == 200) {
      ++served;
      size_t bytes = 0;
      for (const auto& [name, value] : invoker_.last().headers) {
        bytes += name.size() + value.size() + 32;
      }
      EXPECT_LE(bytes, options_.max_onward_header_bytes);
      EXPECT_EQ(refused, 0) << size;
    } else {
      ++refused;
      EXPECT_EQ(answer.status, 431) << size;
      EXPECT_THAT(answer.body, HasSubstr("\"reason\":\"LIMIT_EXCEEDED\""));
    }
  }
  EXPECT_GT(served, 60);
  EXPECT_GT(refused, 90);
}

TEST_F(DoorTest, WhatIsTooLongIsALimitThatIsNamed) {
  StartServer();
  const std::string long_target = "/" + std::string(9000, 'a');
  EXPECT_THAT(Ask("GET", long_target).body,
              AllOf(HasSubstr("LIMIT_EXCEEDED"), HasSubstr("\"8192\"")));
  EXPECT_THAT(Ask("POST", kStamp, "", "Content-Length: 1048577\r\n").body,
              AllOf(HasSubstr("LIMIT_EXCEEDED"), HasSubstr("\"1048576\"")));
}

// 25 kB or 1 MB: nobody learns what is wrong with a body before it is known who
// asks.
TEST_F(DoorTest, ACallersTokenIsLookedUpBeforeTheBodyIsRead) {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() /
      absl::StrCat("door_test_tokens.", getpid());
  // The SHA-256 of "staff-token".
  std::ofstream(file)
      << "2a2dfdeca77ad756dd19bcb5b02ffdc85d401ddf5abbd10cda4ece41d3f85c54"
         " someone staff\n";
  auto callers = rpc::CallerDirectory::Open(file);
  std::filesystem::remove(file);
  ASSERT_TRUE(callers.ok()) << callers.status();
  options_.callers = *std::move(callers);
  StartServer();
  for (const std::string& body :
       {std::string("{"), "[" + std::string(900'000, ' ')}) {
    EXPECT_THAT(Ask("POST", kStamp, body).body,
                AllOf(HasSubstr("\"code\":401"), HasSubstr("TOKEN_UNKNOWN")));
    for (const char* authorization : {"Bearer nobody", "Basic c3RhZmY=", ""}) {
      const RawAnswer answer =
          Ask("POST", kStamp, body,
              absl::StrCat("Authorization: ", authorization, "\r\n"));
      EXPECT_EQ(answer.status, 401) << authorization;
    }
    EXPECT_EQ(Ask("POST", kStamp, body, "Authorization: bearer staff-token\r\n")
                  .status,
              400);
  }
  EXPECT_EQ(
      Ask("POST", kStamp, "{}", "Authorization: Bearer staff-token\r\n").status,
      200);
  // Everybody may call the others, and their owner says what a token is worth.
  EXPECT_EQ(Ask("GET", kGet, "", "Authorization: Bearer nobody\r\n").status,
            200);
}

TEST_F(DoorTest, EveryStatusHasAReason) {
  StartServer();
  for (int code = 1; code <= 16; ++code) {
    AnswerWith(absl::Status(static_cast<absl::StatusCode>(code), "no"));
    const RawAnswer answer = Ask("GET", kGet);
    EXPECT_GE(answer.status, 400);
    EXPECT_THAT(answer.body, HasSubstr("google.rpc.ErrorInfo")) << code;
    EXPECT_THAT(answer.body, HasSubstr("\"domain\":\"gateway.transparency\""));
  }
}

TEST_F(DoorTest, BrowsersRunNothingInAnswersAndFrameNoPage) {
  options_.documents = {{"/docs", "text/html; charset=utf-8", "<p>Hello</p>"}};
  StartServer();
  AnswerWith(Book());
  for (const char* target : {kGet, "/healthz", "/nothing", kStamp}) {
    const RawAnswer answer = Ask("GET", target);
    EXPECT_EQ(answer.Header("content-security-policy"),
              "default-src 'none'; frame-ancestors 'none'")
        << target;
    EXPECT_EQ(answer.Header("x-content-type-options"), "nosniff");
  }
  const RawAnswer page = Ask("GET", "/docs");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(
      page.Header("content-security-policy"),
      AllOf(HasSubstr("default-src 'self'"),
            HasSubstr("frame-ancestors 'none'"), HasSubstr("base-uri 'none'"),
            HasSubstr("form-action 'none'")));
  EXPECT_EQ(page.Header("x-frame-options"), "DENY");
  EXPECT_EQ(page.Header("referrer-policy"), "no-referrer");
  EXPECT_EQ(page.Header("cross-origin-opener-policy"), "same-origin");
  EXPECT_EQ(page.Header("cross-origin-resource-policy"), "same-origin");
  EXPECT_THAT(page.Header("permissions-policy"), HasSubstr("camera=()"));
}

// A large answer is made elsewhere, and is the same.
TEST_F(DoorTest, LargeAnswersComeWholeAndKeepTheConnection) {
  StartServer();
  Book book;
  book.set_title(std::string(100'000, 'x'));
  AnswerWith(book);
  RawClient client(server_->port());
  for (int i = 0; i < 3; ++i) {
    const RawAnswer answer = client.Ask(MakeRequest("GET", kGet));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body.size(),
              100'000 + std::string("{\"title\":\"\"}").size());
    const RawAnswer packed =
        client.Ask(MakeRequest("GET", kGet, "", "Accept-Encoding: gzip\r\n"));
    EXPECT_EQ(packed.Header("content-encoding"), "gzip");
    EXPECT_LT(packed.body.size(), 2000u);
  }
  // Also when the client has gone, or the server stops meanwhile.
  for (int i = 0; i < 20; ++i) {
    RawClient gone(server_->port());
    gone.Send(MakeRequest("GET", kGet, "", "Accept-Encoding: gzip\r\n"));
    if (i % 2 == 0) gone.Reset();
  }
  server_->Stop();
}

}  // namespace
}  // namespace transparency::gateway::http
