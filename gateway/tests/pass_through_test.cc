#include "gateway/invoker/pass_through.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/rpc/server/tests/trial_server.h"
#include "gateway/invoker/owner_invoker.h"
#include "gateway/invoker/owners.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"

namespace transparency::gateway {
namespace {

using rpc::MakeText;
using rpc::Text;
using rpc::TrialServer;
using rpc::TrialService;

// A server that passes everything through to a trial server, which plays the
// owner called "rpc" (of the packages transparency.rpc.*).
class PassThroughTest : public testing::Test {
 protected:
  ~PassThroughTest() override {
    if (service_ != nullptr) service_->Shutdown(absl::Now() + absl::Seconds(5));
  }

  TrialService::Stub& Stub() {
    if (service_ == nullptr) Start();
    return *stub_;
  }

  void Start() {
    EXPECT_TRUE(owners_.Add("rpc", owner_.target, {}).ok());
    table_.PassThrough(PassThrough(&owners_));
    rpc::ServiceOptions options;
    options.domain = "gateway.transparency";
    service_ = std::make_unique<rpc::GenericService>(
        &table_, std::move(options), &registry_);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    EXPECT_TRUE(service_->Serve(&builder).ok());
    channel_ = *rpc::OpenChannel(absl::StrCat("127.0.0.1:", port));
    stub_ = TrialService::NewStub(channel_);
  }

