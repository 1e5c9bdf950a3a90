// Unary calls, the pool and draining against a real server with real channels.

#include <atomic>
#include <stdexcept>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/rpc/read_pool.h"
#include "common/rpc/server/tests/trial_server.h"
#include "grpcpp/generic/generic_stub.h"

namespace transparency::rpc {
namespace {

// Sends bytes as they are, answered as they are.
grpc::Status CallRaw(const std::shared_ptr<grpc::Channel>& channel,
                     const std::string& method, const std::string& bytes,
                     std::string* answer = nullptr) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  grpc::ByteBuffer request = ToByteBuffer(bytes);
  grpc::ByteBuffer response;
  absl::Notification done;
  grpc::Status result;
  stub.UnaryCall(&context, method, grpc::StubOptions(), &request, &response,
                 [&](grpc::Status status) {
                   result = std::move(status);
                   done.Notify();
                 });
  done.WaitForNotification();
  if (answer != nullptr) *answer = ToString(response);
  return result;
}

// A call that has no message.
struct Silent : grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
  void OnDone(const grpc::Status& status) override {
    result = status;
    done.Notify();
  }
  grpc::Status result;
  absl::Notification done;
};

constexpr char kEcho[] = "/transparency.rpc.trial.TrialService/Echo";

TEST(Unary, AnswersWithHeadersAndRequestId) {
  TrialServer server;
  server.echo = [](Call& call, const Text& text) {
    EXPECT_TRUE(call.caller().anonymous());
    EXPECT_EQ(call.Header("x-min-revision"), "trial=1.aa");
    // Nothing here reads it.
    EXPECT_EQ(call.Header("x-mine"), absl::nullopt);
    EXPECT_EQ(call.Header("x-absent"), absl::nullopt);
    call.AddHeader("x-revision", "trial=1.aa");
    call.AddTrailer("x-end", "z");
    call.AddHeader("x-odd", "a\nb");
    call.AddHeader("grpc-status", "5");
    call.AddHeader("Not A Key", "5");
    return text.SerializeAsString();
  };
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", "mine-1");
  context.AddMetadata("x-min-revision", "trial=1.aa");
  context.AddMetadata("x-mine", "1");
  Text answer;
  const grpc::Status status =
      server.Stub()->Echo(&context, MakeText("é"), &answer);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(answer.text(), "é");
  const auto& headers = context.GetServerInitialMetadata();
  EXPECT_EQ(headers.find("x-request-id")->second, "mine-1");
  EXPECT_EQ(headers.find("x-revision")->second, "trial=1.aa");
  EXPECT_EQ(headers.find("x-odd")->second, "a?b");
  EXPECT_EQ(context.GetServerTrailingMetadata().find("x-end")->second, "z");
}

TEST(Unary, GivesARequestIdWhereTheClientsIsMissingOrUnusable) {
  TrialServer server;
  auto stub = server.Stub();
  for (const std::string& sent :
       {std::string(), std::string("two words"), std::string(500, 'x')}) {
    grpc::ClientContext context;
    if (!sent.empty()) context.AddMetadata("x-request-id", sent);
    Text answer;
    ASSERT_TRUE(stub->Echo(&context, MakeText("x"), &answer).ok());
    const auto given =
        context.GetServerInitialMetadata().find("x-request-id")->second;
    EXPECT_EQ(given.size(), 32u) << sent;
  }
}

TEST(Unary, CarriesBigAnswersWithoutLoss) {
  TrialServer server;
  const std::string big(1 << 19, 'a');
  grpc::ClientContext context;
  Text answer;
  ASSERT_TRUE(server.Stub()->Echo(&context, MakeText(big), &answer).ok());
  EXPECT_EQ(answer.text(), big);
}

