// What one client can take of the places that all share, and what becomes of
// the others meanwhile.

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/http/clients.h"
#include "gateway/http/tests/server_fixture.h"
#include "gmock/gmock.h"

namespace transparency::gateway::http {
namespace {

using library::v1::Book;
using testing::HasSubstr;

const char kGet[] = "/library/v1/books/2";
const char kWatch[] = "/library/v1/books:watch";
const char kOther[] = "127.0.0.2";

std::string Get(absl::string_view target = kGet) {
  return MakeRequest("GET", target);
}

int StatusOf(RawClient* client, absl::string_view target = kGet) {
  return client->Ask(Get(target)).status;
}

// Some 100 ms of compression, or more.
Book LargeBook() {
  Book book;
  std::string title;
  for (int i = 0; title.size() < (2 << 20); ++i) {
    absl::StrAppend(&title, absl::Hex(i * 2654435761u), " ");
  }
  book.set_title(std::move(title));
  return book;
}

class SharesTest : public ServerTest {
 protected:
  SharesTest() {
    options_.address_share = 4;
    options_.crowded_idle_timeout = absl::Minutes(1);
  }

  std::unique_ptr<RawClient> From(const char* address) {
    return std::make_unique<RawClient>(server_->port(), 0, address);
  }
};

TEST_F(SharesTest, OneAddressGetsAQuarterOfTheConnections) {
  options_.max_connections = 16;
  StartServer();
  std::vector<std::unique_ptr<RawClient>> greedy;
  for (int i = 0; i < 4; ++i) {
    greedy.push_back(From(nullptr));
    EXPECT_EQ(StatusOf(greedy.back().get()), 200);
  }
  const RawAnswer refused = From(nullptr)->Read();
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.Header("retry-after"), "1");
  EXPECT_EQ(refused.Header("connection"), "close");
  EXPECT_THAT(refused.body, HasSubstr("\"reason\":\"OVERLOADED\""));
  EXPECT_THAT(refused.body, HasSubstr("Your address has as many connections"));
  EXPECT_TRUE(observer_.AwaitCutOff("too_many"));
  auto other = From(kOther);
  EXPECT_EQ(StatusOf(other.get()), 200);
  // What is given back can be taken again.
  greedy.pop_back();
  ASSERT_TRUE(observer_.AwaitOpen(4));
  auto again = From(nullptr);
  EXPECT_EQ(StatusOf(again.get()), 200);
}

TEST_F(SharesTest, OneAddressGetsAQuarterOfTheStreams) {
  options_.max_streams = 4;
  StartServer();
  auto first = From(nullptr);
  first->Send(Get(kWatch));
  invoker_.Stream(0)->Accept();
  ASSERT_TRUE(observer_.AwaitStreams(1));
  const RawAnswer refused = From(nullptr)->Ask(Get(kWatch));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.Header("retry-after"), "5");
  EXPECT_THAT(refused.body, HasSubstr("Your address has as many streams"));
  auto other = From(kOther);
  other->Send(Get(kWatch));
  invoker_.Stream(1)->Accept();
  EXPECT_TRUE(observer_.AwaitStreams(2));
}

TEST_F(SharesTest, OneAddressGetsAQuarterOfTheCallsUnderWay) {
  options_.max_calls = 8;
  StartServer();
  invoker_.Hold();
  auto first = From(nullptr);
  auto second = From(nullptr);
  first->Send(Get());
  second->Send(Get());
  ASSERT_TRUE(invoker_.AwaitCalls(2));
  const RawAnswer refused = From(nullptr)->Ask(Get());
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.body, HasSubstr("Your address has as many calls"));
  // What needs no owner is answered all the same.
  EXPECT_EQ(Ask("GET", "/healthz").status, 200);
  auto other = From(kOther);
  other->Send(Get());
  ASSERT_TRUE(invoker_.AwaitCalls(3));
  invoker_.Release();
  EXPECT_EQ(first->Read().status, 200);
  EXPECT_EQ(other->Read().status, 200);
  EXPECT_EQ(StatusOf(second.get()), 200);
}

