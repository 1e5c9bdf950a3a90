#include "gateway/http/server.h"

#include <zlib.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status.h"
#include "gateway/http/tests/server_fixture.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::gateway::http {
namespace {

using library::v1::Book;
using testing::ElementsAre;
using testing::HasSubstr;

Book SomeBook() {
  Book book;
  book.set_name("shelves/1/books/2");
  book.set_title("Faust");
  book.set_page_count(9007199254740993);
  book.set_etag("\"abc\"");
  return book;
}

std::string Gunzip(const std::string& bytes) {
  std::string text(1 << 20, '\0');
  z_stream stream{};
  inflateInit2(&stream, MAX_WBITS + 16);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(&text[0]);
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

TEST_F(ServerTest, AnswersAGetWithTheResourceAsJson) {
  StartServer();
  AnswerWith(SomeBook(), {{"x-revision", "library=7.0a1b2c3d"},
                          {"x-current-at", "2026-01-01T00:00:00Z"}});
  const RawAnswer answer = Ask("GET", "/library/v1/shelves/1/books/2");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body,
            "{\"name\":\"shelves/1/books/2\",\"title\":\"Faust\","
            "\"pageCount\":\"9007199254740993\",\"etag\":\"\\\"abc\\\"\"}");
  EXPECT_EQ(answer.Header("content-type"), "application/json");
  EXPECT_EQ(answer.Header("x-revision"), "library=7.0a1b2c3d");
  EXPECT_EQ(answer.Header("x-current-at"), "2026-01-01T00:00:00Z");
  EXPECT_EQ(answer.Header("cache-control"), "no-cache");
  EXPECT_THAT(answer.Header("vary"), HasSubstr("Authorization"));
  EXPECT_FALSE(answer.Header("x-request-id").empty());
  EXPECT_EQ(invoker_.last().method,
            "/transparency.gateway.library.v1.Library/GetBook");
  library::v1::GetBookRequest request;
  ASSERT_TRUE(request.ParseFromString(invoker_.last().message));
  EXPECT_EQ(request.name(), "shelves/1/books/2");
}

TEST_F(ServerTest, PassesOnWhoAsksAndWhatFor) {
  StartServer();
  AnswerWith(SomeBook());
  const RawAnswer answer =
      Ask("GET", "/library/v1/books/2?$fields=pageCount,title", "",
          "Authorization: Bearer abc\r\nX-Request-Id: my-id\r\n"
          "traceparent: 00-0af7651916cd43dd8448eb211c80319c-"
          "b7ad6b7169203331-01\r\nX-Min-Revision: library=3.00112233\r\n"
          "X-Server-Timeout: 2.5\r\nX-Other: secret\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("x-request-id"), "my-id");
  EXPECT_EQ(answer.Header("cache-control"), "private, no-cache");
  const SeenCall call = invoker_.last();
  EXPECT_EQ(call.Header("authorization"), "Bearer abc");
  EXPECT_EQ(call.Header("x-request-id"), "my-id");
  EXPECT_THAT(call.Header("traceparent"), HasSubstr("0af7651916cd43dd"));
  EXPECT_EQ(call.Header("x-min-revision"), "library=3.00112233");
  EXPECT_EQ(call.Header("x-goog-fieldmask"), "page_count,title");
  EXPECT_EQ(call.Header("x-other"), "");
  const absl::Duration left = call.deadline - absl::Now();
  EXPECT_GT(left, absl::Seconds(1));
  EXPECT_LE(left, absl::Milliseconds(2500));
}

TEST_F(ServerTest, TheTraceThatIsLoggedIsTheOneSentOn) {
  StartServer();
  AnswerWith(SomeBook());
  const std::string state = "tracestate: vendor=1\r\n";
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  const std::string good =
      absl::StrCat("traceparent: 00-", trace, "-b7ad6b7169203331-01\r\n");
  for (const std::string& headers : {std::string(), good, state, good + state,
                                     "traceparent: 00-zz-1-1\r\n" + state}) {
    Ask("GET", "/library/v1/books/2", "", headers);
    ASSERT_TRUE(observer_.AwaitLines(invoker_.calls().size()));
    const std::string sent = invoker_.last().Header("traceparent");
    EXPECT_EQ(sent.size(), 55u) << headers;
    EXPECT_EQ(observer_.lines().back().traceparent, sent) << headers;
    const bool known = absl::StartsWith(headers, good);
    EXPECT_EQ(sent.substr(3, 32) == trace, known) << headers;
    // It belongs to the trace that it came with.
    EXPECT_EQ(invoker_.last().Header("tracestate"),
              headers == good + state ? "vendor=1" : "")
        << headers;
  }
  // What becomes no call has one too.
  Ask("GET", "/nowhere");
  ASSERT_TRUE(observer_.AwaitLines(invoker_.calls().size() + 1));
  EXPECT_EQ(observer_.lines().back().traceparent.size(), 55u);
}

TEST_F(ServerTest, CapsTheTimeThatACallMayTake) {
  StartServer();
  Ask("GET", "/library/v1/books/2");
  EXPECT_LE(invoker_.last().deadline - absl::Now(), absl::Seconds(10));
  Ask("GET", "/library/v1/books/2", "", "X-Server-Timeout: 1e9\r\n");
  const absl::Duration left = invoker_.last().deadline - absl::Now();
  EXPECT_LE(left, absl::Seconds(60));
  EXPECT_GT(left, absl::Seconds(50));
}

TEST_F(ServerTest, AnswersErrorsOfTheOwnerWithTheirDetails) {
  StartServer();
  absl::Status status =
      status::Refuse(absl::StatusCode::kResourceExhausted, "OVERLOADED",
                     "Too \"much\".", {{"queue", "writes"}});
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(1);
  retry.mutable_retry_delay()->set_nanos(1);
  status::AddDetail(&status, retry);
  google::rpc::BadRequest bad;
  bad.add_field_violations()->set_field("book.page_count");
  status::AddDetail(&status, bad);
  AnswerWith(status);
  const RawAnswer answer =
      Ask("POST", "/library/v1/shelves/1/books", "{\"title\":\"x\"}");
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.Header("retry-after"), "2");
  EXPECT_EQ(
      answer.body,
      "{\"error\":{\"code\":429,\"message\":\"Too \\\"much\\\".\",\"status\":"
      "\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":\"type.googleapis.com/"
      "google.rpc.ErrorInfo\",\"reason\":\"OVERLOADED\",\"domain\":"
      "\"gateway.transparency\",\"metadata\":{\"queue\":\"writes\"}},"
      "{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\","
      "\"fieldViolations\":[{\"field\":\"book.pageCount\"}]},"
      "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\","
      "\"retryDelay\":\"1.000000001s\"}]}}");
}

TEST_F(ServerTest, GivesEachCodeItsHttpStatus) {
  StartServer();
  const std::vector<std::pair<absl::StatusCode, int>> table = {
      {absl::StatusCode::kCancelled, 499},
      {absl::StatusCode::kUnknown, 500},
      {absl::StatusCode::kInvalidArgument, 400},
      {absl::StatusCode::kDeadlineExceeded, 504},
      {absl::StatusCode::kNotFound, 404},
      {absl::StatusCode::kAlreadyExists, 409},
      {absl::StatusCode::kPermissionDenied, 403},
      {absl::StatusCode::kResourceExhausted, 429},
      {absl::StatusCode::kFailedPrecondition, 400},
      {absl::StatusCode::kAborted, 409},
      {absl::StatusCode::kOutOfRange, 400},
      {absl::StatusCode::kUnimplemented, 501},
      {absl::StatusCode::kInternal, 500},
      {absl::StatusCode::kUnavailable, 503},
      {absl::StatusCode::kDataLoss, 500},
      {absl::StatusCode::kUnauthenticated, 401}};
  for (const auto& [code, http_status] : table) {
    AnswerWith(absl::Status(code, "no"));
    const RawAnswer answer = Ask("GET", "/library/v1/books/2");
    EXPECT_EQ(answer.status, http_status) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(absl::StrCat("\"code\":", http_status)));
    EXPECT_EQ(answer.Header("www-authenticate"),
              http_status == 401 ? "Bearer" : "");
  }
}

