// Streams of either direction against a real server with real channels.

#include <thread>

#include "common/rpc/server/tests/trial_server.h"

namespace transparency::rpc {
namespace {

TEST(Streams, ServerStreamingWritesInOrderWithBackPressure) {
  TrialServer server;
  server.count = [](auto, auto request, std::shared_ptr<AnswerWriter> writer) {
    const auto& text = static_cast<const Text&>(*request);
    std::make_shared<Counter>(std::stoi(text.text()), std::move(writer))
        ->Start();
    return absl::OkStatus();
  };
  grpc::ClientContext context;
  auto reader = server.Stub()->Count(&context, MakeText("500"));
  Text text;
  int expected = 0;
  while (reader->Read(&text))
    EXPECT_EQ(text.text(), std::to_string(expected++));
  EXPECT_EQ(expected, 500);
  EXPECT_TRUE(reader->Finish().ok());
}

TEST(Streams, AWriterIsReadyAgainOnlyOnceItsMessageIsOut) {
  TrialServer server;
  server.count = [](auto, auto, std::shared_ptr<AnswerWriter> writer) {
    EXPECT_TRUE(writer->ready());
    EXPECT_TRUE(writer->Write(MakeText("1")));
    EXPECT_FALSE(writer->ready());
    EXPECT_FALSE(writer->Write(MakeText("lost")));
    writer->Finish(status::Refuse(absl::StatusCode::kAborted, "HISTORY_CHANGED",
                                  "start again"));
    EXPECT_FALSE(writer->Write(MakeText("lost")));
    return absl::OkStatus();
  };
  grpc::ClientContext context;
  auto reader = server.Stub()->Count(&context, MakeText(""));
  Text text;
  ASSERT_TRUE(reader->Read(&text));
  EXPECT_EQ(text.text(), "1");
  EXPECT_FALSE(reader->Read(&text));
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(ReasonOf(status), "HISTORY_CHANGED");
}

TEST(Streams, ARefusalOrExceptionEndsAServerStream) {
  TrialServer server;
  server.count = [](auto, auto request, auto) -> absl::Status {
    if (static_cast<const Text&>(*request).text() == "throw") {
      throw std::runtime_error("secret");
    }
    return status::InvalidField("text", "no number");
  };
  auto stub = server.Stub();
  Text text;
  grpc::ClientContext refused;
  auto reader = stub->Count(&refused, MakeText("x"));
  EXPECT_FALSE(reader->Read(&text));
  EXPECT_EQ(ReasonOf(reader->Finish()), "INVALID_FIELDS");
  grpc::ClientContext thrown;
  reader = stub->Count(&thrown, MakeText("throw"));
  EXPECT_FALSE(reader->Read(&text));
  EXPECT_EQ(ReasonOf(reader->Finish()), "DEFECT");
}

TEST(Streams, CancellingAServerStreamTellsTheHandler) {
  TrialServer server;
  absl::Notification abandoned;
  std::shared_ptr<AnswerWriter> kept;
  server.count = [&](std::shared_ptr<Call> call, auto,
                     std::shared_ptr<AnswerWriter> writer) {
    kept = writer;
    writer->Write(MakeText("1"));
    call->OnAbandoned([&] { abandoned.Notify(); });
    return absl::OkStatus();
  };
  grpc::ClientContext context;
  auto reader = server.Stub()->Count(&context, MakeText(""));
  Text text;
  ASSERT_TRUE(reader->Read(&text));
  context.TryCancel();
  abandoned.WaitForNotification();
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  server.Shutdown(absl::Seconds(5));
  EXPECT_FALSE(kept->Write(MakeText("late")));
  kept->Finish(absl::OkStatus());
}

TEST(Streams, AStreamIsCappedEvenWhileItsClientReadsNothing) {
  ServiceOptions options;
  options.max_stream_time = absl::Milliseconds(100);
  TrialServer server(options);
  absl::Notification abandoned;
  server.count = [&](std::shared_ptr<Call> call, auto,
                     std::shared_ptr<AnswerWriter> writer) {
    call->OnAbandoned([&] { abandoned.Notify(); });
    writer->OnReady([writer = writer.get()] {
      writer->Write(MakeText(std::string(1 << 20, 'x')));
    });
    writer->Write(MakeText("1"));
    return absl::OkStatus();
  };
  grpc::ClientContext context;
  auto reader = server.Stub()->Count(&context, MakeText(""));
  abandoned.WaitForNotification();
  Text text;
  while (reader->Read(&text)) {
  }
  EXPECT_FALSE(reader->Finish().ok());
}

TEST(Streams, AnEndedStreamIsLetGoOfWhileItsClientReadsNothing) {
  TrialServer server;
  absl::Notification ended;
  server.count = [&](auto, auto, std::shared_ptr<AnswerWriter> writer) {
    writer->Write(MakeText(std::string(1 << 20, 'x')));
    writer->Finish(absl::ResourceExhaustedError("too slow"));
    ended.Notify();
    return absl::OkStatus();
  };
  grpc::ClientContext context;
  auto reader = server.Stub()->Count(&context, MakeText(""));
  ended.WaitForNotification();
  server.service->StartDraining();
  EXPECT_TRUE(server.service->WaitUntilIdle(absl::Now() + absl::Seconds(30)));
  Text text;
  while (reader->Read(&text)) {
  }
  EXPECT_FALSE(reader->Finish().ok());
}

TEST(Streams, WhatWasToTravelWithAnotherComesAlsoWhenNoneFollows) {
  TrialServer server;
  server.count = [](auto, auto, const std::shared_ptr<AnswerWriter>& writer) {
    const auto count = std::make_shared<int>(1);
    writer->OnReady([writer = writer.get(), count] {
      if (++*count > 3) return writer->Finish(absl::OkStatus());
      writer->Write(MakeText(std::to_string(*count)).SerializeAsString(), true);
    });
    writer->Write(MakeText("1").SerializeAsString(), true);
    return absl::OkStatus();
  };
  grpc::ClientContext context;
  // The client's next ping, after 20 s, would make gRPC write what waits.
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(10));
  auto reader = server.Stub()->Count(&context, MakeText(""));
  Text text;
  for (const char* expected : {"1", "2", "3"}) {
    ASSERT_TRUE(reader->Read(&text));
    EXPECT_EQ(text.text(), expected);
  }
  EXPECT_FALSE(reader->Read(&text));
  EXPECT_TRUE(reader->Finish().ok());
}

TEST(Streams, ClientStreamingTakesManyAndAnswersOne) {
  TrialServer server;
  grpc::ClientContext context;
  Text answer;
  auto writer = server.Stub()->Join(&context, &answer);
  for (const char* part : {"a", "b", "c"}) writer->Write(MakeText(part));
  writer->WritesDone();
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(answer.text(), "a,b,c");
}

TEST(Streams, BidirectionalSendsHeadersFirstAndTrailersLast) {
  TrialServer server;
  grpc::ClientContext context;
  auto stream = server.Stub()->Chat(&context);
  stream->WaitForInitialMetadata();
  EXPECT_EQ(context.GetServerInitialMetadata().find("x-chat")->second, "open");
  EXPECT_EQ(context.GetServerInitialMetadata().count("x-request-id"), 1u);
  Text answer;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(stream->Write(MakeText(std::to_string(i))));
    ASSERT_TRUE(stream->Read(&answer));
    EXPECT_EQ(answer.text(), std::to_string(i));
  }
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&answer));
  ASSERT_TRUE(stream->Finish().ok());
  EXPECT_EQ(context.GetServerTrailingMetadata().find("x-chat-end")->second,
            "bye");
}

TEST(Streams, AnExceptionInAReactionIsADefect) {
  TrialServer server;
  grpc::ClientContext context;
  auto stream = server.Stub()->Chat(&context);
  ASSERT_TRUE(stream->Write(MakeText("throw")));
  Text answer;
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(ReasonOf(stream->Finish()), "DEFECT");
}

TEST(Streams, CancellationReachesTheHandler) {
  TrialServer server;
  auto stub = server.Stub();
  grpc::ClientContext context;
  auto stream = stub->Chat(&context);
  ASSERT_TRUE(stream->Write(MakeText("x")));
  Text answer;
  ASSERT_TRUE(stream->Read(&answer));
  context.TryCancel();
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (server.service->running() > 0 && absl::Now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(server.service->running(), 0);
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace transparency::rpc
