#include "gateway/invoker/owners.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/rpc/channel.h"
#include "common/rpc/headers.h"
#include "common/status/status.h"
#include "gateway/contract/service_config.h"

namespace transparency::gateway {
namespace {

constexpr char kPackagePrefix[] = "/transparency.";

// After how long a client does well to try an owner again.
constexpr absl::Duration kRetryDelay = absl::Seconds(1);

// "1234.9f86d081" of "certification=1234.9f86d081"; empty when not named.
absl::string_view TokenOf(absl::string_view service, absl::string_view header) {
  for (absl::string_view part : absl::StrSplit(header, ',')) {
    std::pair<absl::string_view, absl::string_view> named =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    if (absl::StripAsciiWhitespace(named.first) == service) {
      return named.second;
    }
  }
  return "";
}

int64_t RevisionOf(absl::string_view token) {
  int64_t revision = -1;
  return absl::SimpleAtoi(token.substr(0, token.find('.')), &revision)
             ? revision
             : -1;
}

bool IsPackageOf(absl::string_view path, absl::string_view owner) {
  return absl::ConsumePrefix(&path, kPackagePrefix) &&
         path.substr(0, path.find_first_of("./")) == owner;
}

// The services of an owner, by the package of their methods.
contract::ServiceList ServicesOf(absl::string_view owner,
                                 const contract::ServiceList& services) {
  contract::ServiceList own;
  for (const auto* service : services) {
    if (IsPackageOf("/" + service->full_name(), owner)) own.push_back(service);
  }
  return own;
}

}  // namespace

std::string SeenRevision::Get() const {
  absl::ReaderMutexLock lock(&mutex_);
  return token_;
}

void SeenRevision::Learn(absl::string_view service, absl::string_view header,
                         absl::string_view told) {
  const absl::string_view token = TokenOf(service, header);
  const int64_t revision = RevisionOf(token);
  if (revision < 0) return;
  const bool other_history = !told.empty() && revision < RevisionOf(told);
  {
    absl::ReaderMutexLock lock(&mutex_);
    if (revision <= revision_ && !other_history) return;
  }
  absl::MutexLock lock(&mutex_);
  if (revision > revision_ || (other_history && token_ == told)) {
    revision_ = revision;
    token_ = std::string(token);
  }
}

absl::Status Owners::Add(
    const std::string& name, const std::string& address,
    const std::vector<const google::protobuf::ServiceDescriptor*>& services) {
  if (address.empty()) return absl::OkStatus();
  rpc::ChannelOptions options;
  options.service_config =
      contract::ServiceConfig(ServicesOf(name, services), {});
  auto channel = rpc::OpenChannel(address, options);
  if (!channel.ok()) return channel.status();
  auto owner = std::make_unique<Owner>();
  owner->name = name;
  owner->channel = *std::move(channel);
  owner->gateway_token = gateway_token_;
  owners_.push_back(std::move(owner));
  return absl::OkStatus();
}

Owner* Owners::OfMethod(absl::string_view method) const {
  if (!absl::ConsumePrefix(&method, kPackagePrefix)) return nullptr;
  return ByName(method.substr(0, method.find_first_of("./")));
}

Owner* Owners::ByName(absl::string_view name) const {
  for (const auto& owner : owners_) {
    if (owner->name == name) return owner.get();
  }
  return nullptr;
}

rpc::Metadata OnwardHeaders(const rpc::Metadata& headers, const Owner& owner) {
  rpc::Metadata onward;
  onward.reserve(headers.size() + 2);
  const bool believed = !owner.gateway_token.empty();
  for (const auto& [key, value] : headers) {
    const rpc::HeaderUse use = rpc::UseOfHeader(key);
    const bool of_client =
        use == rpc::HeaderUse::kClient ||
        (believed && key == absl::string_view(rpc::kClientAddressHeader));
    if (of_client && rpc::IsHeaderValue(value)) onward.emplace_back(key, value);
  }
  if (!believed) return onward;
  onward.emplace_back(rpc::kGatewayTokenHeader, owner.gateway_token);
  std::string seen = owner.seen.Get();
  if (!seen.empty()) {
    onward.emplace_back(rpc::kSeenRevisionHeader, std::move(seen));
  }
  return onward;
}

absl::Status Unreachable(absl::string_view owners) {
  return status::RetryLater(
      absl::StatusCode::kUnavailable, "OWNER_UNREACHABLE",
      absl::StrCat("Cannot be reached at the moment: ", owners, ". Try again."),
      kRetryDelay);
}

absl::Status NobodysMethod(absl::string_view method) {
  return status::Refuse(
      absl::StatusCode::kUnimplemented, "METHOD_UNKNOWN",
      absl::StrCat("There is no method ", method.substr(0, 200),
                   " here; reflection lists those there are."),
      {{"method", std::string(method.substr(0, 200))}});
}

}  // namespace transparency::gateway