TEST_F(ServerTest, GivesAReasonWhereALibraryGaveNone) {
  StartServer();
  AnswerWith(absl::UnavailableError("connection lost"));
  EXPECT_THAT(Ask("GET", "/library/v1/books/2").body,
              HasSubstr("\"reason\":\"OWNER_UNREACHABLE\""));
}

TEST_F(ServerTest, TakesBodyPathAndQueryTogether) {
  StartServer();
  const RawAnswer answer =
      Ask("POST", "/library/v1/shelves/1/books?bookId=faust&validate_only=true",
          "{\"title\":\"Faust\",\"pageCount\":\"12\"}");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.Header("cache-control"), "no-store");
  library::v1::CreateBookRequest request;
  ASSERT_TRUE(request.ParseFromString(invoker_.last().message));
  EXPECT_EQ(request.parent(), "shelves/1");
  EXPECT_EQ(request.book_id(), "faust");
  EXPECT_TRUE(request.validate_only());
  EXPECT_EQ(request.book().page_count(), 12);
}

TEST_F(ServerTest, PatchWithoutMaskTakesItFromTheBody) {
  StartServer();
  const std::string path = "/library/v1/shelves/1/books/2";
  ASSERT_EQ(Ask("PATCH", path,
                "{\"name\":\"shelves/1/books/2\",\"title\":\"\","
                "\"translator\":{\"givenName\":\"A\"},\"authors\":[],"
                "\"publishedOn\":{\"year\":1808},\"labels\":{\"a\":\"b\"},"
                "\"createTime\":\"2020-01-01T00:00:00Z\",\"etag\":\"x\"}")
                .status,
            200);
  library::v1::UpdateBookRequest request;
  ASSERT_TRUE(request.ParseFromString(invoker_.last().message));
  EXPECT_THAT(request.update_mask().paths(),
              ElementsAre("title", "translator.given_name", "authors",
                          "published_on", "labels"));
  EXPECT_EQ(request.book().name(), "shelves/1/books/2");

  ASSERT_EQ(
      Ask("PATCH", path + "?updateMask=pageCount,title", "{\"title\":\"x\"}")
          .status,
      200);
  ASSERT_TRUE(request.ParseFromString(invoker_.last().message));
  EXPECT_THAT(request.update_mask().paths(),
              ElementsAre("page_count", "title"));
}

