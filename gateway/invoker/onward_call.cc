#include "gateway/invoker/onward_call.h"

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/rpc/headers.h"
#include "common/rpc/status_mapping.h"
#include "common/status/refusals.h"
#include "common/status/status.h"
#include "google/protobuf/descriptor.pb.h"

namespace transparency::gateway {
namespace {

constexpr char kDomain[] = "gateway.transparency";

rpc::Metadata Copy(
    const std::multimap<grpc::string_ref, grpc::string_ref>& fields) {
  rpc::Metadata copy;
  copy.reserve(fields.size());
  for (const auto& [key, value] : fields) {
    const absl::string_view name(key.data(), key.size());
    // gRPC carries the status and its details itself.
    if (name.substr(0, 5) == "grpc-" || name == "content-type") continue;
    copy.emplace_back(std::string(name),
                      std::string(value.data(), value.size()));
  }
  return copy;
}

void Set(absl::string_view key, const std::string& value,
         rpc::Metadata* headers) {
  for (auto& header : *headers) {
    if (header.first == key) {
      header.second = value;
      return;
    }
  }
  headers->emplace_back(std::string(key), value);
}

// Whether it matters if a call of this method was carried out once or not at
// all. A method that is not in this contract may be of a newer one.
bool MayChange(absl::string_view path) {
  std::string name(absl::StripPrefix(path, "/"));
  std::replace(name.begin(), name.end(), '/', '.');
  const auto* method =
      google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(
          name);
  return method == nullptr ||
         method->options().idempotency_level() ==
             google::protobuf::MethodOptions::IDEMPOTENCY_UNKNOWN;
}

// Whether gRPC itself ends calls with this code: when a connection or a limit
// fails, or another server than an owner answers. The others are an owner's.
bool MayBeGrpcs(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::UNAUTHENTICATED:
      return true;
    default:
      return false;
  }
}

absl::Status OutcomeUnknown(absl::string_view owner) {
  return status::OutcomeUnknown(
      absl::StrCat("There came no answer from ", owner,
                   "-service: whether the change was made is not known. Ask "
                   "again with the same request_id."));
}

}  // namespace

rpc::Metadata HeadersOf(const rpc::Call& call) {
  rpc::Metadata headers = call.headers();
  Set("x-request-id", call.request_id(), &headers);
  Set("traceparent", call.traceparent(), &headers);
  Set(rpc::kClientAddressHeader, call.address(), &headers);
  return headers;
}

rpc::Metadata HeadersForOwnCall(const rpc::Call& call) {
  rpc::Metadata headers = HeadersOf(call);
  headers.erase(std::remove_if(headers.begin(), headers.end(),
                               [](const auto& header) {
                                 return header.first == "x-goog-fieldmask";
                               }),
                headers.end());
  return headers;
}

OwnerError OwnerErrorOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kUnknown:
      return OwnerError::kDefect;
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnavailable:
      return OwnerError::kAway;
    case absl::StatusCode::kResourceExhausted:
      return status::Reason(status) == "QUERY_TOO_DEAR" ? OwnerError::kRefusal
                                                        : OwnerError::kAway;
    default:
      return OwnerError::kRefusal;
  }
}

OnwardCall::OnwardCall(Owner* owner, absl::string_view method,
                       const rpc::Metadata& headers, absl::Time deadline)
    : owner_(owner), method_(method) {
  for (const auto& [key, value] : OnwardHeaders(headers, *owner)) {
    context_.AddMetadata(key, value);
    if (key == "x-request-id") request_id_ = value;
    if (key == rpc::kSeenRevisionHeader) told_revision_ = value;
  }
  context_.set_deadline(absl::ToChronoTime(deadline));
}

rpc::Metadata OnwardCall::AnswerHeaders(bool of_stream) {
  rpc::Metadata headers = Copy(context_.GetServerInitialMetadata());
  for (const auto& [key, value] : headers) {
    if (key == "x-revision") {
      owner_->seen.Learn(owner_->name, value, of_stream ? "" : told_revision_);
    }
  }
  return headers;
}

rpc::Metadata OnwardCall::AnswerTrailers() const {
  return Copy(context_.GetServerTrailingMetadata());
}

// gRPC knows the peer's address from when a call is given to a connection.
bool OnwardCall::Left() const {
  if (!sending_) return false;
  const std::string peer = context_.peer();
  return absl::StartsWith(peer, "ipv4:") || absl::StartsWith(peer, "ipv6:") ||
         absl::StartsWith(peer, "unix");
}

grpc::Status OnwardCall::Final(const grpc::Status& status) const {
  if (!status.error_details().empty() || !MayBeGrpcs(status.error_code())) {
    return status;
  }
  const auto own = [this](const absl::Status& refusal) {
    return rpc::ToGrpc(rpc::Presentable(refusal, kDomain, request_id_));
  };
  if (Left() && MayChange(method_)) return own(OutcomeUnknown(owner_->name));
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return own(status::DeadlinePassed(
          "The call's time ran out before the service behind the gateway "
          "answered."));
    case grpc::StatusCode::CANCELLED:
      return own(
          status::CallCancelled("The call was cancelled before the service "
                                "behind the gateway answered."));
    default:
      return own(Unreachable(absl::StrCat(owner_->name, "-service")));
  }
}

}  // namespace transparency::gateway
