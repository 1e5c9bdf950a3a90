#include "gateway/rest/error_answer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status/refusals.h"
#include "common/status/status.h"
#include "gateway/json/field_text.h"
#include "google/protobuf/any.pb.h"
#include "google/rpc/code.pb.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::gateway::rest {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr char kDomain[] = "gateway.transparency";

std::string UrlOf(const Descriptor& type) {
  return absl::StrCat(status::kTypeUrlPrefix, type.full_name());
}

// ErrorInfo first, then BadRequest, then by name: absl keeps no order.
int Rank(absl::string_view url) {
  if (url == UrlOf(*google::rpc::ErrorInfo::descriptor())) return 0;
  if (url == UrlOf(*google::rpc::BadRequest::descriptor())) return 1;
  return 2;
}

// What a status means that gRPC made on the way, without details: every error
// has a reason. Nothing the suite has makes one with another code.
type::v1::CommonErrorReason ReasonOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnavailable:
      return type::v1::OWNER_UNREACHABLE;
    case absl::StatusCode::kDeadlineExceeded:
      return type::v1::DEADLINE_PASSED;
    case absl::StatusCode::kCancelled:
      return type::v1::CALL_CANCELLED;
    case absl::StatusCode::kUnimplemented:
      return type::v1::METHOD_UNKNOWN;
    case absl::StatusCode::kResourceExhausted:
      return type::v1::LIMIT_EXCEEDED;
    case absl::StatusCode::kUnknown:
      return type::v1::OUTCOME_UNKNOWN;
    default:
      return type::v1::DEFECT;
  }
}

std::vector<std::pair<std::string, std::string>> DetailsOf(
    const absl::Status& status) {
  std::vector<std::pair<std::string, std::string>> details;
  if (status::Reason(status).empty()) {
    google::rpc::ErrorInfo info;
    info.set_reason(status::ReasonName(ReasonOf(status.code())));
    details.emplace_back(UrlOf(*google::rpc::ErrorInfo::descriptor()),
                         info.SerializeAsString());
  }
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& bytes) {
    details.emplace_back(url, std::string(bytes));
  });
  std::sort(details.begin(), details.end(), [](const auto& a, const auto& b) {
    return std::make_pair(Rank(a.first), absl::string_view(a.first)) <
           std::make_pair(Rank(b.first), absl::string_view(b.first));
  });
  return details;
}

void AppendDetail(const std::string& url, std::string bytes,
                  const Descriptor* request, const json::JsonWriter& writer,
                  std::string* json) {
  if (Rank(url) == 0) {
    google::rpc::ErrorInfo info;
    if (info.ParseFromString(bytes) && info.domain().empty()) {
      info.set_domain(kDomain);
      bytes = info.SerializeAsString();
    }
  } else if (Rank(url) == 1 && request != nullptr) {
    google::rpc::BadRequest bad;
    if (bad.ParseFromString(bytes)) {
      for (auto& violation : *bad.mutable_field_violations()) {
        violation.set_field(JsonFieldPath(violation.field(), *request));
      }
      bytes = bad.SerializeAsString();
    }
  }
  google::protobuf::Any any;
  any.set_type_url(url);
  any.set_value(std::move(bytes));
  writer.Write(any, json);
}

}  // namespace

int HttpStatusOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return 503;
    default:
      return 500;
  }
}

absl::string_view CodeName(absl::StatusCode code) {
  const auto number = static_cast<int>(code);
  return google::rpc::Code_IsValid(number)
             ? absl::string_view(google::rpc::Code_Name(
                   static_cast<google::rpc::Code>(number)))
             : absl::string_view("UNKNOWN");
}

std::string JsonFieldPath(absl::string_view path, const Descriptor& type) {
  std::string json;
  const Descriptor* at = &type;
  while (!path.empty()) {
    const size_t length = std::min(path.find_first_of(".["), path.size());
    const absl::string_view name = path.substr(0, length);
    const FieldDescriptor* field =
        at == nullptr ? nullptr : at->FindFieldByName(std::string(name));
    if (field == nullptr) break;
    absl::StrAppend(&json, field->json_name());
    path.remove_prefix(length);
    at = field->is_map() ? field->message_type()->map_value()->message_type()
                         : field->message_type();
    if (absl::ConsumePrefix(&path, "[")) {
      // An index, or a map's key in quotes.
      const size_t close = path.find(path.substr(0, 1) == "\"" ? "\"]" : "]");
      const size_t end = close == absl::string_view::npos
                             ? path.size()
                             : path.find(']', close) + 1;
      absl::StrAppend(&json, "[", path.substr(0, end));
      path.remove_prefix(end);
    }
    if (absl::ConsumePrefix(&path, ".")) json += '.';
  }
  absl::StrAppend(&json, path);
  return json;
}

Response ErrorAnswer(const absl::Status& status, const json::JsonWriter& writer,
                     const Descriptor* request, int http_status) {
  Response response;
  response.code = status.code();
  response.http_status =
      http_status != 0 ? http_status : HttpStatusOf(status.code());
  const std::string message = json::IsUtf8(status.message())
                                  ? std::string(status.message())
                                  : json::Shown(status.message());
  std::string& json = response.body;
  absl::StrAppend(&json, "{\"error\":{\"code\":", response.http_status,
                  ",\"message\":");
  json::AppendJsonString(message, &json);
  absl::StrAppend(&json, ",\"status\":\"", CodeName(status.code()),
                  "\",\"details\":[");
  bool first = true;
  for (auto& [url, bytes] : DetailsOf(status)) {
    if (!first) json += ',';
    first = false;
    AppendDetail(url, std::move(bytes), request, writer, &json);
  }
  json += "]}}";

  google::rpc::RetryInfo retry;
  if (status::FindDetail(status, &retry)) {
    const int64_t seconds = retry.retry_delay().seconds() +
                            (retry.retry_delay().nanos() > 0 ? 1 : 0);
    response.headers.emplace_back("Retry-After",
                                  absl::StrCat(std::max<int64_t>(seconds, 1)));
  }
  if (response.http_status == 401) {
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
  }
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

absl::Status InvalidHeader(absl::string_view name,
                           absl::string_view description) {
  return status::InvalidField(absl::StrCat("header ", name), description);
}

}  // namespace transparency::gateway::rest
