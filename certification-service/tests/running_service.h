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
#include "certification-service/domain/registry_rules.h"
#include "certification-service/service/certification_service.h"
#include "common/journal/clock.h"
#include "common/journal/replica.h"
#include "common/postgres/migrations.h"
#include "common/postgres/testing/test_database.h"
#include "common/resource/request_check.h"
#include "common/rpc/channel.h"
#include "common/rpc/embedded_descriptors.h"
#include "common/rpc/status_mapping.h"
#include "common/server/process.h"
#include "google/protobuf/text_format.h"
#include "grpcpp/client_context.h"
#include "grpcpp/impl/client_unary_call.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "gtest/gtest.h"
#include "schema/certification_schema.h"
#include "schema/journal_schema.h"

namespace transparency::certification {

// certification-service within the test: its own database, real ports, and a
// clock that the test moves; it stands at noon (UTC) of 2026-03-02.
class RunningService : public ::testing::Test {
 protected:
  RunningService()
      : database_("certification-service",
                  [](postgres::Session& session) {
                    return postgres::Migrate(
                               &session,
                               {schema::Journal(), schema::Certification()})
                        .status();
                  }),
        tokens_(
            absl::StrCat(::testing::TempDir(), database_.name(), ".tokens")) {}

  void SetUp() override {
    server::BlockSignals();
    std::ofstream(tokens_) << kStaffDigest << " alice staff\n";
    server::ProcessOptions options;
    options.tokens_file = tokens_;
    options.service.domain = "certification.transparency";
    options.service.check_request = [](google::protobuf::Message& request) {
      return resource::CheckRequest(&request);
    };
    options.descriptor_set = EmbeddedDescriptorSet();
    process_ = std::make_unique<server::Process>(std::move(options));
    ASSERT_EQ(domain::AddKinds(&catalogue_), absl::OkStatus());
    journal::ReplicaOptions replica;
    replica.conninfo = database_.conninfo();
    replica_ = std::make_unique<journal::Replica>(replica, &catalogue_, &clock_,
                                                  &process_->registry());
    process_->Add(
        "replica", [this] { return replica_->Start(); },
        [this] { replica_->Stop(); });
    ASSERT_EQ(service::AddMethods(&catalogue_, &replica_->store(),
                                  &replica_->writer(), &process_->methods()),
              absl::OkStatus());
    runner_ = std::thread([this] { ended_ = process_->Run(); });
    ASSERT_NE(process_->port(), 0) << (Stop(), ended_);
    auto channel =
        rpc::OpenChannel(absl::StrCat("127.0.0.1:", process_->port()));
    ASSERT_EQ(channel.status(), absl::OkStatus());
    channel_ = *std::move(channel);
  }

  void TearDown() override {
    Stop();
    EXPECT_EQ(ended_, absl::OkStatus());
    std::remove(tokens_.c_str());
  }

  // Calls a method with a request in text form; without a token as the public.
  template <class Request, class Response>
  absl::StatusOr<Response> Call(const std::string& method,
                                const std::string& text,
                                const std::string& token = "") {
    Request request;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request))
        << text;
    const std::string path = absl::StrCat(
        "/transparency.certification.v1.CertificationService/", method);
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
  template <class Request, class Response>
  absl::StatusOr<Response> StaffCall(const std::string& method,
                                     const std::string& text) {
    return Call<Request, Response>(method, text, "staff-token");
  }

  postgres::TestDatabase database_;
  journal::ManualClock clock_{
      absl::FromCivil(absl::CivilSecond(2026, 3, 2, 12), absl::UTCTimeZone())};

 private:
  // SHA-256 of "staff-token".
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

}  // namespace transparency::certification
