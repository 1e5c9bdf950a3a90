// Streams of answers over HTTP: their two forms, and what happens to them.

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"
#include "gateway/http/tests/server_fixture.h"
#include "gateway/rest/media_type.h"
#include "gmock/gmock.h"

namespace transparency::gateway::http {
namespace {

using library::v1::Book;
using library::v1::WatchBooksRequest;
using library::v1::WatchBooksResponse;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kWatch[] = "/library/v1/books:watch";
constexpr char kEvents[] = "Accept: text/event-stream\r\n";

WatchBooksResponse Event(const std::string& token, const std::string& title) {
  Book book;
  book.set_title(title);
  WatchBooksResponse event;
  event.set_resume_token(token);
  event.mutable_resource()->PackFrom(book);
  return event;
}

std::string JsonOf(const std::string& token, const std::string& title) {
  return absl::StrCat(
      "{\"resource\":{\"@type\":\"type.googleapis.com/"
      "transparency.gateway.library.v1.Book\",\"title\":\"",
      title, "\"},\"resumeToken\":\"", token, "\"}");
}

std::string Chunk(absl::string_view piece) {
  return absl::StrCat(absl::Hex(piece.size()), "\r\n", piece, "\r\n");
}

class StreamTest : public ServerTest {
 protected:
  StreamTest() { options_.first_message_patience = absl::Milliseconds(20); }

  // Begins a stream and reads the answer's head.
  RawAnswer Open(RawClient* client, absl::string_view headers,
                 absl::string_view target = kWatch) {
    client->Send(MakeRequest("GET", target, "", headers));
    stream_ = invoker_.Stream(begun_++);
    stream_->Accept({{"x-revision", "library=7.0a1b2c3d"}});
    return client->Read();
  }
  WatchBooksRequest Asked() {
    WatchBooksRequest request;
    EXPECT_TRUE(request.ParseFromString(stream_->seen().message));
    return request;
  }