  TrialServer owner_;
  Owners owners_;
  rpc::MethodTable table_;
  prometheus::Registry registry_;
  std::unique_ptr<rpc::GenericService> service_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<TrialService::Stub> stub_;
};

TEST_F(PassThroughTest, CarriesAUnaryCallWithHeadersAndTrailersBothWays) {
  owner_.echo = [](rpc::Call& call, const Text& text) {
    call.AddHeader("x-seen", call.Header("tracestate").value_or("nothing"));
    call.AddTrailer("x-last", call.Header("x-mine").value_or("nothing"));
    return text.SerializeAsString();
  };
  grpc::ClientContext context;
  context.AddMetadata("tracestate", "mine=1");
  // Owners read no such header.
  context.AddMetadata("x-mine", "mine");
  Text answer;
  const grpc::Status status = Stub().Echo(&context, MakeText("hello"), &answer);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(answer.text(), "hello");
  const auto& headers = context.GetServerInitialMetadata();
  ASSERT_EQ(headers.count("x-seen"), 1u);
  EXPECT_EQ(headers.find("x-seen")->second, "mine=1");
  EXPECT_EQ(headers.count("x-request-id"), 1u);
  const auto& trailers = context.GetServerTrailingMetadata();
  ASSERT_EQ(trailers.count("x-last"), 1u);
  EXPECT_EQ(trailers.find("x-last")->second, "nothing");
}

TEST_F(PassThroughTest, CarriesAStatusWithItsDetailsUnchanged) {
  owner_.echo = [](rpc::Call&, const Text&) -> absl::StatusOr<std::string> {
    return status::InvalidField("text", "must rhyme");
  };
  grpc::ClientContext through;
  through.AddMetadata("x-request-id", "the-same");
  Text answer;
  const grpc::Status passed = Stub().Echo(&through, MakeText("x"), &answer);
  grpc::ClientContext straight;
  straight.AddMetadata("x-request-id", "the-same");
  const grpc::Status direct =
      owner_.Stub()->Echo(&straight, MakeText("x"), &answer);
  EXPECT_EQ(passed.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(passed.error_code(), direct.error_code());
  EXPECT_EQ(passed.error_message(), direct.error_message());
  // Two answers of the owner may order details and map entries differently.
  google::rpc::Status passed_details;
  google::rpc::Status direct_details;
  ASSERT_TRUE(passed_details.ParseFromString(passed.error_details()));
  ASSERT_TRUE(direct_details.ParseFromString(direct.error_details()));
  EXPECT_EQ(passed_details.details_size(), 3);
  google::protobuf::util::MessageDifferencer differencer;
  differencer.TreatAsSet(
      google::rpc::Status::descriptor()->FindFieldByName("details"));
  EXPECT_TRUE(differencer.Compare(passed_details, direct_details))
      << passed_details.DebugString() << direct_details.DebugString();
}

TEST_F(PassThroughTest, CarriesTheDeadlineAsWhatRemains) {
  std::atomic<int64_t> left_ms{0};
  owner_.echo = [&](rpc::Call& call, const Text& text) {
    left_ms = absl::ToInt64Milliseconds(call.deadline() - absl::Now());
    return text.SerializeAsString();
  };
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(7)));
  Text answer;
  ASSERT_TRUE(Stub().Echo(&context, MakeText("x"), &answer).ok());
  // gRPC rounds what remains up to its wire's units.
  EXPECT_LE(left_ms, 7100);
  EXPECT_GT(left_ms, 1000);
}

TEST_F(PassThroughTest, ACancelledCallIsCancelledAtTheOwner) {
  absl::Notification begun;
  absl::Notification cancelled;
  owner_.wait = [&](std::shared_ptr<rpc::Call> call, auto,
                    rpc::UnaryDone done) {
    call->OnAbandoned([&, done] {
      cancelled.Notify();
      done(absl::CancelledError());
    });
    begun.Notify();
  };
  grpc::ClientContext context;
  grpc::Status status;
  TrialService::Stub& stub = Stub();
  std::thread caller([&] {
    Text answer;
    status = stub.Wait(&context, MakeText("x"), &answer);
  });
  begun.WaitForNotification();
  context.TryCancel();
  EXPECT_TRUE(cancelled.WaitForNotificationWithTimeout(absl::Seconds(20)));
  caller.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(PassThroughTest, CarriesManyAnswersInOrder) {
  owner_.count = [](std::shared_ptr<rpc::Call>, auto,
                    std::shared_ptr<rpc::AnswerWriter> writer) {
    std::make_shared<rpc::Counter>(5000, std::move(writer))->Start();
    return absl::OkStatus();
  };
  grpc::ClientContext context;
  auto reader = Stub().Count(&context, MakeText(""));
  Text answer;
  int count = 0;
  while (reader->Read(&answer)) {
    ASSERT_EQ(answer.text(), std::to_string(count++));
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(count, 5000);
}

TEST_F(PassThroughTest, CarriesManyRequests) {
  grpc::ClientContext context;
  Text answer;
  auto writer = Stub().Join(&context, &answer);
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(writer->Write(MakeText(std::to_string(i))));
    expected += (i == 0 ? "" : ",") + std::to_string(i);
  }
  writer->WritesDone();
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(answer.text(), expected);
}

TEST_F(PassThroughTest, CarriesAConversation) {
  grpc::ClientContext context;
  auto stream = Stub().Chat(&context);
  // The owner's headers come before anything is said.
  stream->WaitForInitialMetadata();
  EXPECT_EQ(context.GetServerInitialMetadata().count("x-chat"), 1u);
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(stream->Write(MakeText(std::to_string(i))));
    Text answer;
    ASSERT_TRUE(stream->Read(&answer));
    EXPECT_EQ(answer.text(), std::to_string(i));
  }
  stream->WritesDone();
  Text none;
  EXPECT_FALSE(stream->Read(&none));
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(context.GetServerTrailingMetadata().count("x-chat-end"), 1u);
}

TEST_F(PassThroughTest, AClientThatLeavesAConversationLeavesTheOwnerToo) {
  {
    grpc::ClientContext context;
    auto stream = Stub().Chat(&context);
    Text answer;
    ASSERT_TRUE(stream->Write(MakeText("hello")));
    ASSERT_TRUE(stream->Read(&answer));
    context.TryCancel();
    stream->Finish();
  }
  // Whether the owner is told first that the client has gone or that it has
  // sent all, it does not keep the call.
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (owner_.service->running() > 0 && absl::Now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(owner_.service->running(), 0);
}

// Many megabytes would pile up in the gateway if it read faster than its
// client.
TEST_F(PassThroughTest, ReadsTheOwnerNoFasterThanTheClientReads) {
  std::atomic<int> written{0};
  class Flood : public std::enable_shared_from_this<Flood> {
   public:
    Flood(std::shared_ptr<rpc::AnswerWriter> writer, std::atomic<int>* written)
        : writer_(std::move(writer)), written_(written) {}
    void Start() {
      writer_->OnReady([self = shared_from_this()] { self->Next(); });
      Next();
    }

   private:
    void Next() {
      if (*written_ == 1000) return writer_->Finish(absl::OkStatus());
      ++*written_;
      writer_->Write(MakeText(std::string(100'000, 'x')));
    }
    std::shared_ptr<rpc::AnswerWriter> writer_;
    std::atomic<int>* written_;
  };
  owner_.count = [&](std::shared_ptr<rpc::Call>, auto,
                     std::shared_ptr<rpc::AnswerWriter> writer) {
    std::make_shared<Flood>(std::move(writer), &written)->Start();
    return absl::OkStatus();
  };
  grpc::ClientContext context;
  auto reader = Stub().Count(&context, MakeText(""));
  Text answer;
  ASSERT_TRUE(reader->Read(&answer));
  // Let another call through and back: whatever would run ahead has had time.
  for (int i = 0; i < 200; ++i) {
    grpc::ClientContext other;
    Text echo;
    ASSERT_TRUE(Stub().Echo(&other, MakeText("x"), &echo).ok());
  }
  EXPECT_LT(written, 500);
  int count = 1;
  while (reader->Read(&answer)) ++count;
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(count, 1000);
}

TEST_F(PassThroughTest, RefusesWhatNobodyOwns) {
  Stub();
  grpc::GenericStub stub(channel_);
  for (const char* method : {"/transparency.nobody.v1.X/Y", "/elsewhere.v1.X/Y",
                             "/x", "/transparency.rpc"}) {
    grpc::ClientContext context;
    grpc::ByteBuffer request = rpc::ToByteBuffer("");
    grpc::ByteBuffer answer;
    grpc::Status status;
    absl::Notification done;
    stub.UnaryCall(&context, method, grpc::StubOptions(), &request, &answer,
                   [&](grpc::Status s) {
                     status = s;
                     done.Notify();
                   });
    done.WaitForNotification();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << method;
    EXPECT_EQ(rpc::ReasonOf(status), "METHOD_UNKNOWN") << method;
  }
}

TEST_F(PassThroughTest, NamesAnOwnerThatCannotBeReached) {
  Stub();
  owner_.Shutdown(absl::Seconds(1));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  Text answer;
  const grpc::Status status = Stub().Echo(&context, MakeText("x"), &answer);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(rpc::ReasonOf(status), "OWNER_UNREACHABLE");
}

TEST_F(PassThroughTest, TheInvokerCallsOwnersToo) {
  Stub();
  OwnerInvoker invoker(&owners_, channel_);
  absl::Notification done;
  UnaryReply reply;
  auto handle =
      invoker.Unary("/transparency.rpc.trial.TrialService/Echo",
                    {{"x-request-id", "r1"}}, absl::Now() + absl::Seconds(20),
                    MakeText("hello").SerializeAsString(), [&](UnaryReply got) {
                      reply = std::move(got);
                      done.Notify();
                    });
  done.WaitForNotification();
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  Text answer;
  ASSERT_TRUE(answer.ParseFromString(reply.message));
  EXPECT_EQ(answer.text(), "hello");
}

TEST(SeenRevisionTest, KeepsTheHighestAndFollowsAnotherHistory) {
  SeenRevision seen;
  EXPECT_EQ(seen.Get(), "");
  seen.Learn("centre", "centre=5.aaaaaaaa", "");
  seen.Learn("centre", "centre=4.bbbbbbbb", "");
  EXPECT_EQ(seen.Get(), "5.aaaaaaaa");
  seen.Learn("centre", "standards=9.cccccccc,centre=7.dddddddd", "5.aaaaaaaa");
  EXPECT_EQ(seen.Get(), "7.dddddddd");
  seen.Learn("centre", "standards=90.cccccccc", "7.dddddddd");
  seen.Learn("centre", "nonsense", "7.dddddddd");
  EXPECT_EQ(seen.Get(), "7.dddddddd");
  // Told 7 and answering below: the database was put back.
  seen.Learn("centre", "centre=3.eeeeeeee", "7.dddddddd");
  EXPECT_EQ(seen.Get(), "3.eeeeeeee");
  // Told less, and by now there is more: a straggler.
  seen.Learn("centre", "centre=9.ffffffff", "3.eeeeeeee");
  seen.Learn("centre", "centre=2.eeeeeeee", "3.eeeeeeee");
  EXPECT_EQ(seen.Get(), "9.ffffffff");
}

TEST(OnwardHeadersTest, HandsOnWhatOwnersRead) {
  Owner owner;
  owner.gateway_token = "secret";
  owner.seen.Learn("centre", "centre=7.dddddddd", "");
  const rpc::Metadata headers = {{"authorization", "Bearer x"},
                                 {"user-agent", "me"},
                                 {"grpc-timeout", "1S"},
                                 {"te", "trailers"},
                                 {"content-type", "application/x"},
                                 {"x-client-address", "192.0.2.7"},
                                 {"x-seen-revision", "1.deadbeef"},
                                 {"x-gateway-token", "guessed"},
                                 {"x-min-revision", "centre=\t"},
                                 {"x-other", "dropped"}};
  const rpc::Metadata expected = {{"authorization", "Bearer x"},
                                  {"x-client-address", "192.0.2.7"},
                                  {"x-gateway-token", "secret"},
                                  {"x-seen-revision", "7.dddddddd"}};
  EXPECT_EQ(OnwardHeaders(headers, owner), expected);
  owner.gateway_token.clear();
  EXPECT_EQ(OnwardHeaders(headers, owner),
            (rpc::Metadata{{"authorization", "Bearer x"}}));
}

}  // namespace
}  // namespace transparency::gateway
