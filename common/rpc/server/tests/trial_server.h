#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/rpc/channel.h"
#include "common/rpc/method_table.h"
#include "common/rpc/server/embedded_descriptors.h"
#include "common/rpc/server/generic_service.h"
#include "common/rpc/server/health.h"
#include "common/rpc/server/reflection.h"
#include "common/rpc/server/server_arguments.h"
#include "common/rpc/server/tests/trial.grpc.pb.h"
#include "common/rpc/status_mapping.h"
#include "common/status/status.h"
#include "google/rpc/error_details.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"

namespace transparency::rpc {

using trial::Text;
using trial::TrialService;

inline Text MakeText(const std::string& value) {
  Text text;
  text.set_text(value);
  return text;
}

inline std::string ReasonOf(const grpc::Status& status) {
  return status::Reason(FromGrpc(status));
}

// Joins many requests with commas.
class JoinHandler : public StreamHandler {
 public:
  explicit JoinHandler(std::shared_ptr<Stream> stream)
      : stream_(std::move(stream)) {}
  void OnStart() override { stream_->Read(); }
  void OnMessage(grpc::ByteBuffer message) override {
    Text text;
    if (!Parse(message, &text)) {
      return stream_->Finish(absl::InvalidArgumentError("no Text"));
    }
    if (!joined_.empty()) joined_ += ",";
    joined_ += text.text();
    stream_->Read();
  }
  void OnHalfClose() override {
    stream_->Write(ToByteBuffer(MakeText(joined_).SerializeAsString()));
    stream_->Finish(absl::OkStatus());
  }
  void OnWritten(bool) override {}
  void OnAbandoned() override {}

 private:
  std::shared_ptr<Stream> stream_;
  std::string joined_;
};

// Sends each message back.
class ChatHandler : public StreamHandler {
 public:
  explicit ChatHandler(std::shared_ptr<Stream> stream)
      : stream_(std::move(stream)) {}
  void OnStart() override {
    stream_->call().AddHeader("x-chat", "open");
    stream_->SendHeaders();
    stream_->Read();
  }
  void OnMessage(grpc::ByteBuffer message) override {
    Text text;
    if (Parse(message, &text) && text.text() == "throw") {
      throw std::runtime_error("thrown by Chat");
    }
    stream_->Write(message);
  }
  void OnHalfClose() override {
    stream_->call().AddTrailer("x-chat-end", "bye");
    stream_->Finish(absl::OkStatus());
  }
  void OnWritten(bool ok) override {
    if (ok) stream_->Read();
  }
  void OnAbandoned() override {}

 private:
  std::shared_ptr<Stream> stream_;
};

// A server of TrialService on a free port, whose handlers tests replace.
class TrialServer {
 public:
  using Unary = std::function<absl::StatusOr<std::string>(Call&, const Text&)>;

  // `scan_place` is where Scan runs.
  explicit TrialServer(ServiceOptions options = {},
                       Place scan_place = Place::kPool) {
    if (options.domain.empty()) options.domain = "trial.transparency";
    AddRows(scan_place);
    health = Health::Create();
    health->AddRows(&table);
    auto made = Reflection::Create(EmbeddedDescriptorSet());
    EXPECT_TRUE(made.ok()) << made.status();
    Reflection::AddRows(*made, &table, {"also.listed.Service"});
    const absl::Status checked = table.Check();
    EXPECT_TRUE(checked.ok()) << checked;
    service =
        std::make_unique<GenericService>(&table, std::move(options), &registry);
    Serve(service.get());
  }
  ~TrialServer() { Shutdown(absl::Seconds(5)); }

  void Shutdown(absl::Duration patience) {
    service->Shutdown(absl::Now() + patience);
  }

  std::shared_ptr<grpc::Channel> Channel() {
    auto channel = OpenChannel(target);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return *channel;
  }
  std::unique_ptr<TrialService::Stub> Stub() {
    return TrialService::NewStub(Channel());
  }

  // Handlers, to be set before the first call.
  Unary echo = [](Call&, const Text& text) { return text.SerializeAsString(); };
  Unary scan = [](Call&, const Text& text) { return text.SerializeAsString(); };
  UnaryHandler wait;
  UnaryHandler change;
  ServerStreamHandler count;

  MethodTable table;
  prometheus::Registry registry;
  std::shared_ptr<Health> health;
  std::unique_ptr<GenericService> service;
  std::string target;

 private:
  void AddRows(Place scan_place);
  void Serve(GenericService* generic);
};

inline void TrialServer::AddRows(Place scan_place) {
  auto rows = table.Service("transparency.rpc.trial.TrialService");
  rows.Unary<Text, std::string>(
      "Echo", Place::kInline,
      [this](Call& call, const Text& text) { return echo(call, text); });
  rows.Unary<Text, std::string>(
      "Scan", scan_place,
      [this](Call& call, const Text& text) { return scan(call, text); });
  rows.UnaryAsync(
      "Wait", [this](std::shared_ptr<Call> call, auto request, UnaryDone done) {
        wait(std::move(call), std::move(request), std::move(done));
      });
  rows.UnaryAsync("Change", [this](std::shared_ptr<Call> call, auto request,
                                   UnaryDone done) {
    change(std::move(call), std::move(request), std::move(done));
  });
  rows.Unary<Text, Text>("WhoAmI", Place::kInline,
                         [](Call& call, const Text&) -> absl::StatusOr<Text> {
                           return MakeText(call.caller().subject);
                         });
  rows.Unary<Text, Text>(
      "StaffOnly", Place::kInline,
      [](Call&, const Text& text) -> absl::StatusOr<Text> { return text; });
  rows.ServerStream<Text>(
      "Count", [this](std::shared_ptr<Call> call, const Text& request,
                      std::shared_ptr<AnswerWriter> writer) {
        return count(std::move(call), std::make_unique<Text>(request),
                     std::move(writer));
      });
  rows.Stream("Join", [](std::shared_ptr<Stream> stream) {
    return std::make_shared<JoinHandler>(std::move(stream));
  });
  rows.Stream("Chat", [](std::shared_ptr<Stream> stream) {
    return std::make_shared<ChatHandler>(std::move(stream));
  });
}

inline void TrialServer::Serve(GenericService* generic) {
  grpc::ServerBuilder builder;
  SetServerArguments(4 << 20, &builder);
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  EXPECT_TRUE(generic->Serve(&builder).ok());
  target = absl::StrCat("127.0.0.1:", port);
}

// A writer's life for Count: N messages, each when the one before is out.
class Counter : public std::enable_shared_from_this<Counter> {
 public:
  Counter(int until, std::shared_ptr<AnswerWriter> writer)
      : until_(until), writer_(std::move(writer)) {}
  void Start() {
    writer_->OnReady([self = shared_from_this()] { self->Next(); });
    Next();
  }

 private:
  void Next() {
    if (next_ == until_) return writer_->Finish(absl::OkStatus());
    writer_->Write(MakeText(std::to_string(next_++)));
  }
  const int until_;
  int next_ = 0;
  std::shared_ptr<AnswerWriter> writer_;
};

}  // namespace transparency::rpc
