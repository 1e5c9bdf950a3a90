#pragma once

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/journal/clock.h"
#include "common/journal/replica.h"
#include "common/postgres/migrations.h"
#include "common/postgres/testing/test_database.h"
#include "common/resource/request_check.h"
#include "common/rpc/channel.h"
#include "common/rpc/embedded_descriptors.h"
#include "common/rpc/status_mapping.h"
#include "common/server/process.h"
#include "google/protobuf/message.h"
#include "grpcpp/client_context.h"
#include "grpcpp/impl/client_unary_call.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "gtest/gtest.h"
#include "schema/journal_schema.h"
#include "schema/standards_schema.h"
#include "standards-service/service/standards_service.h"

namespace transparency::standards {

// standards-service within the test: its own database, real ports, and a clock
// that the test moves.
class RunningService : public ::testing::Test {
 protected:
  RunningService()
      : database_("standards-service",
                  [](postgres::Session& session) {
                    return postgres::Migrate(&session, {schema::Journal(),
                                                        schema::Standards()})
                        .status();
                  }),
        tokens_(
            absl::StrCat(::testing::TempDir(), database_.name(), ".tokens")) {}

  void SetUp() override {
    server::BlockSignals();
    // SHA-256 of "staff-token".
    std::ofstream(tokens_) << kStaffDigest << " alice staff\n";
    server::ProcessOptions options;
    options.tokens_file = tokens_;
    options.service.domain = "standards.transparency";
    options.service.check_request = [](google::protobuf::Message& request) {
      return resource::CheckRequest(&request);
    };
    options.descriptor_set = EmbeddedDescriptorSet();
    process_ = std::make_unique<server::Process>(std::move(options));
    ASSERT_TRUE(service::AddKinds(&catalogue_).ok());
    journal::ReplicaOptions replica;
    replica.conninfo = database_.conninfo();
    replica_ = std::make_unique<journal::Replica>(replica, &catalogue_, &clock_,
                                                  &process_->registry());
    process_->Add(
        "replica", [this] { return replica_->Start(); },
        [this] { replica_->Stop(); });
    const absl::Status added =
        service::AddMethods(&catalogue_, &replica_->store(),
                            &replica_->writer(), &process_->methods());
    ASSERT_TRUE(added.ok()) << added;
    runner_ = std::thread([this] { ended_ = process_->Run(); });
    ASSERT_NE(process_->port(), 0) << (Stop(), ended_);
    auto channel =
        rpc::OpenChannel(absl::StrCat("127.0.0.1:", process_->port()));
    ASSERT_TRUE(channel.ok());
    channel_ = *std::move(channel);
  }

  void TearDown() override {
    Stop();
    EXPECT_TRUE(ended_.ok()) << ended_;
    std::remove(tokens_.c_str());
  }

  // Calls a method of StandardsService; without a token as the public.
  template <class Response, class Request>
  absl::StatusOr<Response> Call(const std::string& method,
                                const Request& request,
                                const std::string& token = "") {
    const std::string path = absl::StrCat("/", kService, "/", method);
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
    if (!token.empty()) {
      context.AddMetadata("authorization", absl::StrCat("Bearer ", token));
    }
    Response response;
    const grpc::Status status =
        grpc::internal::BlockingUnaryCall<Request, Response>(
            channel_.get(),
            grpc::internal::RpcMethod(path.c_str(),
                                      grpc::internal::RpcMethod::NORMAL_RPC),
            &context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  }
  template <class Response, class Request>
  absl::StatusOr<Response> StaffCall(const std::string& method,
                                     const Request& request) {
    return Call<Response>(method, request, "staff-token");
  }

  postgres::TestDatabase database_;
  journal::ManualClock clock_{
      absl::FromCivil(absl::CivilSecond(2026, 3, 10, 12), absl::UTCTimeZone())};

 private:
  static constexpr char kService[] =
      "transparency.standards.v1.StandardsService";
  static constexpr char kStaffDigest[] =
      "2a2dfdeca77ad756dd19bcb5b02ffdc85d401ddf5abbd10cda4ece41d3f85c54";

  void Stop() {
    if (!runner_.joinable()) return;
    process_->Stop();
    runner_.join();
  }

  const std::string tokens_;
  resource::Catalogue catalogue_;
  std::unique_ptr<server::Process> process_;
  std::unique_ptr<journal::Replica> replica_;
  std::thread runner_;
  absl::Status ended_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace transparency::standards