TEST_F(SharesTest, OneAddressHoldsAQuarterOfTheBytes) {
  options_.max_held_bytes = 1 << 20;
  StartServer();
  auto hoarder = From(nullptr);
  ASSERT_TRUE(
      hoarder->Send("POST /library/v1/shelves/1/books HTTP/1.1\r\nHost: x\r\n"
                    "Content-Length: 1000000\r\n\r\n"));
  ASSERT_TRUE(hoarder->Send(std::string(400'000, ' ')));
  RawAnswer answer;
  do {
    answer = From(nullptr)->Ask(Get());
  } while (answer.status == 200);
  EXPECT_EQ(answer.status, 429);
  EXPECT_THAT(answer.body, HasSubstr("Your address has as many bytes"));
  EXPECT_EQ(StatusOf(From(kOther).get()), 200);
}

// Whoever asks for much and takes nothing is refused before it is encoded.
TEST_F(SharesTest, AnswersThatNobodyTakesAreBoundedForTheirAddress) {
  options_.max_held_bytes = 16 << 20;
  StartServer();
  Book book;
  book.set_title(std::string(4 << 20, 'x'));
  AnswerWith(book);
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 4; ++i) {
    slow.push_back(std::make_unique<RawClient>(server_->port(), 4096, nullptr));
    slow.back()->Send(Get());
  }
  RawAnswer answer;
  do {
    answer = From(nullptr)->Ask(Get());
  } while (answer.status == 200);
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(StatusOf(From(kOther).get()), 200);
}

TEST_F(SharesTest, WhenCrowdedTheIdleOfTheGreediestAddressGoFirst) {
  options_.max_connections = 16;
  options_.crowded_idle_timeout = absl::ZeroDuration();
  StartServer();
  // 15 connections, more than 7 in 8 of 16: those of .3 and .4 are most.
  std::vector<std::unique_ptr<RawClient>> few;
  for (int i = 0; i < 3; ++i) few.push_back(From("127.0.0.2"));
  for (auto& client : few) EXPECT_EQ(StatusOf(client.get()), 200);
  std::vector<std::unique_ptr<RawClient>> many;
  for (const char* address : {"127.0.0.3", "127.0.0.4", "127.0.0.5"}) {
    for (int i = 0; i < 4; ++i) many.push_back(From(address));
  }
  EXPECT_TRUE(observer_.AwaitCutOff("crowded"));
  EXPECT_TRUE(observer_.AwaitOpen(12));
  for (auto& client : few) EXPECT_EQ(StatusOf(client.get()), 200);
}

TEST_F(SharesTest, WhenCrowdedAHalfSentRequestGoesToo) {
  options_.max_connections = 4;
  options_.address_share = 1;
  // A tenth of it is enough.
  options_.head_timeout = absl::Seconds(2);
  options_.body_timeout = absl::Minutes(1);
  StartServer();
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 4; ++i) {
    slow.push_back(From(nullptr));
    slow.back()->Send("GET /healthz HTT");
  }
  const RawAnswer answer = slow.front()->Read();
  EXPECT_EQ(answer.status, 408);
  EXPECT_THAT(answer.body, HasSubstr("connections are scarce"));
  EXPECT_TRUE(observer_.AwaitCutOff("crowded"));
}

TEST_F(SharesTest, CallsUnderWayAndStreamsStayWhenCrowded) {
  options_.max_connections = 4;
  options_.address_share = 1;
  options_.crowded_idle_timeout = absl::ZeroDuration();
  StartServer();
  invoker_.Hold();
  auto caller = From(nullptr);
  caller->Send(Get());
  ASSERT_TRUE(invoker_.AwaitCalls(1));
  auto watcher = From(nullptr);
  watcher->Send(Get(kWatch));
  invoker_.Stream(0)->Accept();
  ASSERT_TRUE(observer_.AwaitStreams(1));
  auto idle = From(nullptr);
  auto last = From(nullptr);
  EXPECT_TRUE(observer_.AwaitCutOff("crowded"));
  invoker_.Release();
  EXPECT_EQ(caller->Read().status, 200);
  EXPECT_EQ(watcher->Read().status, 200);
}

// The process has no descriptor left; whoever connects meanwhile is told so,
// and the port is as before afterwards.
TEST_F(SharesTest, RunningOutOfDescriptorsEndsNothing) {
  StartServer();
  auto before = From(nullptr);
  EXPECT_EQ(StatusOf(before.get()), 200);
  // The client's own descriptor, made while there still are some.
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  std::vector<int> taken;
  const rlimit small{256, limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &small), 0);
  int fd = 0;
  while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) {
    taken.push_back(fd);
  }
  for (int i = 0; i < 3; ++i) {
    close(taken.back());
    taken.pop_back();
    RawClient client(server_->port());
    EXPECT_EQ(client.Read().status, 429);
    EXPECT_EQ(StatusOf(before.get()), 200);
    client.Close();
    taken.push_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
  }
  for (int each : taken) close(each);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(StatusOf(From(nullptr).get()), 200);
}

