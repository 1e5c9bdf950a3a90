// Requests that are wrong in one way each, over the wire: each gets one clear
// error that names what is wrong, nothing reaches an owner, and the server
// goes on serving.

#include <string>

#include "absl/strings/str_cat.h"
#include "gateway/http/tests/server_fixture.h"
#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace transparency::gateway::http {
namespace {

using testing::HasSubstr;

// As for gRPC callers: what the code is, and which field.
struct Error {
  int http_status = 0;
  std::string status, message, reason;
  std::vector<std::string> fields;
};

Error ErrorOf(const RawAnswer& answer) {
  Error error;
  google::protobuf::Struct json;
  EXPECT_TRUE(
      google::protobuf::util::JsonStringToMessage(answer.body, &json).ok())
      << answer.body;
  if (json.fields().count("error") == 0) return error;
  const auto& fields = json.fields().at("error").struct_value().fields();
  error.http_status = static_cast<int>(fields.at("code").number_value());
  error.status = fields.at("status").string_value();
  error.message = fields.at("message").string_value();
  for (const auto& detail : fields.at("details").list_value().values()) {
    const auto& members = detail.struct_value().fields();
    if (members.count("reason") > 0) {
      error.reason = members.at("reason").string_value();
    }
    if (members.count("fieldViolations") > 0) {
      for (const auto& violation :
           members.at("fieldViolations").list_value().values()) {
        error.fields.push_back(
            violation.struct_value().fields().at("field").string_value());
      }
    }
  }
  return error;
}

struct Row {
  std::string request;
  int http_status;
  std::string field;
};

const char kBooks[] = "/library/v1/shelves/1/books";

std::string Post(absl::string_view body, absl::string_view headers = "") {
  return MakeRequest("POST", kBooks, body, headers);
}

std::string Get(absl::string_view headers) {
  return MakeRequest("GET", "/library/v1/books/2", "", headers);
}

std::string ManyTexts(int count) {
  std::string texts = "\"\"";
  for (int i = 1; i < count; ++i) texts += ",\"\"";
  return texts;
}

std::vector<Row> Rows() {
  const std::string long_target =
      absl::StrCat("/library/v1/books/", std::string(9000, 'a'));
  const std::string long_header =
      absl::StrCat("X-Long: ", std::string(20'000, 'a'), "\r\n");
  std::string many_headers;
  for (int i = 0; i < 2000; ++i)
    absl::StrAppend(&many_headers, "X: y", i, "\r\n");
  return {
      // What is no HTTP.
      {"\x16\x03\x01\x02\x01\x01\x01\xfc\x03\x03 hello\r\n\r\n", 400, "method"},
      {"GET\r\n\r\n", 400, ""},
      {"GET  HTTP/1.1\r\n\r\n", 400, ""},
      {"GET /healthz HTTP/2.0\r\n\r\n", 505, "version"},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version"},
      {"GET /healthz HTTP/1.1\r\nNoColon\r\n\r\n", 400, "header"},
      {"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n", 400, "header"},
      {"GET /healthz HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n", 400, "header"},
      {"GET /healthz HTTP/1.1\r\n\r\n", 400, "header Host"},
      {"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400,
       "header Host"},
      // Another host than it says, to whoever reads it otherwise.
      {"GET /healthz HTTP/1.1\r\nHost: \r\n\r\n", 400, "header Host"},
      {"GET /healthz HTTP/1.1\r\nHost: a/../b@c\r\n\r\n", 400, "header Host"},
      {"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "header Host"},
      {"GET /healthz HTTP/1.1\r\nHost: a:b\r\n\r\n", 400, "header Host"},
      {"GET /healthz HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "header Host"},
      {"GET /healthz HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "header Host"},
      {"GET /healthz HTTP/1.1\r\nHost: [x]\r\n\r\n", 400, "header Host"},
      {MakeRequest("GET", "http://a@b/healthz"), 400, "header Host"},
      {MakeRequest("GET", "http:///healthz"), 400, "target"},
      // Lines that go on in the next.
      {"GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400, "header"},
      {"GET /healthz HTTP/1.1\r\nHost:\r\n x\r\n\r\n", 400, "header"},
      {"GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n", 400, "header"},
      {Post("", "Transfer-Encoding:\r\n chunked\r\n"), 400, "header"},
      {Post("", "Transfer-Encoding:\r\n\tchunked\r\n"), 400, "header"},
      {MakeRequest("GET", "/healthz", "",
                   "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
       400, "header Upgrade"},
      {MakeRequest("GET", "healthz"), 400, "target"},
      {MakeRequest("GET", "*"), 400, "target"},
      {MakeRequest("GET", "/a#b"), 400, "target"},
      {MakeRequest("CONNECT", "example.org:80"), 400, "target"},
      {MakeRequest("GET", long_target), 414, "target"},
      {MakeRequest("GET", "/healthz", "", long_header), 431, "header"},
      {MakeRequest("GET", "/healthz", "", many_headers), 431, "header"},
      {absl::StrCat("GET /", std::string(20'000, 'a')), 431, "header"},
      {MakeRequest("GET", "/healthz", "", "Expect: magic\r\n"), 417,
       "header Expect"},
      // Bodies that cannot be told apart from what follows.
      {Post("", "Content-Length: x\r\n"), 400, "header Content-Length"},
      {Post("", "Content-Length: -1\r\n"), 400, "header Content-Length"},
      {Post("", "Content-Length: 99999999999999999999\r\n"), 400,
       "header Content-Length"},
      {Post("", "Content-Length: 2\r\nContent-Length: 3\r\n"), 400,
       "header Content-Length"},
      {Post("", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"), 400,
       ""},
      {Post("", "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n"), 400,
       ""},
      {Post("", "Transfer-Encoding: gzip\r\n"), 501,
       "header Transfer-Encoding"},
      {Post("", "Transfer-Encoding: gzip, chunked\r\n"), 501,
       "header Transfer-Encoding"},
      {"POST /library/v1/echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
       400, "header Transfer-Encoding"},
      {absl::StrCat(Post("", "Transfer-Encoding: chunked\r\n"), "zz\r\n{}\r\n"),
       400, "body"},
      {absl::StrCat(Post("", "Transfer-Encoding: chunked\r\n"),
                    "2\r\n{}xx\r\n"),
       400, "body"},
      {absl::StrCat(Post("", "Transfer-Encoding: chunked\r\n"),
                    "ffffffffffffffffff\r\n"),
       400, "body"},
      {absl::StrCat(Post("", "Transfer-Encoding: chunked\r\n"), "fffffff\r\n"),
       413, "body"},
      {Post("", "Content-Length: 1048577\r\n"), 413, "body"},
      // Routes.
      {MakeRequest("GET", "/"), 404, ""},
      {MakeRequest("GET", "/../../etc/passwd"), 404, ""},
      {MakeRequest("GET", "/library/v1/books/%FF"), 400, "name"},
      {MakeRequest("GET", "/library/v1/books/%"), 400, "name"},
      {MakeRequest("GET", "/library/v1/books/a%00b"), 400, "name"},
      {MakeRequest("PATCH", kBooks, "{}"), 405, ""},
      {MakeRequest("BREW", kBooks), 405, ""},
      {MakeRequest("GET", "/library/v1/books:watch?resume=1"), 400, "resume"},
      {MakeRequest("GET", "/library/v1/echo/x/y"), 400, "int64Value"},
      // Query parameters.
      {MakeRequest("GET", absl::StrCat(kBooks, "?nope=1")), 400, "nope"},
      {MakeRequest("GET", absl::StrCat(kBooks, "?page_size=x")), 400,
       "pageSize"},
      {MakeRequest("GET", absl::StrCat(kBooks, "?window.from=1")), 400,
       "window.from"},
      {MakeRequest("GET", absl::StrCat(kBooks, "?pageToken=%ff")), 400,
       "pageToken"},
      {MakeRequest("GET", absl::StrCat(kBooks, "?$fields=%C3%A9")), 400,
       "$fields"},
      {MakeRequest("GET", absl::StrCat(kBooks, "?genres=X")), 400, "genres"},
      // Bodies.
      {MakeRequest("POST", kBooks), 400, "body"},
      {Post("{"), 400, "body"},
      {Post("nonsense"), 400, "body"},
      {Post("{}{}"), 400, "body"},
      {Post("\xEF\xBB\xBF{}"), 400, "body"},
      {Post("{\"title\":\"\xFF\"}"), 400, "body"},
      {Post("[]"), 400, "book"},
      {Post("null"), 400, "book"},
      {Post("{\"titel\":\"x\"}"), 400, "book.titel"},
      {Post("{\"pageCount\":1.5}"), 400, "book.pageCount"},
      {Post("{\"page_count\":\"x\"}"), 400, "book.pageCount"},
      {Post("{\"authors\":[{\"givenName\":7}]}"), 400,
       "book.authors[0].givenName"},
      {Post("{\"title\":\"a\",\"title\":\"b\"}"), 400, "book.title"},
      {Post(absl::StrCat(std::string(200'000, '['))), 400, "body"},
      {Post(absl::StrCat("{\"labels\":", std::string(200'000, '{'))), 400,
       "body"},
      {MakeRequest("PATCH", "/library/v1/shelves/1/books/2",
                   "{\"name\":\"shelves/1/books/3\"}"),
       400, "book.name"},
      {MakeRequest("PATCH", "/library/v1/shelves/1/books/2?nope=1",
                   "{\"title\":\"x\"}"),
       400, "nope"},
      {MakeRequest("GET", kBooks, "{}"), 400, "body"},
      {MakeRequest("DELETE", "/library/v1/shelves/1/books/2", "{}"), 400,
       "body"},
      {Post("{}", "Content-Type: text/plain\r\n"), 415, "header Content-Type"},
      {Post("{}", "Content-Type: application/x-www-form-urlencoded\r\n"), 415,
       "header Content-Type"},
      {Post("{}", "Content-Type: application/json; charset=latin1\r\n"), 415,
       "header Content-Type"},
      {Post("{}", "Content-Encoding: gzip\r\n"), 415,
       "header Content-Encoding"},
      {Post("{}", "Content-Encoding: \r\n"), 415, "header Content-Encoding"},
      {Post("{}", "Content-Encoding: identity, gzip\r\n"), 415,
       "header Content-Encoding"},
      {Post("{}", "Content-Encoding: identity\r\nContent-Encoding: br\r\n"),
       415, "header Content-Encoding"},
      {MakeRequest("GET", kBooks, "{}", "Content-Encoding: gzip\r\n"), 415,
       "header Content-Encoding"},
      {Post(absl::StrCat("{\"tags\":[", ManyTexts(60'000), "]}")), 400, "body"},
      // Headers.
      {Get("Accept: text/html\r\n"), 406, "header Accept"},
      {Get("Accept: application/json;q=0\r\n"), 406, "header Accept"},
      {Get("X-Server-Timeout: soon\r\n"), 400, "header X-Server-Timeout"},
      {Get("X-Server-Timeout: 0\r\n"), 400, "header X-Server-Timeout"},
      {Get("X-Server-Timeout: nan\r\n"), 400, "header X-Server-Timeout"},
      {Get("X-Server-Timeout: -1\r\n"), 400, "header X-Server-Timeout"},
      {Get("Authorization: a\r\nAuthorization: b\r\n"), 400,
       "header Authorization"},
      {Get("Authorization: Bearer \xC3\xA9\r\n"), 400, "header Authorization"},
      {Get("X-Min-Revision: \xFF\r\n"), 400, "header X-Min-Revision"},
      {MakeRequest("DELETE", "/library/v1/shelves/1/books/2", "",
                   "If-Match: abc\r\n"),
       400, "header If-Match"},
      {MakeRequest("DELETE", "/library/v1/shelves/1/books/2", "",
                   "If-Match: \"a\", \"b\"\r\n"),
       400, "header If-Match"},
      {MakeRequest("DELETE", "/library/v1/shelves/1/books/2?etag=x", "",
                   "If-Match: \"a\"\r\n"),
       400, "header If-Match"},
      {MakeRequest("PUT", "/library/v1/shelves/1/tags", "[]",
                   "If-Match: \"a\"\r\n"),
       400, "header If-Match"},
      {MakeRequest("PUT", "/library/v1/shelves/1/tags", "[]",
                   "Idempotency-Key: a\r\n"),
       400, "header Idempotency-Key"},
      {Post("{}", "Idempotency-Key: \r\n"), 400, "header Idempotency-Key"},
      {Post("{}",
            absl::StrCat("Idempotency-Key: ", std::string(256, 'k'), "\r\n")),
       400, "header Idempotency-Key"},
  };
}

TEST_F(ServerTest, BadInputGetsOneClearErrorThatNamesTheField) {
  StartServer();
  for (const Row& row : Rows()) {
    const std::string shown = row.request.substr(0, 300);
    RawClient client(server_->port());
    const RawAnswer answer = client.Ask(row.request);
    EXPECT_EQ(answer.status, row.http_status) << shown << "\n" << answer.body;
    if (answer.status == 0) continue;
    EXPECT_EQ(answer.Header("content-type"), "application/json");
    EXPECT_FALSE(answer.Header("x-request-id").empty());
    EXPECT_LT(answer.body.size(), 4096u) << shown;
    const Error error = ErrorOf(answer);
    EXPECT_EQ(error.http_status, row.http_status);
    EXPECT_FALSE(error.message.empty());
    EXPECT_FALSE(error.reason.empty()) << answer.body;
    if (!row.field.empty()) {
      EXPECT_THAT(error.fields, testing::ElementsAre(row.field))
          << shown << "\n"
          << answer.body;
    }
  }
  EXPECT_TRUE(invoker_.calls().empty());
  EXPECT_EQ(Ask("GET", "/healthz").status, 200);
}

TEST_F(ServerTest, RequestsCutShortAnywhereAreSurvived) {
  StartServer();
  const std::string request = Post("{\"title\":\"Faust\"}");
  for (size_t length = 0; length < request.size(); length += 3) {
    RawClient client(server_->port());
    client.Send(absl::string_view(request).substr(0, length));
    client.FinishSending();
    const RawAnswer answer = client.Read();
    if (length == 0) {
      EXPECT_EQ(answer.status, 0);
    } else {
      EXPECT_EQ(answer.status, 400) << length;
      EXPECT_THAT(answer.body, HasSubstr("ends before it is complete"));
    }
  }
  EXPECT_TRUE(observer_.AwaitOpen(0));
  EXPECT_TRUE(invoker_.calls().empty());
  EXPECT_EQ(Ask("GET", "/healthz").status, 200);
}

TEST_F(ServerTest, ARefusedBodyThatGoesOnIsReadAwayAndTheRefusalArrives) {
  StartServer();
  RawClient client(server_->port());
  ASSERT_TRUE(client.Send(Post("", "Content-Length: 8000000\r\n")));
  client.Send(std::string(8'000'000, 'x'));
  const RawAnswer answer = client.Read();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.Header("connection"), "close");
}

TEST_F(ServerTest, WhoGoesOnWithoutEndAfterARefusalIsCutOff) {
  StartServer();
  RawClient client(server_->port());
  ASSERT_TRUE(client.Send(Post("", "Content-Length: 1000000000\r\n")));
  const std::string piece(1 << 20, 'x');
  int sent = 0;
  while (sent < 64 && client.Send(piece)) ++sent;
  // What the kernel holds comes on top of what the server takes.
  EXPECT_LT(sent, 64);
  EXPECT_TRUE(observer_.AwaitOpen(0));
}

TEST_F(ServerTest, OwnersAnswersThatAreNoMessageAre500) {
  StartServer();
  invoker_.AnswerWith([](const SeenCall&) {
    return UnaryReply{absl::OkStatus(), "\xFF\xFF", {}, {}};
  });
  const RawAnswer answer = Ask("GET", "/library/v1/books/2");
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(ErrorOf(answer).reason, "DEFECT");
}

TEST_F(ServerTest, HeadersOfTheOwnerCannotBreakTheAnswer) {
  StartServer();
  AnswerWith(library::v1::Book(),
             {{"x-revision", "a\r\nSet-Cookie: b"}, {"x-current-at", "\x01"}});
  const RawAnswer answer = Ask("GET", "/library/v1/books/2");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("set-cookie"), "");
}

}  // namespace
}  // namespace transparency::gateway::http