TEST(Unary, RefusesWhatIsNotTheMessage) {
  TrialServer server;
  auto channel = server.Channel();
  const struct {
    const char* why;
    std::string bytes;
    const char* reason;
  } kCases[] = {
      {"random bytes", "\xff\xff\xff\xff", "MALFORMED_REQUEST"},
      {"truncated", std::string("\x0a\x05hi", 4), "MALFORMED_REQUEST"},
      {"not UTF-8", std::string("\x0a\x02\xc3\x28", 4), "INVALID_FIELDS"},
      {"too large", std::string((1 << 20) + 1, '\0'), "LIMIT_EXCEEDED"},
  };
  for (const auto& c : kCases) {
    const grpc::Status status = CallRaw(channel, kEcho, c.bytes);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << c.why;
    EXPECT_EQ(ReasonOf(status), c.reason) << c.why;
  }
  EXPECT_TRUE(CallRaw(channel, kEcho, "").ok());
}

TEST(Unary, RefusesACallWithoutAMessage) {
  TrialServer server;
  grpc::GenericStub stub(server.Channel());
  grpc::ClientContext context;
  Silent reactor;
  stub.PrepareBidiStreamingCall(&context, kEcho, grpc::StubOptions(), &reactor);
  reactor.StartWritesDone();
  reactor.StartCall();
  reactor.done.WaitForNotification();
  EXPECT_EQ(reactor.result.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(reactor.result), "MALFORMED_REQUEST");
}

TEST(Unary, AsksTheRequestCheckAndLetsItNormalise) {
  ServiceOptions options;
  options.check_request = [](google::protobuf::Message& message) {
    auto& text = static_cast<Text&>(message);
    if (text.text() == "bad") return status::InvalidField("text", "not bad");
    text.set_text(text.text() + "!");
    return absl::OkStatus();
  };
  TrialServer server(options);
  auto stub = server.Stub();
  Text answer;
  grpc::ClientContext fine;
  ASSERT_TRUE(stub->Echo(&fine, MakeText("good"), &answer).ok());
  EXPECT_EQ(answer.text(), "good!");
  grpc::ClientContext refused;
  const grpc::Status status = stub->Echo(&refused, MakeText("bad"), &answer);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  google::rpc::BadRequest violations;
  ASSERT_TRUE(status::FindDetail(FromGrpc(status), &violations));
  EXPECT_EQ(violations.field_violations(0).field(), "text");
}

