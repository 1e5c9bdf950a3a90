// What a connection does with bytes, time and clients that misbehave.

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gateway/http/tests/server_fixture.h"
#include "gmock/gmock.h"

namespace transparency::gateway::http {
namespace {

using library::v1::Book;
using testing::HasSubstr;

Book SomeBook() {
  Book book;
  book.set_name("shelves/1/books/2");
  book.set_title("Faust");
  return book;
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  StartServer();
  invoker_.UseThreads();
  invoker_.AnswerWith([](const SeenCall& call) {
    library::v1::GetBookRequest request;
    request.ParseFromString(call.message);
    Book book;
    book.set_name(request.name());
    return UnaryReply{absl::OkStatus(), book.SerializeAsString(), {}, {}};
  });
  RawClient client(server_->port());
  std::string all;
  constexpr int kCount = 200;
  for (int i = 0; i < kCount; ++i) {
    all += MakeRequest(i % 7 == 3 ? "POST" : "GET",
                       absl::StrCat("/library/v1/books/", i),
                       i % 7 == 3 ? "{}" : "");
  }
  ASSERT_TRUE(client.Send(all));
  for (int i = 0; i < kCount; ++i) {
    const RawAnswer answer = client.Read();
    if (i % 7 == 3) {
      EXPECT_EQ(answer.status, 405);
    } else {
      EXPECT_EQ(answer.body, absl::StrCat("{\"name\":\"books/", i, "\"}"));
    }
  }
}

TEST_F(ServerTest, RequestsMayComeByteByByte) {
  StartServer();
  RawClient client(server_->port());
  const std::string request = MakeRequest("POST", "/library/v1/shelves/1/books",
                                          "{\"title\":\"Faust\"}");
  for (char c : request) ASSERT_TRUE(client.Send(absl::string_view(&c, 1)));
  EXPECT_EQ(client.Read().status, 200);
}

TEST_F(ServerTest, TakesChunkedBodies) {
  StartServer();
  RawClient client(server_->port());
  const RawAnswer answer = client.Ask(
      "POST /library/v1/shelves/1/books HTTP/1.1\r\nHost: x\r\n"
      "Transfer-Encoding: chunked\r\n\r\n"
      "9\r\n{\"title\":\r\n5;a=b\r\n\"x\"} \r\n0\r\n\r\n");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(client.Ask(MakeRequest("GET", "/healthz")).status, 200);
}

TEST_F(ServerTest, TrailersAreNoHeaders) {
  StartServer();
  RawClient client(server_->port());
  EXPECT_EQ(client
                .Ask("POST /library/v1/shelves/1/books HTTP/1.1\r\nHost: x\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
                     "Authorization: Bearer smuggled\r\n\r\n")
                .status,
            200);
  EXPECT_EQ(invoker_.last().Header("authorization"), "");
}

TEST_F(ServerTest, SaysContinueWhenAsked) {
  StartServer();
  RawClient client(server_->port());
  ASSERT_TRUE(
      client.Send("POST /library/v1/shelves/1/books HTTP/1.1\r\nHost: x\r\n"
                  "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
  EXPECT_EQ(client.Read().status, 100);
  EXPECT_EQ(client.Ask("{}").status, 200);
  // Too large a body is refused before it is sent.
  EXPECT_EQ(client
                .Ask("POST /library/v1/shelves/1/books HTTP/1.1\r\nHost: x\r\n"
                     "Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
                .status,
            413);
}

TEST_F(ServerTest, KeepsAliveAsTheVersionSays) {
  StartServer();
  {
    RawClient client(server_->port());
    const RawAnswer answer = client.Ask("GET /healthz HTTP/1.0\r\n\r\n");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.Header("connection"), "close");
    EXPECT_TRUE(client.AtEnd());
  }
  {
    RawClient client(server_->port());
    const std::string request =
        "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    EXPECT_EQ(client.Ask(request).Header("connection"), "keep-alive");
    EXPECT_EQ(client.Ask(request).status, 200);
  }
  RawClient client(server_->port());
  EXPECT_EQ(
      client.Ask(MakeRequest("GET", "/healthz", "", "Connection: close\r\n"))
          .Header("connection"),
      "close");
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(ServerTest, TakesAbsoluteTargetsAndEmptyLinesBefore) {
  StartServer();
  RawClient client(server_->port());
  EXPECT_EQ(
      client.Ask(MakeRequest("GET", "http://gateway:7180/healthz")).status,
      200);
  EXPECT_EQ(client.Ask("\r\n\r\n" + MakeRequest("GET", "/healthz")).status,
            200);
}

TEST_F(ServerTest, AClientThatGoesAwayCancelsItsCall) {
  StartServer();
  invoker_.Hold();
  for (int i = 0; i < 3; ++i) {
    RawClient client(server_->port());
    client.Send(MakeRequest("GET", "/library/v1/books/2"));
    ASSERT_TRUE(invoker_.AwaitCalls(static_cast<size_t>(i) + 1));
    if (i == 0) client.Close();
    if (i == 1) client.Reset();
    if (i == 2) client.FinishSending();
    EXPECT_TRUE(invoker_.AwaitCancelled(i + 1));
  }
  EXPECT_TRUE(observer_.AwaitOpen(0));
  ASSERT_TRUE(observer_.AwaitLines(3));
  for (const auto& line : observer_.lines()) {
    EXPECT_EQ(line.code, absl::StatusCode::kCancelled);
    EXPECT_TRUE(line.client_gone);
  }
}

TEST_F(ServerTest, ACallThatOutlivesItsDeadlineIsAnsweredAndCancelled) {
  StartServer();
  invoker_.Hold();
  const RawAnswer answer =
      Ask("GET", "/library/v1/books/2", "", "X-Server-Timeout: 0.05\r\n");
  EXPECT_EQ(answer.status, 504);
  EXPECT_THAT(answer.body, HasSubstr("DEADLINE_EXCEEDED"));
  EXPECT_TRUE(invoker_.AwaitCancelled(1));
}

TEST_F(ServerTest, CutsOffSlowHeads) {
  options_.head_timeout = absl::Milliseconds(100);
  StartServer();
  RawClient client(server_->port());
  client.Send("GET /healthz HTT");
  const RawAnswer answer = client.Read();
  EXPECT_EQ(answer.status, 408);
  EXPECT_THAT(answer.body, HasSubstr("head took longer"));
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(ServerTest, CutsOffSlowBodies) {
  options_.body_timeout = absl::Milliseconds(100);
  StartServer();
  RawClient client(server_->port());
  client.Send(
      "POST /library/v1/shelves/1/books HTTP/1.1\r\nHost: x\r\n"
      "Content-Length: 10\r\n\r\n{");
  EXPECT_EQ(client.Read().status, 408);
  EXPECT_TRUE(client.AtEnd());
  EXPECT_TRUE(observer_.AwaitCutOff("slow_body"));
}

TEST_F(ServerTest, ClosesIdleConnectionsWithoutAWord) {
  options_.idle_timeout = absl::Milliseconds(100);
  StartServer();
  RawClient fresh(server_->port());
  EXPECT_TRUE(fresh.AtEnd());
  RawClient used(server_->port());
  EXPECT_EQ(used.Ask(MakeRequest("GET", "/healthz")).status, 200);
  EXPECT_TRUE(used.AtEnd());
}

TEST_F(ServerTest, CutsOffSlowReaders) {
  options_.write_timeout = absl::Milliseconds(200);
  StartServer();
  Book book;
  book.set_title(std::string(16 << 20, 'x'));
  AnswerWith(book);
  RawClient client(server_->port(), 4096);
  client.Send(MakeRequest("GET", "/library/v1/books/2"));
  EXPECT_TRUE(observer_.AwaitCutOff("slow_reader"));
  EXPECT_TRUE(observer_.AwaitOpen(0));
}

TEST_F(ServerTest, TurnsAwayMoreConnectionsThanItMayHave) {
  options_.max_connections = 2;
  options_.crowded_idle_timeout = absl::Minutes(1);
  StartServer();
  auto first = std::make_unique<RawClient>(server_->port());
  RawClient second(server_->port());
  EXPECT_EQ(first->Ask(MakeRequest("GET", "/healthz")).status, 200);
  EXPECT_EQ(second.Ask(MakeRequest("GET", "/healthz")).status, 200);
  RawClient third(server_->port());
  const RawAnswer answer = third.Read();
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.Header("retry-after"), "1");
  EXPECT_THAT(answer.body, HasSubstr("as many connections open as it may, 2"));
  EXPECT_THAT(answer.body, HasSubstr("\"reason\":\"OVERLOADED\""));
  EXPECT_TRUE(third.AtEnd());
  first = nullptr;
  ASSERT_TRUE(observer_.AwaitOpen(1));
  EXPECT_EQ(Ask("GET", "/healthz").status, 200);
}

TEST_F(ServerTest, DrainsWithoutLosingACall) {
  StartServer();
  AnswerWith(SomeBook());
  invoker_.Hold();
  RawClient idle(server_->port());
  EXPECT_EQ(idle.Ask(MakeRequest("GET", "/healthz")).status, 200);
  RawClient busy(server_->port());
  busy.Send(MakeRequest("GET", "/library/v1/books/2"));
  ASSERT_TRUE(invoker_.AwaitCalls(1));
  std::thread drain(
      [this] { EXPECT_TRUE(server_->Drain(absl::Now() + absl::Seconds(10))); });
  EXPECT_TRUE(idle.AtEnd());
  idle.Close();
  invoker_.Release();
  const RawAnswer answer = busy.Read();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("connection"), "close");
  busy.Close();
  drain.join();
  RawClient late(server_->port());
  EXPECT_EQ(late.Ask(MakeRequest("GET", "/healthz")).status, 0);
}

TEST_F(ServerTest, ADrainingServerAnswersTheRequestThatIsUnderWay) {
  options_.drain_idle_timeout = absl::Seconds(30);
  StartServer();
  RawClient idle(server_->port());
  EXPECT_EQ(idle.Ask(MakeRequest("GET", "/healthz")).status, 200);
  std::thread drain(
      [this] { EXPECT_TRUE(server_->Drain(absl::Now() + absl::Seconds(20))); });
  // Requests go on until the first answer that ends the connection.
  RawAnswer answer;
  do {
    answer = idle.Ask(MakeRequest("GET", "/readyz"));
  } while (answer.status == 200);
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, HasSubstr("draining"));
  while (answer.Header("connection") != "close" && answer.status != 0) {
    answer = idle.Ask(MakeRequest("GET", "/readyz"));
  }
  EXPECT_EQ(answer.status, 503);
  EXPECT_TRUE(idle.AtEnd());
  idle.Close();
  drain.join();
}

TEST_F(ServerTest, HoldsNoMoreBytesThanItMay) {
  options_.max_held_bytes = 256 << 10;
  StartServer();
  const std::string head =
      "POST /library/v1/shelves/1/books HTTP/1.1\r\nHost: x\r\n"
      "Content-Length: 1000000\r\n\r\n";
  RawClient hoarder(server_->port());
  ASSERT_TRUE(hoarder.Send(head));
  ASSERT_TRUE(hoarder.Send(std::string(600'000, ' ')));
  RawAnswer answer;
  do {
    RawClient other(server_->port());
    answer = other.Ask(MakeRequest("GET", "/library/v1/books/2"));
  } while (answer.status == 200);
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.Header("retry-after"), "1");
  RawClient second(server_->port());
  EXPECT_EQ(second.Ask(head).status, 429);
  EXPECT_EQ(Ask("GET", "/healthz").status, 200);
  hoarder.Close();
  do {
    answer = Ask("GET", "/library/v1/books/2");
  } while (answer.status == 429);
  EXPECT_EQ(answer.status, 200);
}

TEST_F(ServerTest, DrainGivesUpAtItsDeadlineAndStopCancels) {
  StartServer();
  invoker_.Hold();
  RawClient busy(server_->port());
  busy.Send(MakeRequest("GET", "/library/v1/books/2"));
  ASSERT_TRUE(invoker_.AwaitCalls(1));
  EXPECT_FALSE(server_->Drain(absl::Now() + absl::Milliseconds(50)));
  server_->Stop();
  EXPECT_TRUE(invoker_.AwaitCancelled(1));
  EXPECT_TRUE(busy.AtEnd());
}

TEST_F(ServerTest, RepliesAfterStopAreDropped) {
  StartServer();
  invoker_.UseThreads();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(std::make_unique<RawClient>(server_->port()));
    clients.back()->Send(MakeRequest("GET", "/library/v1/books/2"));
  }
  server_ = nullptr;
}

TEST_F(ServerTest, ServesManyConnectionsOnTwoThreads) {
  options_.threads = 2;
  StartServer();
  invoker_.UseThreads();
  AnswerWith(SomeBook());
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      RawClient client(server_->port());
      for (int i = 0; i < 50; ++i) {
        const RawAnswer answer =
            client.Ask(MakeRequest("GET", "/library/v1/books/2"));
        if (answer.status == 200) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 400);
}

}  // namespace
}  // namespace transparency::gateway::http
