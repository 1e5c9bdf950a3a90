#include "common/service/testing/running_service.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/journal/replica/check.h"
#include "common/rpc/channel.h"
#include "common/rpc/status_mapping.h"
#include "common/rpc/stream.h"
#include "grpcpp/client_context.h"
#include "grpcpp/impl/codegen/client_unary_call.h"

namespace transparency::service {
namespace {

constexpr absl::Duration kCallTime = absl::Seconds(60);

// SHA-256 of the tokens.
constexpr char kTokens[] =
    "2a2dfdeca77ad756dd19bcb5b02ffdc85d401ddf5abbd10cda4ece41d3f85c54 staff "
    "staff\n"
    "9c220f200955d76c0a38d308225e0ef10c5f971acaf2f8d1d8f732affa5bd1dc alice -\n"
    "97dd3707015dcf069cf73022ed7173b1165db6eff24b441cb57fd069a8c4e525 bob -\n";

std::string WriteTokens() {
  std::string path = absl::StrCat(testing::TempDir(), "tokens.XXXXXX");
  const int file = mkstemp(path.data());
  EXPECT_GE(file, 0);
  close(file);
  std::ofstream(path) << kTokens;
  return path;
}

}  // namespace

std::unique_ptr<postgres::TestDatabase> MakeDatabase(const Service& service) {
  return std::make_unique<postgres::TestDatabase>(
      service.name, [&](postgres::Session& session) {
        return postgres::Migrate(&session, SchemaOf(service)).status();
      });
}

RunningService::RunningService(const Service& service,
                               const postgres::TestDatabase& database,
                               absl::Time now)
    : proto_service_(service.proto_service),
      tokens_(WriteTokens()),
      clock_(now) {
  server::BlockSignals();
  server::ProcessOptions options;
  options.tokens_file = tokens_;
  journal::ReplicaOptions replica;
  replica.conninfo = database.conninfo();
  auto made = ReplicaProcess::Make(service, std::move(options),
                                   std::move(replica), &clock_);
  EXPECT_TRUE(made.ok()) << made.status();
  replica_ = *std::move(made);
  runner_ = std::thread([this] { ended_ = replica_->Run(); });
  const int port = replica_->process().port();
  EXPECT_NE(port, 0);
  auto channel = rpc::OpenChannel(absl::StrCat("127.0.0.1:", port));
  EXPECT_TRUE(channel.ok()) << channel.status();
  channel_ = *std::move(channel);
}

RunningService::~RunningService() {
  replica_->process().Stop();
  runner_.join();
  EXPECT_TRUE(ended_.ok()) << ended_;
  unlink(tokens_.c_str());
}

absl::Status RunningService::CallInto(absl::string_view token,
                                      absl::string_view method,
                                      const google::protobuf::Message& request,
                                      google::protobuf::Message* answer) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kCallTime));
  if (!token.empty()) {
    context.AddMetadata("authorization", absl::StrCat("Bearer ", token));
  }
  const std::string path = absl::StrCat("/", proto_service_, "/", method);
  const grpc::internal::RpcMethod rpc_method(
      path.c_str(), grpc::internal::RpcMethod::NORMAL_RPC);
  grpc::ByteBuffer received;
  const grpc::Status status = grpc::internal::BlockingUnaryCall(
      channel_.get(), rpc_method, &context,
      rpc::ToByteBuffer(request.SerializeAsString()), &received);
  EXPECT_TRUE(!status.ok() || rpc::Parse(received, answer));
  return rpc::FromGrpc(status);
}

RunningServiceTest::~RunningServiceTest() {
  EXPECT_EQ(ProblemsOf(service_, database_), "");
}

std::string ProblemsOf(const Service& service,
                       const postgres::TestDatabase& database) {
  resource::Catalogue catalogue;
  absl::Status added = service.add_kinds(&catalogue);
  if (!added.ok()) return added.ToString();
  auto session = database.Connect();
  auto report = journal::Check(session.get(), catalogue, absl::Now());
  return report.ok() ? absl::StrJoin(report->problems, "\n")
                     : report.status().ToString();
}

}  // namespace transparency::service
