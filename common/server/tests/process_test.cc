// A whole process within the test: real ports, real signals, real clients.

#include "common/server/process.h"

#include <unistd.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <csignal>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/rpc/channel.h"
#include "common/rpc/server/embedded_descriptors.h"
#include "common/rpc/server/tests/trial.grpc.pb.h"
#include "common/rpc/status_mapping.h"
#include "common/server/admin_listener.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"

namespace transparency::server {
namespace {

namespace http = boost::beast::http;
using rpc::trial::Text;
using rpc::trial::TrialService;
using testing::ElementsAre;
using testing::HasSubstr;

struct HttpAnswer {
  unsigned status = 0;
  std::string body;
};

HttpAnswer Fetch(int port, http::verb verb, const std::string& target) {
  boost::asio::io_context context;
  boost::asio::ip::tcp::socket socket(context);
  socket.connect({boost::asio::ip::make_address("127.0.0.1"),
                  static_cast<uint16_t>(port)});
  http::request<http::string_body> request(verb, target, 11);
  request.set(http::field::host, "localhost");
  http::write(socket, request);
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.skip(verb == http::verb::head);
  http::read(socket, buffer, parser);
  return {parser.get().result_int(), parser.get().body()};
}

class ProcessTest : public testing::Test {
 protected:
  ProcessTest() {
    BlockSignals();
    options_.service.domain = "trial.transparency";
    options_.descriptor_set = EmbeddedDescriptorSet();
  }
  ~ProcessTest() override {
    if (process_ != nullptr) process_->Stop();
    if (runner_.joinable()) runner_.join();
  }

  // A process whose Echo waits for `gate_` when asked for "wait".
  Process& Make() {
    process_ = std::make_unique<Process>(options_);
    auto rows =
        process_->methods().Service("transparency.rpc.trial.TrialService");
    for (const char* method : {"Scan", "WhoAmI", "StaffOnly"}) {
      rows.UnaryDirect(method, rpc::Place::kInline,
                       [](rpc::Call&, google::protobuf::Message& request)
                           -> absl::StatusOr<std::string> {
                         return request.SerializeAsString();
                       });
    }
    rows.UnaryDirect("Echo", rpc::Place::kPool,
                     [this](rpc::Call&, google::protobuf::Message& request)
                         -> absl::StatusOr<std::string> {
                       if (static_cast<Text&>(request).text() == "wait") {
                         waiting_.Notify();
                         gate_.WaitForNotification();
                       }
                       return request.SerializeAsString();
                     });
    for (const char* method : {"Wait", "Change"}) {
      rows.UnaryAsync(method, [](auto, auto, rpc::UnaryDone done) {
        done(absl::UnavailableError("not in this test"));
      });
    }
    for (const char* method : {"Count", "Join", "Chat"}) {
      rows.Stream(
          method,
          [](auto) -> absl::StatusOr<std::shared_ptr<rpc::StreamHandler>> {
            return absl::UnavailableError("not in this test");
          });
    }
    return *process_;
  }

  void Start() {
    runner_ = std::thread([this] { result_ = process_->Run(); });
    ASSERT_NE(process_->port(), 0);
    auto channel =
        rpc::OpenChannel(absl::StrCat("127.0.0.1:", process_->port()));
    ASSERT_TRUE(channel.ok());
    channel_ = *channel;
  }

  grpc::Status Echo(const std::string& text) {
    grpc::ClientContext context;
    Text request;
    Text answer;
    request.set_text(text);
    return TrialService::NewStub(channel_)->Echo(&context, request, &answer);
  }

  ProcessOptions options_;
  std::unique_ptr<Process> process_;
  std::thread runner_;
  absl::Status result_;
  std::shared_ptr<grpc::Channel> channel_;
  absl::Notification waiting_;
  absl::Notification gate_;
};

TEST_F(ProcessTest, ServesCallsHealthAndMetrics) {
  Make();
  Start();
  EXPECT_TRUE(Echo("x").ok());
  auto health = grpc::health::v1::Health::NewStub(channel_);
  for (const char* service : {"", "transparency.rpc.trial.TrialService"}) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    grpc::health::v1::HealthCheckResponse response;
    request.set_service(service);
    ASSERT_TRUE(health->Check(&context, request, &response).ok());
    EXPECT_EQ(response.status(), response.SERVING);
  }
  const int port = process_->metrics_port();
  EXPECT_EQ(Fetch(port, http::verb::get, "/healthz").status, 200u);
  EXPECT_EQ(Fetch(port, http::verb::get, "/readyz").status, 200u);
  EXPECT_EQ(Fetch(port, http::verb::head, "/readyz").status, 200u);
  EXPECT_EQ(Fetch(port, http::verb::get, "/nope").status, 404u);
  EXPECT_EQ(Fetch(port, http::verb::post, "/metrics").status, 405u);
  const HttpAnswer metrics = Fetch(port, http::verb::get, "/metrics");
  EXPECT_EQ(metrics.status, 200u);
  EXPECT_THAT(metrics.body, HasSubstr("rpc_calls_total"));
  EXPECT_THAT(metrics.body, HasSubstr("rpc_read_queue_length"));
  process_->health().Set("", false);
  EXPECT_EQ(Fetch(port, http::verb::get, "/readyz").status, 503u);
  EXPECT_EQ(Fetch(port, http::verb::get, "/healthz").status, 200u);
}

TEST_F(ProcessTest, SigtermLetsRunningCallsFinish) {
  Make();
  absl::Notification draining;
  process_->OnDrain([&draining] { draining.Notify(); });
  Start();
  grpc::Status running;
  std::thread client([&] { running = Echo("wait"); });
  waiting_.WaitForNotification();
  kill(getpid(), SIGTERM);
  draining.WaitForNotification();
  EXPECT_EQ(Fetch(process_->metrics_port(), http::verb::get, "/readyz").status,
            503u);
  gate_.Notify();
  client.join();
  runner_.join();
  EXPECT_TRUE(running.ok()) << running.error_message();
  EXPECT_TRUE(result_.ok()) << result_;
  EXPECT_EQ(Echo("x").error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ProcessTest, NoCallIsLostWhileItDrains) {
  Make();
  Start();
  // Clients that take no refusal for an answer: each call is carried out, or
  // UNAVAILABLE says that it was not.
  std::vector<std::thread> clients;
  std::atomic<int> fine{0};
  absl::Notification warm;
  absl::Notification over;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      auto channel =
          rpc::OpenChannel(absl::StrCat("127.0.0.1:", process_->port()));
      auto stub = TrialService::NewStub(*channel);
      bool seen = false;
      while (!seen || !over.HasBeenNotified()) {
        grpc::ClientContext context;
        Text text;
        const grpc::Status status = stub->Scan(&context, text, &text);
        if (status.ok()) {
          if (++fine == 200) warm.Notify();
          continue;
        }
        seen = true;
        EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE)
            << status.error_message();
      }
    });
  }
  warm.WaitForNotification();
  process_->Stop();
  runner_.join();
  over.Notify();
  for (std::thread& client : clients) client.join();
}