  std::shared_ptr<FakeStream> stream_;
  size_t begun_ = 0;
};

TEST_F(StreamTest, ServerSentEventsComeOneByOneWithTheirIds) {
  StartServer();
  RawClient client(server_->port());
  const RawAnswer head = Open(&client, kEvents);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.Header("content-type"), "text/event-stream");
  EXPECT_EQ(head.Header("transfer-encoding"), "chunked");
  EXPECT_EQ(head.Header("cache-control"), "no-store");
  EXPECT_EQ(head.Header("x-revision"), "library=7.0a1b2c3d");
  EXPECT_EQ(client.ReadUntil("2000\n\n\r\n"), Chunk("retry: 2000\n\n"));
  for (int i = 1; i < 4; ++i) {
    const std::string token = absl::StrCat(i, ".ab");
    ASSERT_TRUE(stream_->Send(Event(token, "Fau\nst")));
    EXPECT_EQ(client.ReadUntil("\n\n\r\n"),
              Chunk(absl::StrCat("id: ", token, "\ndata: ",
                                 JsonOf(token, "Fau\\nst"), "\n\n")));
  }
  // Without a token there is no id, and the client keeps the one before.
  ASSERT_TRUE(stream_->Send(WatchBooksResponse()));
  EXPECT_EQ(client.ReadUntil("\n\n\r\n"), Chunk("data: {}\n\n"));
  stream_->End(absl::OkStatus());
  EXPECT_EQ(client.ReadUntil("0\r\n\r\n"),
            Chunk("event: end\ndata: {}\n\n") + "0\r\n\r\n");
  // The connection serves on.
  EXPECT_EQ(client.Ask(MakeRequest("GET", "/healthz")).status, 200);
  const auto lines = observer_.lines();
  ASSERT_GE(lines.size(), 1u);
  EXPECT_EQ(lines[0].code, absl::StatusCode::kOk);
}

TEST_F(StreamTest, JsonLinesAreTheDefault) {
  StartServer();
  for (const auto& [accept, type] :
       std::vector<std::pair<std::string, std::string>>{
           {"", "application/jsonl"},
           {"Accept: */*\r\n", "application/jsonl"},
           {"Accept: application/jsonl\r\n", "application/jsonl"},
           {"Accept: application/x-ndjson\r\n", "application/x-ndjson"}}) {
    RawClient client(server_->port());
    EXPECT_EQ(Open(&client, accept).Header("content-type"), type);
    ASSERT_TRUE(stream_->Send(Event("1.ab", "Faust")));
    EXPECT_EQ(client.ReadUntil("\n\r\n"),
              Chunk(JsonOf("1.ab", "Faust") + "\n"));
    stream_->End(absl::OkStatus());
    EXPECT_EQ(client.ReadUntil("0\r\n\r\n"), "0\r\n\r\n");
  }
}

TEST(PreferredTest, WeighsWhatIsNamedBeforeWhatIsAllowed) {
  const std::vector<absl::string_view> offered = {"application/jsonl",
                                                  "text/event-stream"};
  EXPECT_EQ(rest::Preferred("", offered), 0);
  EXPECT_EQ(rest::Preferred("text/event-stream, */*", offered), 1);
  EXPECT_EQ(rest::Preferred("text/*, */*", offered), 1);
  EXPECT_EQ(rest::Preferred("text/event-stream;q=0.5, */*;q=0.8", offered), 0);
  EXPECT_EQ(rest::Preferred("TEXT/Event-Stream;charset=utf-8", offered), 1);
  EXPECT_EQ(rest::Preferred("application/jsonl;q=0, */*", offered), 1);
  EXPECT_EQ(rest::Preferred("text/event-stream,application/jsonl", offered), 1);
  EXPECT_EQ(rest::Preferred("application/json, text/html", offered), -1);
}

TEST_F(StreamTest, WhatAcceptDoesNotAllowIs406) {
  StartServer();
  const RawAnswer answer =
      Ask("GET", kWatch, "", "Accept: application/json\r\n");
  EXPECT_EQ(answer.status, 406);
  EXPECT_THAT(answer.body, HasSubstr("text/event-stream"));
}

TEST_F(StreamTest, ARefusalBeforeTheFirstMessageIsAnOrdinaryError) {
  options_.first_message_patience = absl::Seconds(10);
  StartServer();
  RawClient client(server_->port());
  client.Send(MakeRequest("GET", kWatch, "", kEvents));
  invoker_.Stream(0)->End(
      status::Precondition("HISTORY_CHANGED", "resume_token", "unknown"));
  RawAnswer answer = client.Read();
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.Header("content-type"), "application/json");
  EXPECT_THAT(answer.body, HasSubstr("\"status\":\"FAILED_PRECONDITION\""));
  EXPECT_THAT(answer.body, HasSubstr("HISTORY_CHANGED"));
  // A server may send headers with its refusal.
  client.Send(MakeRequest("GET", kWatch, "", kEvents));
  invoker_.Stream(1)->Accept();
  invoker_.Stream(1)->End(absl::NotFoundError("none"));
  answer = client.Read();
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(client.Ask(MakeRequest("GET", "/healthz")).status, 200);
}