TEST_F(ServerTest, IfMatchBecomesTheEtagAndAMismatchIs412) {
  StartServer();
  AnswerWith(SomeBook());
  const std::string path = "/library/v1/shelves/1/books/2";
  const std::string etag = Ask("GET", path).Header("etag");
  EXPECT_TRUE(absl::StartsWith(etag, "\"abc.")) << etag;
  for (const std::string& sent :
       {etag, std::string("\"abc\""), absl::StrCat("W/", etag)}) {
    Ask("PATCH", path, "{\"title\":\"x\"}",
        absl::StrCat("If-Match: ", sent, "\r\n"));
    library::v1::UpdateBookRequest update;
    ASSERT_TRUE(update.ParseFromString(invoker_.last().message));
    EXPECT_EQ(update.book().etag(), "\"abc\"") << sent;
    EXPECT_THAT(update.update_mask().paths(), ElementsAre("title"));
    Ask("DELETE", path, "", absl::StrCat("If-Match: ", sent, "\r\n"));
    library::v1::DeleteBookRequest deletion;
    ASSERT_TRUE(deletion.ParseFromString(invoker_.last().message));
    EXPECT_EQ(deletion.etag(), "\"abc\"") << sent;
  }
  AnswerWith(status::Refuse(absl::StatusCode::kAborted, "ETAG_MISMATCH", "no"));
  EXPECT_EQ(Ask("DELETE", path, "", "If-Match: \"old\"\r\n").status, 412);
  EXPECT_EQ(Ask("DELETE", path + "?etag=old").status, 409);
  AnswerWith(status::Refuse(absl::StatusCode::kAborted, "OTHER", "no"));
  EXPECT_EQ(Ask("DELETE", path, "", "If-Match: \"old\"\r\n").status, 409);
}

