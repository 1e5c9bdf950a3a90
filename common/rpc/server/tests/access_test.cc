// Caller and access, health, reflection, metrics and pass-through, as clients
// see them.

#include <filesystem>
#include <fstream>

#include "common/rpc/server/tests/trial_server.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "grpcpp/generic/generic_stub.h"
#include "prometheus/text_serializer.h"

namespace transparency::rpc {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsSupersetOf;

// Digests of "alpha" (staff), "beta" (no role) and "gamma" (gateway).
constexpr char kTokens[] =
    "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8 ann "
    "staff\n"
    "f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753 bob -\n"
    "be9d587defa1f0c09ef49eb17e206983a5f8f8289e4281860bd0ee5a19592c67 gate "
    "gateway\n";

class AccessTest : public testing::Test {
 protected:
  AccessTest() {
    std::string pattern = "/tmp/access.XXXXXX";
    folder_ = mkdtemp(pattern.data());
    std::ofstream(folder_ / "tokens") << kTokens;
    ServiceOptions options;
    auto callers = CallerDirectory::Open(folder_ / "tokens");
    EXPECT_TRUE(callers.ok()) << callers.status();
    options.callers = *std::move(callers);
    server_ = std::make_unique<TrialServer>(options);
    stub_ = server_->Stub();
  }
  ~AccessTest() override { std::filesystem::remove_all(folder_); }

  template <class Method>
  grpc::Status As(const std::string& authorization, Method method,
                  std::string* text = nullptr) {
    grpc::ClientContext context;
    if (!authorization.empty()) {
      context.AddMetadata("authorization", authorization);
    }
    Text answer;
    grpc::Status status =
        (stub_.get()->*method)(&context, MakeText("x"), &answer);
    if (text != nullptr) *text = answer.text();
    return status;
  }

