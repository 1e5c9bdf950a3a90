#include "common/rpc/status_mapping.h"

#include <algorithm>
#include <array>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/refusals.h"
#include "common/status/status.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::rpc {
namespace {

// By code: its name, and the reason of a status that came without one. gRPC
// and the database's client make some; any other is a defect of ours, and a
// guess at its reason would give advice that misleads.
struct CodeRow {
  const char* name;
  type::v1::CommonErrorReason reason;
};
constexpr std::array<CodeRow, 17> kCodes = {{
    {"OK", type::v1::COMMON_ERROR_REASON_UNSPECIFIED},
    {"CANCELLED", type::v1::CALL_CANCELLED},
    {"UNKNOWN", type::v1::DEFECT},
    {"INVALID_ARGUMENT", type::v1::DEFECT},
    {"DEADLINE_EXCEEDED", type::v1::DEADLINE_PASSED},
    {"NOT_FOUND", type::v1::DEFECT},
    {"ALREADY_EXISTS", type::v1::DEFECT},
    {"PERMISSION_DENIED", type::v1::DEFECT},
    {"RESOURCE_EXHAUSTED", type::v1::LIMIT_EXCEEDED},
    {"FAILED_PRECONDITION", type::v1::DEFECT},
    {"ABORTED", type::v1::DEFECT},
    {"OUT_OF_RANGE", type::v1::DEFECT},
    {"UNIMPLEMENTED", type::v1::METHOD_UNKNOWN},
    {"INTERNAL", type::v1::DEFECT},
    {"UNAVAILABLE", type::v1::STORAGE_UNAVAILABLE},
    {"DATA_LOSS", type::v1::DEFECT},
    {"UNAUTHENTICATED", type::v1::DEFECT},
}};

bool IsCode(int code) {
  return code >= 0 && code < static_cast<int>(kCodes.size());
}

absl::StatusCode ToCode(int code) {
  return IsCode(code) ? static_cast<absl::StatusCode>(code)
                      : absl::StatusCode::kUnknown;
}

// The longest prefix of at most `limit` bytes that ends between characters.
std::string CutText(absl::string_view text, size_t limit) {
  if (text.size() <= limit) return std::string(text);
  constexpr absl::string_view kEllipsis = "…";
  size_t end = limit > kEllipsis.size() ? limit - kEllipsis.size() : 0;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    --end;
  }
  return absl::StrCat(text.substr(0, end), kEllipsis);
}

void KeepViolations(google::rpc::BadRequest* request, int kept) {
  const int dropped = request->field_violations_size() - kept;
  if (dropped <= 0) return;
  request->mutable_field_violations()->DeleteSubrange(kept, dropped);
  auto* count = request->add_field_violations();
  count->set_description(absl::StrCat("and ", dropped, " more"));
}

// Status builders count on their own; whatever made this one, at most
// kMaxViolations and the line that counts the rest leave the process.
void TrimViolations(absl::Status* status) {
  google::rpc::BadRequest request;
  if (!status::FindDetail(*status, &request)) return;
  if (request.field_violations_size() <= status::kMaxViolations + 1) return;
  KeepViolations(&request, status::kMaxViolations);
  status::AddDetail(status, request);
}

// Makes `status` small: first shorter texts, then fewer violations, last only
// ErrorInfo, RequestInfo and RetryInfo.
absl::Status Shrink(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  status::FindDetail(status, &info);
  for (auto& [key, value] : *info.mutable_metadata())
    value = CutText(value, 128);
  google::rpc::BadRequest request;
  const bool has_request = status::FindDetail(status, &request);
  for (auto& violation : *request.mutable_field_violations()) {
    violation.set_field(CutText(violation.field(), 128));
    violation.set_description(CutText(violation.description(), 160));
  }
  absl::Status small = status;
  status::AddDetail(&small, info);
  for (int kept = request.field_violations_size(); has_request; kept /= 2) {
    google::rpc::BadRequest fewer = request;
    KeepViolations(&fewer, kept);
    status::AddDetail(&small, fewer);
    if (ToProto(small).ByteSizeLong() <= kMaxStatusBytes) return small;
    if (kept == 0) break;
  }
  if (ToProto(small).ByteSizeLong() <= kMaxStatusBytes) return small;

  absl::Status smallest(status.code(), CutText(status.message(), 512));
  google::rpc::RequestInfo request_info;
  google::rpc::RetryInfo retry;
  if (status::FindDetail(status, &request_info)) {
    status::AddDetail(&smallest, request_info);
  }
  if (status::FindDetail(status, &retry)) status::AddDetail(&smallest, retry);
  if (info.ByteSizeLong() > kMaxStatusBytes / 2) info.clear_metadata();
  status::AddDetail(&smallest, info);
  return smallest;
}

}  // namespace

google::rpc::Status ToProto(const absl::Status& status) {
  google::rpc::Status proto;
  proto.set_code(static_cast<int>(status.code()));
  proto.set_message(std::string(status.message()));
  status.ForEachPayload(
      [&proto](absl::string_view url, const absl::Cord& body) {
        auto* detail = proto.add_details();
        detail->set_type_url(std::string(url));
        detail->set_value(std::string(body));
      });
  // absl::Status keeps no order; readers expect the ErrorInfo first.
  std::stable_partition(proto.mutable_details()->pointer_begin(),
                        proto.mutable_details()->pointer_end(),
                        [](const google::protobuf::Any* detail) {
                          return absl::EndsWith(detail->type_url(),
                                                "google.rpc.ErrorInfo");
                        });
  return proto;
}

absl::Status FromProto(const google::rpc::Status& proto) {
  absl::Status status(ToCode(proto.code()), proto.message());
  for (const auto& detail : proto.details()) {
    status.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return status;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message()),
                      ToProto(status).SerializeAsString());
}

absl::Status FromGrpc(const grpc::Status& status) {
  google::rpc::Status proto;
  if (status.error_details().empty() ||
      !proto.ParseFromString(status.error_details())) {
    proto.Clear();
  }
  proto.set_code(status.error_code());
  proto.set_message(status.error_message());
  return FromProto(proto);
}

absl::Status Presentable(const absl::Status& original, absl::string_view domain,
                         absl::string_view request_id) {
  if (original.ok()) return original;
  absl::Status status = original;
  google::rpc::ErrorInfo info;
  if (!status::FindDetail(status, &info) || info.reason().empty()) {
    const auto reason = kCodes[static_cast<size_t>(status.raw_code())].reason;
    if (reason == type::v1::DEFECT) {
      status =
          absl::InternalError("internal error; see the log of the service");
    }
    info.set_reason(status::ReasonName(reason));
  }
  if (info.domain().empty()) info.set_domain(std::string(domain));
  status::AddDetail(&status, info);
  google::rpc::RequestInfo request_info;
  request_info.set_request_id(std::string(request_id));
  status::AddDetail(&status, request_info);
  TrimViolations(&status);
  if (status.message().size() > kMaxMessageBytes) {
    absl::Status shorter(status.code(),
                         CutText(status.message(), kMaxMessageBytes));
    status.ForEachPayload(
        [&shorter](absl::string_view url, const absl::Cord& body) {
          shorter.SetPayload(url, body);
        });
    status = std::move(shorter);
  }
  if (ToProto(status).ByteSizeLong() > kMaxStatusBytes) status = Shrink(status);
  return status;
}

absl::string_view CodeName(int code) {
  return IsCode(code) ? kCodes[static_cast<size_t>(code)].name : "UNKNOWN";
}

}  // namespace transparency::rpc
