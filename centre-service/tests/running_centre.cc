#include "centre-service/tests/running_centre.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "centre-service/domain/centres.h"
#include "centre-service/service/centre_service.h"
#include "common/journal/check.h"
#include "common/postgres/migrations.h"
#include "common/resource/request_check.h"
#include "common/rpc/caller_directory.h"
#include "common/rpc/channel.h"
#include "common/rpc/stream.h"
#include "common/status/status.h"
#include "grpcpp/impl/codegen/client_unary_call.h"
#include "schema/centre_schema.h"
#include "schema/journal_schema.h"

namespace transparency::centre {
namespace {

constexpr char kService[] = "transparency.centre.v1.CentreService";

// SHA-256 of alice-token, bob-token and desk-token.
constexpr char kTokens[] =
    "9c220f200955d76c0a38d308225e0ef10c5f971acaf2f8d1d8f732affa5bd1dc alice -\n"
    "97dd3707015dcf069cf73022ed7173b1165db6eff24b441cb57fd069a8c4e525 bob -\n"
    "6122302bcd3f8ce89bcc5c9198be780e54d4d4a74110b2b88ddf5abb6ccb17a8 desk "
    "staff\n";

absl::Status Build(postgres::Session& session) {
  return postgres::Migrate(&session, {schema::Journal(), schema::Centre()})
      .status();
}

std::string WriteTokens() {
  std::string path = absl::StrCat(testing::TempDir(), "centre-tokens.XXXXXX");
  const int file = mkstemp(path.data());
  EXPECT_GE(file, 0);
  close(file);
  std::ofstream(path) << kTokens;
  return path;
}

}  // namespace

RunningCentre::RunningCentre(const postgres::TestDatabase& database)
    : tokens_path_(WriteTokens()) {
  EXPECT_EQ(domain::AddKinds(&catalogue_), absl::OkStatus());
  journal::ReplicaOptions options;
  options.conninfo = database.conninfo();
  replica_ = std::make_unique<journal::Replica>(std::move(options), &catalogue_,
                                                &clock_, &registry_);
  EXPECT_EQ(replica_->Start(), absl::OkStatus());
  EXPECT_EQ(service::AddMethods(&catalogue_, &replica_->store(),
                                &replica_->writer(), &table_),
            absl::OkStatus());
  EXPECT_EQ(table_.Check(), absl::OkStatus());
  Serve();
}

RunningCentre::~RunningCentre() {
  server_->Shutdown();
  server_->Wait();
  replica_->Stop();
  unlink(tokens_path_.c_str());
}

void RunningCentre::Serve() {
  rpc::ServiceOptions options;
  options.domain = "centre.transparency";
  auto callers = rpc::CallerDirectory::Open(tokens_path_);
  EXPECT_TRUE(callers.ok()) << callers.status();
  options.callers = *std::move(callers);
  options.check_request = [](google::protobuf::Message& request) {
    return resource::CheckRequest(&request);
  };
  service_ = std::make_unique<rpc::GenericService>(&table_, std::move(options),
                                                   &registry_);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterCallbackGenericService(service_.get());
  server_ = builder.BuildAndStart();
  auto channel = rpc::OpenChannel(absl::StrCat("127.0.0.1:", port));
  EXPECT_TRUE(channel.ok()) << channel.status();
  channel_ = *std::move(channel);
}

absl::Status RunningCentre::CallInto(absl::string_view token,
                                     const char* method,
                                     const google::protobuf::Message& request,
                                     google::protobuf::Message* answer) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
  if (!token.empty()) {
    context.AddMetadata("authorization", absl::StrCat("Bearer ", token));
  }
  const std::string path = absl::StrCat("/", kService, "/", method);
  const grpc::internal::RpcMethod rpc_method(
      path.c_str(), grpc::internal::RpcMethod::NORMAL_RPC);
  grpc::ByteBuffer received;
  const grpc::Status status = grpc::internal::BlockingUnaryCall(
      channel_.get(), rpc_method, &context,
      rpc::ToByteBuffer(request.SerializeAsString()), &received);
  EXPECT_TRUE(!status.ok() || rpc::Parse(received, answer));
  return rpc::FromGrpc(status);
}