  std::filesystem::path folder_;
  std::unique_ptr<TrialServer> server_;
  std::unique_ptr<TrialService::Stub> stub_;
};

// What a handler is told of a call with these headers: address, share, seen.
class GatewayTrustTest : public AccessTest {
 protected:
  std::string Told(const Metadata& headers) {
    std::string told;
    server_->echo = [&told](Call& call, const Text& text) {
      told = absl::StrCat(call.address(), " ", call.share_key(), " ",
                          call.Header("x-seen-revision").value_or("-"), " ",
                          call.Header("x-gateway-token").value_or("-"));
      return text.SerializeAsString();
    };
    grpc::ClientContext context;
    for (const auto& [key, value] : headers) context.AddMetadata(key, value);
    Text answer;
    const grpc::Status status = stub_->Echo(&context, MakeText("x"), &answer);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return told;
  }
};

TEST_F(GatewayTrustTest, BelievesTheGatewayAlone) {
  const Metadata said = {{"x-client-address", "2001:db8:1:2:3::9"},
                         {"x-seen-revision", "7.dddddddd"}};
  const auto with = [&said](const std::string& key, const std::string& value) {
    Metadata headers = said;
    headers.emplace_back(key, value);
    return headers;
  };
  EXPECT_EQ(Told(said), "127.0.0.1 127.0.0.1 - -");
  EXPECT_EQ(Told(with("x-gateway-token", "gamm")), "127.0.0.1 127.0.0.1 - -");
  // Known, and no gateway.
  EXPECT_EQ(Told(with("x-gateway-token", "alpha")), "127.0.0.1 127.0.0.1 - -");
  EXPECT_EQ(Told(with("authorization", "Bearer gamma")),
            "127.0.0.1 subject gate - -");
  EXPECT_EQ(Told(with("x-gateway-token", "gamma")),
            "2001:db8:1:2:3::9 2001:db8:1:2::/64 7.dddddddd -");
  EXPECT_EQ(Told({{"x-gateway-token", "gamma"}, {"x-client-address", "here"}}),
            "127.0.0.1 127.0.0.1 - -");
}

TEST_F(AccessTest, RefusesHeadersThatAreTooLargeInAllAndOnesOfOtherBytes) {
  for (const int size : {1'000, 15'000, 16'000, 17'000, 40'000}) {
    grpc::ClientContext context;
    context.AddMetadata("x-anything", std::string(size, 'a'));
    Text answer;
    const grpc::Status status = stub_->Echo(&context, MakeText("x"), &answer);
    if (size < 16'000) {
      EXPECT_TRUE(status.ok()) << size << ": " << status.error_message();
    } else if (size > 16'384) {
      EXPECT_EQ(ReasonOf(status), "LIMIT_EXCEEDED") << size;
    }
  }
}

TEST_F(AccessTest, FollowsTokenAndAnnotation) {
  using Code = grpc::StatusCode;
  using Method = grpc::Status (TrialService::Stub::*)(grpc::ClientContext*,
                                                      const Text&, Text*);
  const Method open = &TrialService::Stub::Echo;
  const Method identified = &TrialService::Stub::WhoAmI;
  const Method staff = &TrialService::Stub::StaffOnly;
  const struct {
    const char* authorization;
    Method method;
    Code code;
    const char* reason;
  } kRows[] = {
      {"", open, Code::OK, ""},
      {"Bearer beta", open, Code::OK, ""},
      {"bearer  alpha", staff, Code::OK, ""},
      {"", identified, Code::UNAUTHENTICATED, "TOKEN_UNKNOWN"},
      {"", staff, Code::UNAUTHENTICATED, "TOKEN_UNKNOWN"},
      {"Bearer beta", identified, Code::OK, ""},
      {"Bearer beta", staff, Code::PERMISSION_DENIED, "ROLE_MISSING"},
      {"Bearer nope", open, Code::UNAUTHENTICATED, "TOKEN_UNKNOWN"},
      {"Basic abc", open, Code::UNAUTHENTICATED, "TOKEN_UNKNOWN"},
      {"Bearer", open, Code::UNAUTHENTICATED, "TOKEN_UNKNOWN"},
  };
  for (const auto& row : kRows) {
    const grpc::Status status = As(row.authorization, row.method);
    EXPECT_EQ(status.error_code(), row.code) << row.authorization;
    EXPECT_EQ(ReasonOf(status), row.reason) << row.authorization;
  }
  std::string subject;
  EXPECT_TRUE(As("Bearer alpha", identified, &subject).ok());
  EXPECT_EQ(subject, "ann");
}

TEST_F(AccessTest, ATwofoldTokenIsRefused) {
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer alpha");
  context.AddMetadata("authorization", "Bearer beta");
  Text answer;
  EXPECT_EQ(ReasonOf(stub_->WhoAmI(&context, MakeText("x"), &answer)),
            "TOKEN_UNKNOWN");
}

TEST(Access, WithoutTokensFileOnlyThePublicIsKnown) {
  TrialServer server;
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer alpha");
  Text answer;
  const grpc::Status status =
      server.Stub()->Echo(&context, MakeText("x"), &answer);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST(HealthTest, ChecksAndWatchesByService) {
  using grpc::health::v1::HealthCheckResponse;
  TrialServer server;
  auto stub = grpc::health::v1::Health::NewStub(server.Channel());
  const auto check = [&stub](const std::string& service) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    HealthCheckResponse response;
    const grpc::Status status = stub->Check(&context, request, &response);
    return status.ok() ? static_cast<int>(response.status())
                       : -static_cast<int>(status.error_code());
  };
  EXPECT_EQ(check(""), -static_cast<int>(grpc::StatusCode::NOT_FOUND));
  server.health->Set("", true);
  server.health->Set("a", false);
  EXPECT_EQ(check(""), HealthCheckResponse::SERVING);
  EXPECT_EQ(check("a"), HealthCheckResponse::NOT_SERVING);

  grpc::ClientContext context;
  grpc::health::v1::HealthCheckRequest request;
  request.set_service("b");
  auto watch = stub->Watch(&context, request);
  HealthCheckResponse seen;
  ASSERT_TRUE(watch->Read(&seen));
  EXPECT_EQ(seen.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  server.health->Set("b", true);
  ASSERT_TRUE(watch->Read(&seen));
  EXPECT_EQ(seen.status(), HealthCheckResponse::SERVING);
  // What changes faster than the watcher reads: the last state always comes.
  for (int i = 0; i < 100; ++i) server.health->Set("b", i % 2 == 1);
  server.health->Drain();
  do {
    ASSERT_TRUE(watch->Read(&seen));
  } while (seen.status() != HealthCheckResponse::NOT_SERVING);
  server.health->Set("b", true);
  EXPECT_EQ(check("b"), HealthCheckResponse::NOT_SERVING);
  server.service->StartDraining();
  EXPECT_EQ(check(""), HealthCheckResponse::NOT_SERVING);
  while (watch->Read(&seen)) {
  }
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

template <class Service, class Request, class Response>
class Asking {
 public:
  explicit Asking(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(Service::NewStub(channel)),
        stream_(stub_->ServerReflectionInfo(&context_)) {}
  ~Asking() {
    stream_->WritesDone();
    EXPECT_TRUE(stream_->Finish().ok());
  }
  Response Ask(const Request& request) {
    EXPECT_TRUE(stream_->Write(request));
    Response response;
    EXPECT_TRUE(stream_->Read(&response));
    return response;
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<typename Service::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<Request, Response>> stream_;
};

template <class Service, class Request, class Response>
void ExpectReflection() {
  TrialServer server;
  Asking<Service, Request, Response> reflection(server.Channel());
  Request request;
  request.set_list_services("");
  std::vector<std::string> names;
  const Response list = reflection.Ask(request);
  for (const auto& service : list.list_services_response().service()) {
    names.push_back(service.name());
  }
  EXPECT_THAT(names, IsSupersetOf({"transparency.rpc.trial.TrialService",
                                   "grpc.health.v1.Health",
                                   "grpc.reflection.v1.ServerReflection",
                                   "grpc.reflection.v1alpha.ServerReflection",
                                   "also.listed.Service"}));
  // Everything listed and served here resolves, with all it imports.
  for (const std::string& name : names) {
    if (name == "also.listed.Service") continue;
    request.set_file_containing_symbol(name);
    EXPECT_TRUE(reflection.Ask(request).has_file_descriptor_response()) << name;
  }
  for (const char* symbol : {"google.rpc.ErrorInfo", "google.rpc.Status",
                             "transparency.rpc.trial.Text.text",
                             "transparency.rpc.trial.TrialService.Echo"}) {
    request.set_file_containing_symbol(symbol);
    EXPECT_TRUE(reflection.Ask(request).has_file_descriptor_response())
        << symbol;
  }
  request.set_file_by_filename("common/rpc/server/tests/trial.proto");
  google::protobuf::FileDescriptorProto file;
  const auto files = reflection.Ask(request).file_descriptor_response();
  ASSERT_GE(files.file_descriptor_proto_size(), 1);
  ASSERT_TRUE(file.ParseFromString(files.file_descriptor_proto(0)));
  EXPECT_THAT(file.source_code_info().ShortDebugString(),
              HasSubstr("looked for by reflection"));
  EXPECT_THAT(file.ShortDebugString(), HasSubstr("access"));

  auto* extension = request.mutable_file_containing_extension();
  extension->set_containing_type("google.protobuf.MethodOptions");
  extension->set_extension_number(50101);
  EXPECT_TRUE(reflection.Ask(request).has_file_descriptor_response());
  request.set_all_extension_numbers_of_type("google.protobuf.MethodOptions");
  const Response numbers = reflection.Ask(request);
  EXPECT_THAT(numbers.all_extension_numbers_response().extension_number(),
              Contains(50101));
  request.set_file_containing_symbol("no.such.Thing");
  EXPECT_EQ(reflection.Ask(request).error_response().error_code(),
            grpc::StatusCode::NOT_FOUND);
  request.set_file_by_filename("none.proto");
  EXPECT_EQ(reflection.Ask(request).error_response().error_code(),
            grpc::StatusCode::NOT_FOUND);
  request.Clear();
  EXPECT_EQ(reflection.Ask(request).error_response().error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST(ReflectionTest, AnswersVersion1) {
  namespace v1 = grpc::reflection::v1;
  ExpectReflection<v1::ServerReflection, v1::ServerReflectionRequest,
                   v1::ServerReflectionResponse>();
}

TEST(ReflectionTest, AnswersVersion1Alpha) {
  namespace v1alpha = grpc::reflection::v1alpha;
  ExpectReflection<v1alpha::ServerReflection, v1alpha::ServerReflectionRequest,
                   v1alpha::ServerReflectionResponse>();
}

TEST(ReflectionTest, RefusesWhatIsNoDescriptorSet) {
  EXPECT_FALSE(Reflection::Create("nonsense").ok());
  EXPECT_FALSE(
      Reflection::Create(EmbeddedDescriptorSet().substr(0, 1000)).ok());
}

TEST(MetricsTest, CountCallsByMethodAndCodeAndNoMadeUpNames) {
  TrialServer server;
  auto stub = server.Stub();
  Text answer;
  for (int i = 0; i < 3; ++i) {
    grpc::ClientContext context;
    ASSERT_TRUE(stub->Echo(&context, MakeText("x"), &answer).ok());
  }
  grpc::ClientContext refused;
  EXPECT_FALSE(stub->StaffOnly(&refused, MakeText("x"), &answer).ok());
  grpc::GenericStub generic(server.Channel());
  grpc::ClientContext unknown;
  grpc::ByteBuffer request = ToByteBuffer("");
  grpc::ByteBuffer response;
  absl::Notification done;
  generic.UnaryCall(&unknown, "/made.Up/Name", {}, &request, &response,
                    [&](const grpc::Status&) { done.Notify(); });
  done.WaitForNotification();
  const std::string metrics =
      prometheus::TextSerializer().Serialize(server.registry.Collect());
  EXPECT_THAT(metrics,
              HasSubstr("rpc_calls_total{code=\"OK\",method=\"transparency.rpc."
                        "trial.TrialService/Echo\"} 3"));
  EXPECT_THAT(metrics, HasSubstr("code=\"UNAUTHENTICATED\""));
  EXPECT_THAT(metrics,
              HasSubstr("{code=\"UNIMPLEMENTED\",method=\"other\"} 1"));
  EXPECT_EQ(metrics.find("made.Up"), std::string::npos);
}

// Ends every call with a status of its own, as another server sent it.
class Relay final : public StreamHandler {
 public:
  explicit Relay(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  void OnStart() override { stream_->Read(); }
  void OnMessage(grpc::ByteBuffer message) override {
    stream_->call().AddHeader("x-request-id", "theirs");
    stream_->call().AddTrailer("x-t", "1");
    stream_->Write(message);
  }
  void OnHalfClose() override {}
  void OnWritten(bool) override {
    stream_->FinishRaw(
        grpc::Status(grpc::StatusCode::ABORTED, "their words", "their bytes"));
  }
  void OnAbandoned() override {}

 private:
  std::shared_ptr<Stream> stream_;
};

TEST(PassThrough, LeavesStatusDetailsHeadersAndTrailersUnchanged) {
  MethodTable table;
  const google::protobuf::MethodDescriptor* descriptor = nullptr;
  table.PassThrough([&](std::shared_ptr<Stream> stream) {
    descriptor = stream->call().descriptor();
    EXPECT_EQ(stream->call().Header("authorization"), "Bearer unknown-here");
    return std::make_shared<Relay>(std::move(stream));
  });
  ASSERT_TRUE(table.Check().ok());
  prometheus::Registry registry;
  GenericService service(&table, {}, &registry);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  ASSERT_TRUE(service.Serve(&builder).ok());
  auto channel = OpenChannel("127.0.0.1:" + std::to_string(port));
  ASSERT_TRUE(channel.ok());
  for (const bool known : {true, false}) {
    grpc::GenericStub stub(*channel);
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer unknown-here");
    struct Client
        : grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
      void OnReadDone(bool ok) override {
        if (ok) ++messages;
        if (ok) StartRead(&incoming);
      }
      void OnDone(const grpc::Status& status) override {
        result = status;
        done.Notify();
      }
      grpc::ByteBuffer incoming;
      int messages = 0;
      grpc::Status result;
      absl::Notification done;
    } client;
    stub.PrepareBidiStreamingCall(
        &context,
        known ? "/transparency.rpc.trial.TrialService/Chat"
              : "/new.Service/New",
        {}, &client);
    grpc::ByteBuffer outgoing = ToByteBuffer("any bytes \xff");
    client.StartWrite(&outgoing);
    client.StartRead(&client.incoming);
    client.StartCall();
    client.done.WaitForNotification();
    EXPECT_EQ(client.messages, 1);
    EXPECT_EQ(client.result.error_code(), grpc::StatusCode::ABORTED);
    EXPECT_EQ(client.result.error_message(), "their words");
    EXPECT_EQ(client.result.error_details(), "their bytes");
    EXPECT_EQ(context.GetServerInitialMetadata().count("x-request-id"), 1u);
    EXPECT_EQ(context.GetServerInitialMetadata().find("x-request-id")->second,
              "theirs");
    EXPECT_EQ(context.GetServerTrailingMetadata().find("x-t")->second, "1");
    EXPECT_EQ(descriptor != nullptr, known);
  }
  service.Shutdown(absl::Now() + absl::Seconds(5));
}

TEST(ChannelTest, RefusesWhatGrpcWouldNotAccept) {
  EXPECT_FALSE(OpenChannel("").ok());
  ChannelOptions options;
  options.service_config = "{";
  EXPECT_FALSE(OpenChannel("127.0.0.1:1", options).ok());
  options.service_config = R"({"methodConfig": [{"name": [{}], "retryPolicy": {
      "maxAttempts": 1}}]})";
  EXPECT_FALSE(OpenChannel("127.0.0.1:1", options).ok());
  options.service_config = R"({"methodConfig": [{"name": [{}],
      "waitForReady": true}]})";
  EXPECT_TRUE(OpenChannel("127.0.0.1:1", options).ok());
}

}  // namespace
}  // namespace transparency::rpc