// As fast as a server may be, a large answer takes milliseconds to write and to
// compress; whoever asks for little does not wait for all that were asked for
// before.
TEST_F(SharesTest, SmallAnswersDoNotWaitForLargeOnes) {
  StartServer();
  invoker_.AnswerWith([large = LargeBook()](const SeenCall& call) {
    const bool small = absl::StrContains(call.message, "small");
    return UnaryReply{
        absl::OkStatus(), small ? "" : large.SerializeAsString(), {}, {}};
  });
  constexpr size_t kLarge = 16;
  std::vector<std::unique_ptr<RawClient>> greedy;
  for (size_t i = 0; i < kLarge; ++i) {
    greedy.push_back(From(nullptr));
    greedy.back()->Send(
        MakeRequest("GET", kGet, "", "Accept-Encoding: gzip\r\n"));
  }
  ASSERT_TRUE(invoker_.AwaitCalls(kLarge));
  EXPECT_EQ(StatusOf(From(nullptr).get(), "/library/v1/books/small"), 200);
  EXPECT_LT(observer_.lines().size(), kLarge / 2);
  for (auto& client : greedy) EXPECT_EQ(client->Read().status, 200);
}

TEST_F(SharesTest, AddressesTakeTurnsWithLargeAnswers) {
  StartServer();
  AnswerWith(LargeBook());
  const std::string request =
      MakeRequest("GET", kGet, "", "Accept-Encoding: gzip\r\n");
  constexpr size_t kLarge = 16;
  std::vector<std::unique_ptr<RawClient>> greedy;
  for (size_t i = 0; i < kLarge; ++i) {
    greedy.push_back(From(nullptr));
    greedy.back()->Send(request);
  }
  ASSERT_TRUE(invoker_.AwaitCalls(kLarge));
  EXPECT_EQ(From(kOther)->Ask(request).status, 200);
  EXPECT_LT(observer_.lines().size(), kLarge / 2);
  for (auto& client : greedy) EXPECT_EQ(client->Read().status, 200);
}

TEST(ClientsTest, AddressesOfOneIpv6HostAreOneClient) {
  Options options;
  options.max_connections = 8;
  Clients clients(options, nullptr);
  Client* first = nullptr;
  Client* second = nullptr;
  ASSERT_TRUE(clients.BeginConnection("2001:db8::1", &first).ok());
  ASSERT_TRUE(clients.BeginConnection("2001:db8::2:3", &second).ok());
  EXPECT_EQ(first, second);
  Client* third = nullptr;
  EXPECT_EQ(clients.BeginConnection("2001:db8::4", &third).code(),
            absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(clients.BeginConnection("2001:db8:0:1::1", &third).ok());
  EXPECT_NE(first, third);
  clients.EndConnection(first);
  clients.EndConnection(second);
  clients.EndConnection(third);
  EXPECT_TRUE(clients.AwaitNoneOpen(absl::InfinitePast()));
}

}  // namespace
}  // namespace transparency::gateway::http