TEST(Unary, EveryErrorCarriesErrorInfoAndRequestInfo) {
  TrialServer server;
  server.echo = [](Call&, const Text&) -> absl::StatusOr<std::string> {
    return status::NotFound("trial/Text", "texts/x");
  };
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", "r-7");
  Text answer;
  const grpc::Status status =
      server.Stub()->Echo(&context, MakeText("x"), &answer);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(status::FindDetail(FromGrpc(status), &info));
  EXPECT_EQ(info.reason(), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(info.domain(), "trial.transparency");
  google::rpc::RequestInfo request;
  ASSERT_TRUE(status::FindDetail(FromGrpc(status), &request));
  EXPECT_EQ(request.request_id(), "r-7");
}

TEST(Unary, AnExceptionBecomesADefectWithoutItsText) {
  TrialServer server;
  server.echo = [](Call&, const Text& text) -> absl::StatusOr<std::string> {
    if (text.text() == "int") throw 7;
    throw std::runtime_error("SELECT secret");
  };
  server.wait = [](auto, auto, auto) { throw std::runtime_error("secret"); };
  auto stub = server.Stub();
  for (const char* text : {"std", "int"}) {
    for (auto method : {&TrialService::Stub::Echo, &TrialService::Stub::Wait}) {
      grpc::ClientContext context;
      Text answer;
      const grpc::Status status =
          (stub.get()->*method)(&context, MakeText(text), &answer);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
      EXPECT_EQ(ReasonOf(status), "DEFECT");
      EXPECT_EQ(status.error_message().find("secret"), std::string::npos);
      EXPECT_EQ(status.error_details().find("secret"), std::string::npos);
    }
  }
}

TEST(Unary, AHandlerThatDropsItsCallIsADefect) {
  TrialServer server;
  server.wait = [](auto, auto, auto) {};
  grpc::ClientContext context;
  Text answer;
  const grpc::Status status =
      server.Stub()->Wait(&context, MakeText("x"), &answer);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(ReasonOf(status), "DEFECT");
}

TEST(Unary, OnlyTheFirstAnswerCounts) {
  TrialServer server;
  server.wait = [](auto, auto, UnaryDone done) {
    done(MakeText("first").SerializeAsString());
    done(absl::InternalError("second"));
  };
  grpc::ClientContext context;
  Text answer;
  ASSERT_TRUE(server.Stub()->Wait(&context, MakeText("x"), &answer).ok());
  EXPECT_EQ(answer.text(), "first");
}

TEST(Unary, UnknownMethodsAndServicesAreNamedSo) {
  TrialServer server;
  auto channel = server.Channel();
  for (const char* method :
       {"/transparency.rpc.trial.TrialService/Nope", "/nope.Nope/Nope"}) {
    const grpc::Status status = CallRaw(channel, method, "");
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
    EXPECT_EQ(ReasonOf(status), "METHOD_UNKNOWN");
  }
}

// Keeps what an asynchronous handler was given.
struct Kept {
  std::shared_ptr<Call> call;
  UnaryDone done;
  absl::Notification came;
  absl::Notification abandoned;

  UnaryHandler Handler() {
    return [this](std::shared_ptr<Call> the_call, auto, UnaryDone the_done) {
      call = std::move(the_call);
      done = std::move(the_done);
      call->OnAbandoned([this] { abandoned.Notify(); });
      came.Notify();
    };
  }
};

TEST(Abandonment, ACancelledCallTellsItsHandlerAndSurvivesALateAnswer) {
  TrialServer server;
  Kept kept;
  server.change = kept.Handler();
  auto stub = server.Stub();
  grpc::ClientContext context;
  grpc::Status status;
  std::thread client([&] {
    Text answer;
    status = stub->Change(&context, MakeText("x"), &answer);
  });
  kept.came.WaitForNotification();
  EXPECT_FALSE(kept.call->abandoned());
  context.TryCancel();
  kept.abandoned.WaitForNotification();
  EXPECT_TRUE(kept.call->abandoned());
  client.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  server.Shutdown(absl::Seconds(5));
  kept.done(std::string("late"));
  EXPECT_EQ(kept.call->Header("x-absent"), absl::nullopt);
  kept.call->AddHeader("x-late", "1");
}

TEST(Abandonment, TheClientsDeadlineReachesTheHandler) {
  TrialServer server;
  Kept kept;
  server.change = kept.Handler();
  grpc::ClientContext context;
  // Long enough for the handler to be there before it.
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(2));
  Text answer;
  const grpc::Status status =
      server.Stub()->Change(&context, MakeText("x"), &answer);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  kept.abandoned.WaitForNotification();
  kept.done(std::string("late"));
}

TEST(Abandonment, ACallWithoutDeadlineIsCapped) {
  ServiceOptions options;
  // Long enough for the handlers to be there before it.
  options.max_call_time = absl::Seconds(2);
  TrialServer server(options);
  Kept read;
  Kept write;
  server.wait = read.Handler();
  server.change = write.Handler();
  auto stub = server.Stub();
  Text answer;
  grpc::ClientContext reading;
  const grpc::Status status = stub->Wait(&reading, MakeText("x"), &answer);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(ReasonOf(status), "DEADLINE_PASSED");
  EXPECT_TRUE(read.abandoned.HasBeenNotified());

  // Only its handler knows whether a change was made: its answer counts.
  std::thread answering([&write] {
    write.abandoned.WaitForNotification();
    write.done(MakeText("made").SerializeAsString());
  });
  grpc::ClientContext writing;
  ASSERT_TRUE(stub->Change(&writing, MakeText("x"), &answer).ok());
  EXPECT_EQ(answer.text(), "made");
  answering.join();
}