TEST_F(StreamTest, AReconnectingBrowserIsToldInAStreamToComeAgain) {
  constexpr char kAgain[] = "Last-Event-ID: 1.ab\r\n";
  options_.max_streams = 1;
  StartServer();
  RawClient client(server_->port());
  client.Send(MakeRequest("GET", kWatch, "", absl::StrCat(kEvents, kAgain)));
  invoker_.Stream(0)->End(status::RetryLater(absl::StatusCode::kUnavailable,
                                             "OWNER_UNREACHABLE", "away",
                                             absl::Seconds(3)));
  RawAnswer answer = client.Read();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("content-type"), "text/event-stream");
  EXPECT_EQ(answer.Header("cache-control"), "no-store");
  EXPECT_EQ(answer.Header("retry-after"), "");
  EXPECT_THAT(
      answer.body,
      StartsWith(
          "retry: 3000\n\nevent: error\ndata: {\"error\":{\"code\":503,"));
  EXPECT_THAT(answer.body, EndsWith("}\n\n"));
  // What another reconnection would not mend ends it.
  client.Send(MakeRequest("GET", kWatch, "", absl::StrCat(kEvents, kAgain)));
  invoker_.Stream(1)->End(
      status::Precondition("HISTORY_CHANGED", "resume_token", "unknown"));
  EXPECT_EQ(client.Read().status, 400);
  // Other clients get the status.
  for (const char* headers : {kEvents, kAgain}) {
    client.Send(MakeRequest("GET", kWatch, "", headers));
    invoker_.Stream(headers == kEvents ? 2 : 3)
        ->End(absl::UnavailableError("away"));
    EXPECT_EQ(client.Read().status, 503) << headers;
  }
  begun_ = 4;
  RawClient open(server_->port());
  Open(&open, kEvents);
  answer = Ask("GET", kWatch, "", absl::StrCat(kEvents, kAgain));
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, StartsWith("retry: 5000\n\nevent: error\n"));
}

TEST_F(StreamTest, ABrowserForgetsTheIdOfWhatCannotBeResumed) {
  StartServer();
  RawClient events(server_->port());
  Open(&events, kEvents);
  ASSERT_TRUE(stream_->Send(Event("1.ab", "Faust")));
  stream_->AwaitAsked();
  stream_->End(
      status::Precondition("HISTORY_CHANGED", "resume_token", "deleted"));
  EXPECT_THAT(events.ReadUntil("0\r\n\r\n"),
              HasSubstr("id\nevent: error\ndata: {\"error\":{\"code\":400,"));
}

TEST_F(StreamTest, AnErrorInMidStreamIsTheLastFrame) {
  StartServer();
  const absl::Status error = status::RetryLater(
      absl::StatusCode::kUnavailable, "DRAINING", "gone", absl::Seconds(1));
  RawClient events(server_->port());
  Open(&events, kEvents);
  ASSERT_TRUE(stream_->Send(Event("1.ab", "Faust")));
  stream_->AwaitAsked();
  stream_->End(error);
  const std::string body = events.ReadUntil("0\r\n\r\n");
  EXPECT_THAT(body, HasSubstr("event: error\ndata: {\"error\":{\"code\":503,"));
  EXPECT_THAT(body, HasSubstr("\"reason\":\"DRAINING\""));
  EXPECT_THAT(body, Not(HasSubstr("id\n")));

  RawClient lines(server_->port());
  Open(&lines, "");
  stream_->End(error);
  EXPECT_THAT(lines.ReadUntil("\n"), Not(HasSubstr("error")));
  const std::string line = lines.ReadUntil("\n");
  EXPECT_THAT(line, StartsWith("{\"error\":{\"code\":503,"));
  EXPECT_THAT(line, HasSubstr("google.rpc.ErrorInfo"));
  EXPECT_EQ(lines.ReadUntil("0\r\n\r\n"), "\r\n0\r\n\r\n");
}

TEST_F(StreamTest, BytesThatAreNoAnswerEndTheStream) {
  StartServer();
  RawClient client(server_->port());
  Open(&client, "");
  ASSERT_TRUE(stream_->SendBytes("\xff\xff"));
  EXPECT_THAT(client.ReadUntil("0\r\n\r\n"), HasSubstr("INTERNAL"));
  EXPECT_TRUE(stream_->AwaitCancelled());
}

TEST_F(StreamTest, AResponseBodyIsWhatTheBindingSays) {
  StartServer();
  RawClient client(server_->port());
  Open(&client, "", "/library/v1/books/1/pages");
  Book page;
  page.set_title("one");
  ASSERT_TRUE(stream_->Send(page));
  EXPECT_EQ(client.ReadUntil("\n\r\n"), Chunk("\"one\"\n"));
}