TEST_F(ServerTest, IfNoneMatchIsAnsweredWith304) {
  StartServer();
  AnswerWith(SomeBook());
  const std::string path = "/library/v1/shelves/1/books/2";
  const std::string etag = Ask("GET", path).Header("etag");
  for (const std::string& sent :
       {etag, absl::StrCat("\"other\", W/", etag), std::string("*")}) {
    RawClient client(server_->port());
    const RawAnswer answer = client.Ask(MakeRequest(
        "GET", path, "", absl::StrCat("If-None-Match: ", sent, "\r\n")));
    EXPECT_EQ(answer.status, 304) << sent;
    EXPECT_EQ(answer.body, "");
    EXPECT_EQ(answer.Header("etag"), etag);
    // The connection goes on where the answer without a body ends.
    EXPECT_EQ(client.Ask(MakeRequest("GET", path)).status, 200);
  }
  EXPECT_EQ(Ask("GET", path, "", "If-None-Match: \"abc\"\r\n").status, 200);
  Book changed = SomeBook();
  changed.set_title("other");
  AnswerWith(changed);
  EXPECT_EQ(Ask("GET", path, "", absl::StrCat("If-None-Match: ", etag, "\r\n"))
                .status,
            200);
}

TEST_F(ServerTest, IdempotencyKeyBecomesTheRequestId) {
  StartServer();
  const auto request_id = [&](const std::string& key) {
    Ask("POST", "/library/v1/shelves/1/books", "{}",
        absl::StrCat("Idempotency-Key: ", key, "\r\n"));
    library::v1::CreateBookRequest request;
    EXPECT_TRUE(request.ParseFromString(invoker_.last().message));
    return request.request_id();
  };
  EXPECT_EQ(request_id("3f2504e0-4f89-41d3-9a0c-0305e82c3301"),
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301");
  EXPECT_EQ(request_id("\"3f2504e0-4f89-41d3-9a0c-0305e82c3301\""),
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301");
  const std::string hashed = request_id("order 17");
  EXPECT_THAT(hashed, testing::MatchesRegex(
                          "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]"
                          "[0-9a-f]{3}-[0-9a-f]{12}"));
  EXPECT_EQ(request_id("order 17"), hashed);
  EXPECT_NE(request_id("order 18"), hashed);
}

TEST_F(ServerTest, HeadIsGetWithoutTheBody) {
  StartServer();
  AnswerWith(SomeBook());
  RawClient client(server_->port());
  const std::string path = "/library/v1/shelves/1/books/2";
  const RawAnswer head = client.Ask(MakeRequest("HEAD", path), true);
  const RawAnswer get = client.Ask(MakeRequest("GET", path));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.Header("content-length"), get.Header("content-length"));
  EXPECT_EQ(head.Header("etag"), get.Header("etag"));
  EXPECT_EQ(get.status, 200);
  EXPECT_EQ(client.Ask(MakeRequest("HEAD", "/nothing"), true).status, 404);
  EXPECT_EQ(client.Ask(MakeRequest("GET", path)).status, 200);
}

TEST_F(ServerTest, OtherMethodsAre405WithAllow) {
  StartServer();
  RawAnswer answer = Ask("PUT", "/library/v1/shelves/1/books/2");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.Header("allow"), "DELETE, GET, PATCH");
  answer = Ask("GET", "/library/v1/shelves/1/books/2:lend");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.Header("allow"), "POST");
  EXPECT_TRUE(invoker_.calls().empty());
}