TEST(Abandonment, ARequestThatNeverComesIsCapped) {
  ServiceOptions options;
  options.max_call_time = absl::Milliseconds(50);
  TrialServer server(options);
  server.change = [](auto, auto, auto) { ADD_FAILURE() << "nothing was sent"; };
  grpc::GenericStub stub(server.Channel());
  grpc::ClientContext context;
  Silent reactor;
  stub.PrepareBidiStreamingCall(&context,
                                "/transparency.rpc.trial.TrialService/Change",
                                grpc::StubOptions(), &reactor);
  reactor.StartCall();
  reactor.done.WaitForNotification();
  EXPECT_EQ(reactor.result.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(ReasonOf(reactor.result), "DEADLINE_PASSED");
  server.Shutdown(absl::Seconds(5));
  EXPECT_EQ(server.service->running(), 0);
}

// A read of more than a slice, which counts how often it was only tried.
struct LongRead {
  absl::StatusOr<std::string> operator()(Call& call, const Text& text) {
    call.AddHeader("x-run", "once");
    const absl::Time end = absl::Now() + 2 * ReadPool::kSlice;
    while (absl::Now() < end) {
    }
    if (ReadPool::GiveWay()) return text.SerializeAsString();
    ++trials;
    return absl::CancelledError("tried");
  }
  std::atomic<int> trials{0};
};

TEST(Pool, ATriedReadThatTakesLongBeginsAnewInThePool) {
  TrialServer server({}, Place::kTried);
  LongRead read;
  server.scan = [&](Call& call, const Text& text) { return read(call, text); };
  grpc::ClientContext context;
  Text answer;
  ASSERT_TRUE(server.Stub()->Scan(&context, MakeText("x"), &answer).ok());
  EXPECT_EQ(answer.text(), "x");
  EXPECT_EQ(read.trials, 1);
  EXPECT_EQ(context.GetServerInitialMetadata().count("x-run"), 1u);
}

TEST(Pool, AReadThatWasHeldBackIsNotTriedWhereTheWaitEnds) {
  std::thread waiter;
  ServiceOptions options;
  options.admission = [&waiter](const std::shared_ptr<Call>&,
                                std::function<void(absl::Status)> resume) {
    waiter =
        std::thread([resume = std::move(resume)] { resume(absl::OkStatus()); });
    return false;
  };
  TrialServer server(options, Place::kTried);
  LongRead read;
  server.scan = [&](Call& call, const Text& text) { return read(call, text); };
  grpc::ClientContext context;
  Text answer;
  EXPECT_TRUE(server.Stub()->Scan(&context, MakeText("x"), &answer).ok());
  EXPECT_EQ(read.trials, 0);
  waiter.join();
}

TEST(Pool, AReadThatWasHeldBackLeavesTheThreadThatEndedItsWait) {
  for (const Place place : {Place::kInline, Place::kTried, Place::kPool}) {
    std::thread waiter;
    ServiceOptions options;
    options.admission = [&waiter](const std::shared_ptr<Call>&,
                                  std::function<void(absl::Status)> resume) {
      waiter = std::thread(
          [resume = std::move(resume)] { resume(absl::OkStatus()); });
      return false;
    };
    TrialServer server(options, place);
    std::thread::id ran_on;
    server.scan = [&](Call&, const Text& text) {
      ran_on = std::this_thread::get_id();
      return text.SerializeAsString();
    };
    grpc::ClientContext context;
    Text answer;
    EXPECT_TRUE(server.Stub()->Scan(&context, MakeText("x"), &answer).ok());
    EXPECT_NE(ran_on, waiter.get_id());
    waiter.join();
  }
}

TEST(Pool, WhoeverHasAReadInThePoolIsNotTried) {
  ServiceOptions options;
  options.pool_threads = 3;  // of which two may go on at one time
  TrialServer server(options, Place::kTried);
  LongRead read;
  absl::Notification in_pool, go_on;
  server.scan = [&](Call& call, const Text& text) {
    auto answer = read(call, text);
    if (answer.ok() && text.text() == "first") {
      in_pool.Notify();
      go_on.WaitForNotification();
    }
    return answer;
  };
  auto stub = server.Stub();
  std::thread first([&] {
    grpc::ClientContext context;
    Text answer;
    EXPECT_TRUE(stub->Scan(&context, MakeText("first"), &answer).ok());
  });
  in_pool.WaitForNotification();
  grpc::ClientContext context;
  Text answer;
  EXPECT_TRUE(stub->Scan(&context, MakeText("second"), &answer).ok());
  EXPECT_EQ(read.trials, 1);
  go_on.Notify();
  first.join();
}

TEST(Pool, AFullQueueRefusesWithRetryInfoAndTheRestIsAnswered) {
  ServiceOptions options;
  options.pool_threads = 2;
  options.pool_queue = 100;
  TrialServer server(options);
  absl::Notification open;
  server.scan = [&open](Call&, const Text& text) {
    open.WaitForNotification();
    return text.SerializeAsString();
  };
  constexpr int kCalls = 10'000;
  auto stub = server.Stub();
  struct OneCall {
    grpc::ClientContext context;
    Text request;
    Text answer;
  };
  std::vector<OneCall> calls(kCalls);
  std::atomic<int> answered{0};
  std::atomic<int> refused{0};
  std::atomic<int> other{0};
  absl::Notification all;
  std::atomic<int> left{kCalls};
  for (int i = 0; i < kCalls; ++i) {
    OneCall& call = calls[static_cast<size_t>(i)];
    call.request = MakeText(std::to_string(i));
    stub->async()->Scan(
        &call.context, &call.request, &call.answer,
        [&, i](const grpc::Status& status) {
          google::rpc::RetryInfo retry;
          if (status.ok()) {
            const OneCall& mine = calls[static_cast<size_t>(i)];
            answered += mine.answer.text() == mine.request.text() ? 1 : 0;
          } else if (status.error_code() ==
                         grpc::StatusCode::RESOURCE_EXHAUSTED &&
                     ReasonOf(status) == "OVERLOADED" &&
                     status::FindDetail(FromGrpc(status), &retry)) {
            // The gate opens once the queue has shown that it is bounded.
            if (++refused == kCalls / 2) open.Notify();
          } else {
            ++other;
          }
          if (--left == 0) all.Notify();
        });
  }
  all.WaitForNotification();
  EXPECT_EQ(other, 0);
  EXPECT_EQ(answered + refused, kCalls);
  EXPECT_GE(answered, 25);
  EXPECT_GE(refused, kCalls / 2);
}

TEST(Draining, RunningCallsEndWellNewOnesAreRefusedAndStreamsEnded) {
  TrialServer server;
  Kept kept;
  server.change = kept.Handler();
  server.health->Set("", true);
  auto stub = server.Stub();
  grpc::ClientContext running_context;
  grpc::Status running;
  Text running_answer;
  std::thread client([&] {
    running = stub->Change(&running_context, MakeText("x"), &running_answer);
  });
  kept.came.WaitForNotification();
  grpc::ClientContext chat_context;
  auto chat = stub->Chat(&chat_context);
  Text answer;
  ASSERT_TRUE(chat->Write(MakeText("x")));
  ASSERT_TRUE(chat->Read(&answer));
  EXPECT_EQ(server.service->running(), 2);

  server.service->StartDraining();
  EXPECT_FALSE(chat->Read(&answer));
  const grpc::Status ended = chat->Finish();
  EXPECT_EQ(ended.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(ended), "DRAINING");
  for (int i = 0; i < 2; ++i) {
    grpc::ClientContext context;
    const grpc::Status refused = stub->Echo(&context, MakeText("x"), &answer);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
    google::rpc::RetryInfo retry;
    EXPECT_TRUE(status::FindDetail(FromGrpc(refused), &retry));
  }

  std::thread shutting([&] { server.Shutdown(absl::Seconds(30)); });
  kept.done(MakeText("made").SerializeAsString());
  client.join();
  shutting.join();
  EXPECT_TRUE(running.ok()) << running.error_message();
  EXPECT_EQ(running_answer.text(), "made");
  EXPECT_EQ(server.service->running(), 0);
}

}  // namespace
}  // namespace transparency::rpc
