#include "common/rpc/status_mapping.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace transparency::rpc {
namespace {

TEST(StatusMapping, EveryCodeKeepsItsNameNumberAndReason) {
  const struct {
    grpc::StatusCode code;
    const char* name;
    const char* reason;
  } kRows[] = {
      {grpc::StatusCode::CANCELLED, "CANCELLED", "CALL_CANCELLED"},
      {grpc::StatusCode::UNKNOWN, "UNKNOWN", "DEFECT"},
      {grpc::StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT", "DEFECT"},
      {grpc::StatusCode::DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED",
       "DEADLINE_PASSED"},
      {grpc::StatusCode::NOT_FOUND, "NOT_FOUND", "DEFECT"},
      {grpc::StatusCode::ALREADY_EXISTS, "ALREADY_EXISTS", "DEFECT"},
      {grpc::StatusCode::PERMISSION_DENIED, "PERMISSION_DENIED", "DEFECT"},
      {grpc::StatusCode::RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED",
       "LIMIT_EXCEEDED"},
      {grpc::StatusCode::FAILED_PRECONDITION, "FAILED_PRECONDITION", "DEFECT"},
      {grpc::StatusCode::ABORTED, "ABORTED", "DEFECT"},
      {grpc::StatusCode::OUT_OF_RANGE, "OUT_OF_RANGE", "DEFECT"},
      {grpc::StatusCode::UNIMPLEMENTED, "UNIMPLEMENTED", "METHOD_UNKNOWN"},
      {grpc::StatusCode::INTERNAL, "INTERNAL", "DEFECT"},
      {grpc::StatusCode::UNAVAILABLE, "UNAVAILABLE", "STORAGE_UNAVAILABLE"},
      {grpc::StatusCode::DATA_LOSS, "DATA_LOSS", "DEFECT"},
      {grpc::StatusCode::UNAUTHENTICATED, "UNAUTHENTICATED", "DEFECT"},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(CodeName(row.code), row.name);
    const absl::Status status(static_cast<absl::StatusCode>(row.code), "text");
    const grpc::Status sent = ToGrpc(status);
    EXPECT_EQ(sent.error_code(), row.code);
    EXPECT_EQ(sent.error_message(), "text");
    EXPECT_EQ(FromGrpc(sent), status);
    EXPECT_EQ(FromProto(ToProto(status)), status);
    const absl::Status shown = Presentable(status, "d", "r");
    EXPECT_EQ(status::Reason(shown), row.reason);
    // A mistake of ours is told as one, whatever code it came with.
    EXPECT_EQ(shown.code() == absl::StatusCode::kInternal,
              std::string(row.reason) == "DEFECT");
  }
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
  EXPECT_TRUE(Presentable(absl::OkStatus(), "d", "r").ok());
  EXPECT_EQ(CodeName(99), "UNKNOWN");
  EXPECT_EQ(FromGrpc(grpc::Status(grpc::StatusCode::DO_NOT_USE, "x")).code(),
            absl::StatusCode::kUnknown);
}

TEST(StatusMapping, DetailsSurviveTheWayThereAndBack) {
  absl::Status status =
      status::RetryLater(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE",
                         "later", absl::Seconds(2));
  status::AddDetail(&status, [] {
    google::rpc::ResourceInfo info;
    info.set_resource_name("x/1");
    return info;
  }());
  const absl::Status back = FromGrpc(ToGrpc(status));
  EXPECT_EQ(back, status);
  EXPECT_EQ(ToProto(status).details(0).type_url(),
            "type.googleapis.com/google.rpc.ErrorInfo");
}

TEST(StatusMapping, UnreadableDetailsLeaveCodeAndMessage) {
  const absl::Status status = FromGrpc(
      grpc::Status(grpc::StatusCode::NOT_FOUND, "gone", "\xff\xff\xff"));
  EXPECT_EQ(status, absl::NotFoundError("gone"));
}

TEST(Presentable, FillsInDomainAndRequestIdButKeepsAnotherDomain) {
  google::rpc::ErrorInfo info;
  google::rpc::RequestInfo request;
  absl::Status status = Presentable(status::NotFound("t", "n"), "a.b", "r1");
  ASSERT_TRUE(status::FindDetail(status, &info));
  ASSERT_TRUE(status::FindDetail(status, &request));
  EXPECT_EQ(info.domain(), "a.b");
  EXPECT_EQ(request.request_id(), "r1");
  status = Presentable(status, "other.domain", "r2");
  ASSERT_TRUE(status::FindDetail(status, &info));
  EXPECT_EQ(info.domain(), "a.b");
}

TEST(Presentable, ADefectSaysNothingOfItself) {
  const absl::Status status =
      Presentable(absl::UnknownError("SELECT secret"), "d", "r");
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(std::string(status.message()).find("secret"), std::string::npos);
  // An explained UNKNOWN is no defect.
  const absl::Status unknown =
      Presentable(status::Refuse(absl::StatusCode::kUnknown, "OUTCOME_UNKNOWN",
                                 "ask again"),
                  "d", "r");
  EXPECT_EQ(unknown.code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(unknown.message(), "ask again");
}

TEST(Presentable, KeepsTwentyViolationsAndCountsTheRest) {
  google::rpc::BadRequest request;
  for (int i = 0; i < 50; ++i) {
    auto* violation = request.add_field_violations();
    violation->set_field(absl::StrCat("f", i));
    violation->set_description("wrong");
  }
  absl::Status status = status::InvalidField("f0", "wrong");
  status::AddDetail(&status, request);
  status = Presentable(status, "d", "r");
  ASSERT_TRUE(status::FindDetail(status, &request));
  ASSERT_EQ(request.field_violations_size(), 21);
  EXPECT_EQ(request.field_violations(20).description(), "and 30 more");
}

TEST(Presentable, NeverExceedsItsSizeAndStaysUtf8) {
  std::string euros;
  for (int i = 0; i < 5000; ++i) euros += "€";
  google::rpc::BadRequest request;
  for (int i = 0; i < 20; ++i) {
    auto* violation = request.add_field_violations();
    violation->set_field(euros);
    violation->set_description(euros);
  }
  google::rpc::DebugInfo debug;
  debug.set_detail(euros);
  absl::Status status =
      status::Refuse(absl::StatusCode::kInvalidArgument, "INVALID_FIELDS",
                     euros, {{"a", euros}, {"b", euros}});
  for (const bool with_debug : {false, true}) {
    status::AddDetail(&status, request);
    if (with_debug) status::AddDetail(&status, debug);
    const absl::Status small = Presentable(status, "d", "r");
    EXPECT_LE(ToProto(small).ByteSizeLong(), kMaxStatusBytes);
    EXPECT_EQ(status::Reason(small), "INVALID_FIELDS");
    google::rpc::Status read;
    EXPECT_TRUE(read.ParseFromString(ToGrpc(small).error_details()))
        << "cut within a character";
    google::rpc::RequestInfo request_info;
    EXPECT_TRUE(status::FindDetail(small, &request_info));
  }
}

}  // namespace
}  // namespace transparency::rpc