TEST_F(StreamTest, LastEventIdResumesUnderTheSameUrl) {
  StartServer();
  const std::string url =
      absl::StrCat(kWatch, "?includePresentState=true&genres=NOVEL");
  {
    RawClient client(server_->port());
    Open(&client, kEvents, url);
    EXPECT_TRUE(Asked().include_present_state());
    EXPECT_EQ(Asked().resume_token(), "");
  }
  {
    RawClient client(server_->port());
    Open(&client, absl::StrCat(kEvents, "Last-Event-ID: 12.ab\r\n"), url);
    EXPECT_FALSE(Asked().include_present_state());
    EXPECT_EQ(Asked().resume_token(), "12.ab");
    EXPECT_EQ(Asked().genres_size(), 1);
  }
  // What a browser saw last is newer than what the URL began with.
  {
    RawClient client(server_->port());
    Open(&client, absl::StrCat(kEvents, "Last-Event-ID: 12.ab\r\n"),
         absl::StrCat(kWatch, "?resumeToken=3.cd"));
    EXPECT_EQ(Asked().resume_token(), "12.ab");
  }
  RawClient client(server_->port());
  client.Send(MakeRequest("POST", kWatch, "{\"resumeToken\":\"3.cd\"}",
                          "Last-Event-ID: \r\n"));
  stream_ = invoker_.Stream(begun_++);
  EXPECT_EQ(Asked().resume_token(), "3.cd");
  EXPECT_EQ(
      Ask("GET", kWatch, "", "Last-Event-ID: 1.a\r\nLast-Event-ID: 2.b\r\n")
          .status,
      400);
  const RawAnswer answer =
      Ask("GET", "/library/v1/books/1/pages", "", "Last-Event-ID: 1.a\r\n");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("header Last-Event-ID"));
}

TEST_F(StreamTest, MasksAreRefused) {
  StartServer();
  EXPECT_THAT(Ask("GET", absl::StrCat(kWatch, "?$fields=resource")).body,
              HasSubstr("\"field\":\"$fields\""));
}

TEST_F(StreamTest, ReadsNoFasterThanTheClient) {
  StartServer();
  RawClient client(server_->port(), 4096);
  Open(&client, "");
  const WatchBooksResponse event = Event("1.ab", std::string(1 << 20, 'x'));
  // The kernel's buffers take some; then the socket is full and the next is
  // not asked for although there is one.
  int sent = 0;
  while (sent < 100 && stream_->Send(event)) {
    ++sent;
    absl::Time until = absl::Now() + absl::Milliseconds(300);
    while (!stream_->asked() && absl::Now() < until) std::this_thread::yield();
    if (!stream_->asked()) break;
  }
  EXPECT_LT(sent, 100);
  // It goes on when the client reads.
  std::string got;
  for (int i = 0; i < sent; ++i) got = client.ReadUntil("\n\r\n");
  EXPECT_GT(got.size(), 1u << 20);
  EXPECT_TRUE(stream_->AwaitAsked());
}

TEST_F(StreamTest, CutsOffAClientThatDoesNotRead) {
  options_.write_timeout = absl::Milliseconds(200);
  StartServer();
  RawClient client(server_->port(), 4096);
  Open(&client, kEvents);
  const WatchBooksResponse event = Event("1.ab", std::string(8 << 20, 'x'));
  ASSERT_TRUE(stream_->Send(event));
  EXPECT_TRUE(observer_.AwaitCutOff("slow_reader"));
  EXPECT_TRUE(stream_->AwaitCancelled());
  EXPECT_TRUE(observer_.AwaitOpen(0));
}