TEST_F(ProcessTest, ACallThatOverstaysTheDrainIsCutOff) {
  options_.drain_timeout = absl::Milliseconds(50);
  Make();
  Start();
  grpc::Status running;
  std::thread client([&] { running = Echo("wait"); });
  waiting_.WaitForNotification();
  process_->Stop();
  client.join();
  EXPECT_FALSE(running.ok());
  gate_.Notify();
  runner_.join();
}

TEST_F(ProcessTest, AConnectionThatHasEndedCostsNothingWhileItsCallRuns) {
  Make();
  Start();
  {
    const auto stub = TrialService::NewStub(channel_);
    grpc::ClientContext context;
    Text request, answer;
    request.set_text("wait");
    absl::Notification ended;
    stub->async()->Echo(&context, &request, &answer,
                        [&ended](const grpc::Status&) { ended.Notify(); });
    waiting_.WaitForNotification();
    context.TryCancel();
    ended.WaitForNotification();
  }
  channel_.reset();
  const auto open = [this] {
    return Fetch(process_->metrics_port(), http::verb::get, "/metrics").body;
  };
  while (open().find("\ngrpc_connections 0\n") == std::string::npos) {
  }
  const auto spent = [] {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return absl::DurationFromTimespec(time);
  };
  const absl::Duration before = spent();
  EXPECT_FALSE(gate_.WaitForNotificationWithTimeout(absl::Milliseconds(500)));
  EXPECT_LT(spent() - before, absl::Milliseconds(250));
  gate_.Notify();
}

TEST_F(ProcessTest, ComponentsStopInReverseAndOnlyWhatHasStarted) {
  std::vector<std::string> seen;
  Process& process = Make();
  for (const char* name : {"a", "b", "c", "d"}) {
    process.Add(
        name,
        [&seen, name] {
          seen.push_back(absl::StrCat("+", name));
          return std::string(name) == "c" ? absl::NotFoundError("no c")
                                          : absl::OkStatus();
        },
        [&seen, name] { seen.push_back(absl::StrCat("-", name)); });
  }
  const absl::Status status = process.Run();
  EXPECT_THAT(std::string(status.message()), HasSubstr("c: no c"));
  EXPECT_THAT(seen, ElementsAre("+a", "+b", "+c", "-b", "-a"));
  EXPECT_EQ(process.port(), 0);
}

TEST_F(ProcessTest, AComponentCanEndTheProcess) {
  Make();
  Start();
  process_->Stop(absl::DataLossError("journal broken"));
  runner_.join();
  EXPECT_EQ(result_, absl::DataLossError("journal broken"));
}

TEST_F(ProcessTest, AMethodWithoutRowKeepsItFromStarting) {
  Process process(options_);
  process.methods().Service("transparency.rpc.trial.TrialService");
  EXPECT_THAT(std::string(process.Run().message()), HasSubstr("has no row"));
}

TEST_F(ProcessTest, TakenPortsAndMissingTokensAreClearErrors) {
  Make();
  Start();
  const auto first = std::move(process_);
  options_.listen = absl::StrCat("127.0.0.1:", first->port());
  EXPECT_THAT(std::string(Make().Run().message()), HasSubstr("already in use"));
  options_.listen = "127.0.0.1:0";
  options_.metrics_listen = absl::StrCat("127.0.0.1:", first->metrics_port());
  EXPECT_THAT(std::string(Make().Run().message()), HasSubstr("in use"));
  options_.metrics_listen = "127.0.0.1:0";
  options_.tokens_file = "/nowhere/tokens";
  EXPECT_THAT(std::string(Make().Run().message()),
              HasSubstr("/nowhere/tokens"));
  process_.reset();
  first->Stop();
  runner_.join();
}

TEST(Address, ReadsHostAndPort) {
  EXPECT_EQ(ParseAddress("127.0.0.1:80")->host, "127.0.0.1");
  EXPECT_EQ(ParseAddress("[::1]:80")->host, "::1");
  EXPECT_EQ(ParseAddress("localhost:80")->host, "127.0.0.1");
  EXPECT_EQ(ParseAddress(":80")->port, 80);
  for (const char* wrong : {"", "80", "a:", "a:b", "a:65536", "a:-1"}) {
    EXPECT_FALSE(ParseAddress(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace transparency::server