TEST_F(ServerTest, UnknownPathsAre404AndSayWherePathsBegin) {
  StartServer();
  const RawAnswer answer = Ask("GET", "/libary/v1/books/2");
  EXPECT_EQ(answer.status, 404);
  EXPECT_THAT(answer.body, HasSubstr("\"status\":\"NOT_FOUND\""));
  EXPECT_THAT(answer.body, HasSubstr("/library/v1/"));
}

TEST_F(ServerTest, ResponseBodyIsOneFieldOfTheResponse) {
  StartServer();
  library::v1::ListBooksResponse response;
  AnswerWith(response);
  EXPECT_EQ(Ask("POST", "/library/v1/books:search", "{}").body, "[]");
  response.add_books()->set_title("a");
  response.add_books()->set_title("b");
  AnswerWith(response);
  EXPECT_EQ(Ask("POST", "/library/v1/books:search", "{\"pageSize\":2}").body,
            "[{\"title\":\"a\"},{\"title\":\"b\"}]");
  library::v1::SetTagsRequest tags;
  tags.add_tags("x");
  AnswerWith(tags);
  EXPECT_EQ(Ask("PUT", "/library/v1/shelves/1/tags", "[\"x\",\"y\"]").body,
            "[\"x\"]");
  ASSERT_TRUE(tags.ParseFromString(invoker_.last().message));
  EXPECT_THAT(tags.tags(), ElementsAre("x", "y"));
}

TEST_F(ServerTest, CompressesLargeAnswers) {
  StartServer();
  Book book = SomeBook();
  book.set_title(std::string(5000, 'x'));
  AnswerWith(book);
  const std::string path = "/library/v1/books/2";
  const RawAnswer plain = Ask("GET", path);
  const RawAnswer gzip =
      Ask("GET", path, "", "Accept-Encoding: br, gzip;q=0.5\r\n");
  EXPECT_EQ(gzip.Header("content-encoding"), "gzip");
  EXPECT_LT(gzip.body.size(), 1000u);
  EXPECT_EQ(Gunzip(gzip.body), plain.body);
  EXPECT_NE(gzip.Header("etag"), plain.Header("etag"));
  const RawAnswer kept = Ask("GET", path, "",
                             absl::StrCat("Accept-Encoding: gzip\r\n"
                                          "If-None-Match: ",
                                          gzip.Header("etag"), "\r\n"));
  EXPECT_EQ(kept.status, 304);
  EXPECT_EQ(kept.Header("etag"), gzip.Header("etag"));
  EXPECT_EQ(Ask("GET", path, "", "Accept-Encoding: gzip;q=0\r\n").body,
            plain.body);
  AnswerWith(SomeBook());
  EXPECT_EQ(Ask("GET", path, "", "Accept-Encoding: gzip\r\n")
                .Header("content-encoding"),
            "");
}

TEST_F(ServerTest, AnswersPreflightsOfAllowedOrigins) {
  options_.cors_origins = {"https://good.example"};
  StartServer();
  const std::string preflight =
      "Access-Control-Request-Method: PATCH\r\n"
      "Access-Control-Request-Headers: authorization\r\n";
  RawAnswer answer = Ask("OPTIONS", "/library/v1/shelves/1/books/2", "",
                         "Origin: https://good.example\r\n" + preflight);
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.Header("access-control-allow-origin"),
            "https://good.example");
  EXPECT_EQ(answer.Header("access-control-allow-methods"),
            "DELETE, GET, PATCH, HEAD, OPTIONS");
  EXPECT_THAT(answer.Header("access-control-allow-headers"),
              HasSubstr("If-Match"));
  EXPECT_THAT(answer.Header("vary"), HasSubstr("Origin"));
  answer = Ask("OPTIONS", "/library/v1/shelves/1/books/2", "",
               "Origin: https://evil.example\r\n" + preflight);
  EXPECT_EQ(answer.Header("access-control-allow-origin"), "");
  EXPECT_EQ(answer.Header("access-control-allow-methods"), "");

  // Also errors can be read by the page.
  answer = Ask("GET", "/nothing", "", "Origin: https://good.example\r\n");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.Header("access-control-allow-origin"),
            "https://good.example");
  EXPECT_THAT(answer.Header("access-control-expose-headers"),
              HasSubstr("X-Revision"));
}