TEST_F(StreamTest, AClientThatGoesAwayCancelsTheOwnersStream) {
  StartServer();
  for (int i = 0; i < 4; ++i) {
    RawClient client(server_->port());
    if (i == 0) {
      // Before the owner has accepted.
      client.Send(MakeRequest("GET", kWatch, "", kEvents));
      stream_ = invoker_.Stream(begun_++);
      client.Close();
    } else {
      Open(&client, kEvents);
      ASSERT_TRUE(stream_->Send(Event("1.ab", "Faust")));
      client.ReadUntil("data:");
      if (i == 1) client.Close();
      if (i == 2) client.Reset();
      if (i == 3) client.FinishSending();
    }
    EXPECT_TRUE(stream_->AwaitCancelled()) << i;
  }
  EXPECT_TRUE(observer_.AwaitOpen(0));
  ASSERT_TRUE(observer_.AwaitLines(4));
  for (const auto& line : observer_.lines()) EXPECT_TRUE(line.client_gone);
  EXPECT_TRUE(observer_.AwaitStreams(0));
}

TEST_F(StreamTest, AnIdleStreamOfEventsLives) {
  options_.heartbeat_interval = absl::Milliseconds(50);
  StartServer();
  RawClient client(server_->port());
  Open(&client, kEvents);
  client.ReadUntil("2000\n\n\r\n");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.ReadUntil("\n\n\r\n"), Chunk(":\n\n"));
  }
  ASSERT_TRUE(stream_->Send(Event("1.ab", "Faust")));
  EXPECT_THAT(client.ReadUntil("Faust"), HasSubstr("id: 1.ab"));

  // JSON lines have nothing that is no message.
  RawClient lines(server_->port());
  Open(&lines, "");
  client.ReadUntil(":\n\n\r\n");
  client.ReadUntil(":\n\n\r\n");
  ASSERT_TRUE(stream_->Send(Event("2.ab", "Faust")));
  EXPECT_EQ(lines.ReadUntil("\n\r\n"), Chunk(JsonOf("2.ab", "Faust") + "\n"));
}

TEST_F(StreamTest, HasADeadlineOnlyWhenTheClientGivesOne) {
  StartServer();
  {
    RawClient client(server_->port());
    Open(&client, kEvents);
    EXPECT_EQ(stream_->seen().deadline, absl::InfiniteFuture());
  }
  RawClient client(server_->port());
  Open(&client, absl::StrCat(kEvents, "X-Server-Timeout: 0.05\r\n"));
  EXPECT_LT(stream_->seen().deadline, absl::Now() + absl::Seconds(1));
  // Also when the owner does not keep to it.
  EXPECT_THAT(client.ReadUntil("0\r\n\r\n"), HasSubstr("DEADLINE_EXCEEDED"));
  EXPECT_TRUE(stream_->AwaitCancelled());
}

TEST_F(StreamTest, AnOperatorsCapHoldsForAll) {
  options_.max_stream_time = absl::Minutes(10);
  StartServer();
  for (const char* headers : {"", "X-Server-Timeout: 9999\r\n"}) {
    RawClient client(server_->port());
    Open(&client, headers);
    EXPECT_LT(stream_->seen().deadline, absl::Now() + absl::Minutes(11));
  }
}

TEST_F(StreamTest, ADrainingServerEndsStreamsWithAReason) {
  StartServer();
  RawClient client(server_->port());
  Open(&client, kEvents);
  ASSERT_TRUE(stream_->Send(Event("1.ab", "Faust")));
  client.ReadUntil("Faust");
  std::thread drain(
      [this] { EXPECT_TRUE(server_->Drain(absl::Now() + absl::Seconds(10))); });
  const std::string rest = client.ReadUntil("0\r\n\r\n");
  EXPECT_THAT(rest, HasSubstr("event: error\ndata: {\"error\":{\"code\":503"));
  EXPECT_THAT(rest, HasSubstr("DRAINING"));
  EXPECT_TRUE(client.AtEnd());
  client.Close();
  drain.join();
  EXPECT_TRUE(stream_->AwaitCancelled());
}