CentreServiceTest::CentreServiceTest()
    : database_("centre", Build), centre_(database_) {
  auto create = Parse<v1::CreateCentreRequest>(
      "centre_id: 'brussels' centre { display_name: 'Brussels' country: 'BE'"
      " time_zone: 'Europe/Brussels'"
      " booking_policy { hold_time { seconds: 900 }"
      "  approval_required_for: SOURCE_REVIEW } }");
  for (int day = 1; day <= 5; ++day) {
    *create.mutable_centre()->add_weekly_opening_hours() =
        Parse<v1::OpeningHours>(absl::StrCat(
            "day: ", day, " opens { hours: 9 } closes { hours: 17 }"));
  }
  EXPECT_EQ(Reason<v1::Centre>(kDesk, "CreateCentre", create), "");
  EXPECT_EQ(Reason<v1::Space>(
                kDesk, "CreateSpace",
                Parse<v1::CreateSpaceRequest>(
                    "parent: 'centres/brussels' space_id: 'room' space {"
                    " display_name: 'Room' category: MEETING_ROOM"
                    " occupancy: EXCLUSIVE capacity: 10 }")),
            "");
  EXPECT_EQ(Reason<v1::Space>(
                kDesk, "CreateSpace",
                Parse<v1::CreateSpaceRequest>(
                    "parent: 'centres/brussels' space_id: 'hall' space {"
                    " display_name: 'Hall' category: SHOWCASE_AREA"
                    " occupancy: SHARED capacity: 20 }")),
            "");
}

CentreServiceTest::~CentreServiceTest() {
  auto session = database_.Connect();
  auto report =
      journal::Check(session.get(), centre_.catalogue(), centre_.clock().Now());
  EXPECT_TRUE(report.ok()) << report.status();
  if (!report.ok()) return;
  EXPECT_THAT(report->problems, testing::IsEmpty());
}

v1::CreateBookingRequest CentreServiceTest::Wish(int from_hour,
                                                 int until_hour) {
  auto request = Parse<v1::CreateBookingRequest>(
      "parent: 'centres/brussels' booking { purpose: STAKEHOLDER_MEETING"
      " spaces: 'centres/brussels/spaces/room'"
      " party { category: CUSTOMER size: 4 } }");
  const int64_t wednesday = absl::ToUnixSeconds(kMonday) - 8 * 3600 + 2 * 86400;
  v1::Booking* booking = request.mutable_booking();
  booking->mutable_start_time()->set_seconds(wednesday + from_hour * 3600);
  booking->mutable_end_time()->set_seconds(wednesday + until_hour * 3600);
  return request;
}

std::string CentreServiceTest::ReasonOf(const absl::Status& status) {
  if (status.ok()) return "";
  const std::string reason = status::Reason(status);
  return reason.empty() ? status.ToString() : reason;
}

v1::Booking CentreServiceTest::Book(absl::string_view token,
                                    const v1::CreateBookingRequest& request) {
  auto booking = centre_.Call<v1::Booking>(token, "CreateBooking", request);
  EXPECT_TRUE(booking.ok()) << booking.status();
  return booking.ok() ? *booking : v1::Booking();
}

v1::Visitor CentreServiceTest::AddVisitor(absl::string_view token,
                                          const std::string& booking) {
  auto request = Parse<v1::CreateVisitorRequest>(
      "visitor { category: MEDIA display_name: 'Zaphod Unmistakable'"
      " email: 'zaphod@unmistakable.example' organization: 'Heartofgold' }");
  request.set_parent(booking);
  auto visitor = centre_.Call<v1::Visitor>(token, "CreateVisitor", request);
  EXPECT_TRUE(visitor.ok()) << visitor.status();
  return visitor.ok() ? *visitor : v1::Visitor();
}

}  // namespace transparency::centre
