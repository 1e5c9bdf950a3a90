#include "gateway/invoker/onward_call.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "common/rpc/status_mapping.h"
#include "common/status/status.h"

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

}  // namespace

rpc::Metadata HeadersOf(const rpc::Call& call) {
  rpc::Metadata headers = call.headers();
  Set("x-request-id", call.request_id(), &headers);
  Set("traceparent", call.traceparent(), &headers);
  return headers;
}

OnwardCall::OnwardCall(Owner* owner, const rpc::Metadata& headers,
                       absl::Time deadline)
    : owner_(owner), told_revision_(owner->seen.Get()) {
  for (const auto& [key, value] : OnwardHeaders(headers, told_revision_)) {
    context_.AddMetadata(key, value);
    if (key == "x-request-id") request_id_ = value;
  }
  context_.set_deadline(absl::ToChronoTime(deadline));
}

rpc::Metadata OnwardCall::AnswerHeaders() {
  rpc::Metadata headers = Copy(context_.GetServerInitialMetadata());
  answered_ = !headers.empty();
  for (const auto& [key, value] : headers) {
    if (key == "x-revision") {
      owner_->seen.Learn(owner_->name, value, told_revision_);
    }
  }
  return headers;
}

rpc::Metadata OnwardCall::AnswerTrailers() const {
  return Copy(context_.GetServerTrailingMetadata());
}

grpc::Status OnwardCall::Final(const grpc::Status& status) const {
  if (status.ok() || answered_ || !status.error_details().empty()) {
    return status;
  }
  const auto own = [this](const absl::Status& refusal) {
    return rpc::ToGrpc(rpc::Presentable(refusal, kDomain, request_id_));
  };
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return own(Unreachable(absl::StrCat(owner_->name, "-service")));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return own(status::Refuse(
          absl::StatusCode::kDeadlineExceeded, "DEADLINE_PASSED",
          "The call's time ran out before the service behind the gateway "
          "answered."));
    default:
      return status;
  }
}

}  // namespace transparency::gateway