TEST_F(ServerTest, AllowsAllOriginsWhenToldSo) {
  options_.cors_origins = {"*"};
  StartServer();
  EXPECT_EQ(Ask("GET", "/healthz", "", "Origin: https://a.example\r\n")
                .Header("access-control-allow-origin"),
            "*");
  EXPECT_EQ(Ask("GET", "/healthz").Header("access-control-allow-origin"), "");
}

TEST_F(ServerTest, OptionsNamesTheMethodsOfAPath) {
  StartServer();
  const RawAnswer answer = Ask("OPTIONS", "/library/v1/echo");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.Header("allow"), "GET, POST, HEAD, OPTIONS");
  EXPECT_EQ(Ask("OPTIONS", "*").status, 204);
  EXPECT_EQ(Ask("OPTIONS", "/nothing").status, 404);
}

TEST_F(ServerTest, TellsHealthAndReadiness) {
  absl::Status ready;
  options_.ready = [&ready] { return ready; };
  StartServer();
  EXPECT_EQ(Ask("GET", "/healthz").body, "{\"status\":\"SERVING\"}");
  EXPECT_EQ(Ask("GET", "/readyz").status, 200);
  ready = absl::UnavailableError("the owners are away");
  const RawAnswer answer = Ask("GET", "/readyz");
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, HasSubstr("the owners are away"));
  EXPECT_EQ(Ask("GET", "/healthz").status, 200);
  EXPECT_EQ(Ask("POST", "/healthz").status, 405);
}

TEST_F(ServerTest, TellsTheObserverWhatWasServed) {
  StartServer();
  AnswerWith(SomeBook());
  const RawAnswer answer = Ask("POST", "/library/v1/shelves/1/books",
                               "{\"title\":\"x\"}", "X-Request-Id: r1\r\n");
  ASSERT_TRUE(observer_.AwaitLines(1));
  const RecordingObserver::Line line = observer_.lines()[0];
  EXPECT_EQ(line.route, "/library/v1/{parent=shelves/*}/books");
  EXPECT_EQ(line.rpc, "/transparency.gateway.library.v1.Library/CreateBook");
  EXPECT_EQ(line.request_id, "r1");
  EXPECT_EQ(line.http_status, 200);
  EXPECT_EQ(line.bytes_in, 13u);
  EXPECT_GT(line.bytes_out, answer.body.size());
}

TEST(ServerStartTest, RefusesAnAddressInUseAndWhatIsNone) {
  FakeInvoker invoker;
  Options options;
  options.listen = "127.0.0.1:0";
  Server first(options, {LibraryService()}, &invoker, nullptr);
  ASSERT_TRUE(first.Start().ok());
  options.listen = absl::StrCat("127.0.0.1:", first.port());
  Server second(options, {LibraryService()}, &invoker, nullptr);
  EXPECT_EQ(second.Start().code(), absl::StatusCode::kUnavailable);
  for (const char* listen : {"", "localhost", "[::1]", "127.0.0.1",
                             "127.0.0.1:x", "127.0.0.1:70000", "host:80"}) {
    options.listen = listen;
    Server wrong(options, {LibraryService()}, &invoker, nullptr);
    EXPECT_EQ(wrong.Start().code(), absl::StatusCode::kInvalidArgument)
        << listen;
  }
}

TEST(ServerStartTest, RefusesBindingsThatConflict) {
  FakeInvoker invoker;
  Options options;
  options.listen = "127.0.0.1:0";
  Server server(options, {LibraryService(), LibraryService()}, &invoker,
                nullptr);
  const absl::Status status = server.Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Library.GetBook"));
}

}  // namespace
}  // namespace transparency::gateway::http