TEST_F(StreamTest, MoreStreamsThanItMayHaveAreRefused) {
  options_.max_streams = 1;
  StartServer();
  auto first = std::make_unique<RawClient>(server_->port());
  Open(first.get(), kEvents);
  const RawAnswer answer = Ask("GET", kWatch, "", kEvents);
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.Header("retry-after"), "5");
  EXPECT_THAT(answer.body, HasSubstr("OVERLOADED"));
  // Other calls go on.
  EXPECT_EQ(Ask("GET", "/library/v1/books/2").status, 200);
  first = nullptr;
  ASSERT_TRUE(observer_.AwaitStreams(0));
  RawClient second(server_->port());
  EXPECT_EQ(Open(&second, kEvents).status, 200);
}

TEST_F(StreamTest, OldClientsGetAStreamThatEndsWithTheConnection) {
  StartServer();
  RawClient client(server_->port());
  client.Send(absl::StrCat("GET ", kWatch, " HTTP/1.0\r\n\r\n"));
  stream_ = invoker_.Stream(0);
  ASSERT_TRUE(stream_->Send(Event("1.ab", "Faust")));
  stream_->AwaitAsked();
  stream_->End(absl::OkStatus());
  const RawAnswer head = client.Read();
  EXPECT_EQ(head.Header("connection"), "close");
  EXPECT_EQ(head.Header("transfer-encoding"), "");
  EXPECT_EQ(client.ReadUntil("\n"), JsonOf("1.ab", "Faust") + "\n");
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(StreamTest, HeadAnswersTheHeadAlone) {
  StartServer();
  RawClient client(server_->port());
  client.Send(MakeRequest("HEAD", kWatch, "", kEvents));
  invoker_.Stream(0)->Accept();
  EXPECT_EQ(client.Read(true).Header("content-type"), "text/event-stream");
  EXPECT_TRUE(invoker_.Stream(0)->AwaitCancelled());
  EXPECT_EQ(client.Ask(MakeRequest("GET", "/healthz")).status, 200);
}

TEST_F(StreamTest, ScriptsOfAllowedOriginsMayRead) {
  options_.cors_origins = {"https://front.example"};
  StartServer();
  RawClient client(server_->port());
  const RawAnswer head =
      Open(&client, absl::StrCat(kEvents, "Origin: https://front.example\r\n",
                                 "Accept-Encoding: gzip\r\n"));
  EXPECT_EQ(head.Header("access-control-allow-origin"),
            "https://front.example");
  EXPECT_EQ(head.Header("content-encoding"), "");
  const RawAnswer preflight = Ask("OPTIONS", kWatch, "",
                                  "Origin: https://front.example\r\n"
                                  "Access-Control-Request-Method: GET\r\n");
  EXPECT_THAT(preflight.Header("access-control-allow-headers"),
              HasSubstr("Last-Event-ID"));
}

TEST_F(StreamTest, StopCancelsStreams) {
  StartServer();
  RawClient client(server_->port());
  Open(&client, kEvents);
  server_->Stop();
  EXPECT_TRUE(stream_->AwaitCancelled());
}

TEST_F(StreamTest, ManyStreamsOnTwoThreadsEachGetTheirOwn) {
  options_.threads = 2;
  StartServer();
  constexpr int kStreams = 50;
  std::vector<std::unique_ptr<RawClient>> clients;
  std::vector<std::shared_ptr<FakeStream>> streams;
  for (int i = 0; i < kStreams; ++i) {
    clients.push_back(std::make_unique<RawClient>(server_->port()));
    Open(clients.back().get(), "");
    streams.push_back(stream_);
  }
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < kStreams; ++i) {
      ASSERT_TRUE(streams[i]->Send(Event("1.ab", absl::StrCat(i))));
    }
  }
  for (int i = 0; i < kStreams; ++i) {
    for (int round = 0; round < 20; ++round) {
      EXPECT_EQ(clients[i]->ReadUntil("\n\r\n"),
                Chunk(JsonOf("1.ab", absl::StrCat(i)) + "\n"));
    }
  }
}

}  // namespace
}  // namespace transparency::gateway::http
