#include "gateway/contract/service_config.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/descriptor.pb.h"

namespace transparency::gateway::contract {
namespace {

using google::protobuf::MethodDescriptor;
using google::protobuf::MethodOptions;

constexpr char kRetryPolicy[] =
    R"("retryPolicy":{"maxAttempts":3,"initialBackoff":"0.05s",)"
    R"("maxBackoff":"0.5s","backoffMultiplier":2,)"
    R"("retryableStatusCodes":["UNAVAILABLE"]})";

std::string NameOf(const MethodDescriptor& method) {
  return absl::StrCat("{\"service\":\"", method.service()->full_name(),
                      "\",\"method\":\"", method.name(), "\"}");
}

// One entry of methodConfig; empty when it would be about no method or say
// nothing of them.
void Add(const std::vector<std::string>& names, bool retried,
         absl::Duration timeout, std::vector<std::string>* configs) {
  if (names.empty() || (!retried && timeout <= absl::ZeroDuration())) return;
  std::string config =
      absl::StrCat("{\"name\":[", absl::StrJoin(names, ","), "]");
  if (timeout > absl::ZeroDuration()) {
    absl::StrAppend(&config, ",\"timeout\":\"", absl::ToDoubleSeconds(timeout),
                    "s\"");
  }
  if (retried) absl::StrAppend(&config, ",", kRetryPolicy);
  configs->push_back(config + "}");
}

}  // namespace

std::string ServiceConfig(const ServiceList& services,
                          const ServiceConfigOptions& options) {
  // By whether they are retried, and whether they are streams.
  std::vector<std::string> names[2][2];
  for (const auto* service : services) {
    for (int i = 0; i < service->method_count(); ++i) {
      const MethodDescriptor& method = *service->method(i);
      const bool retried = method.options().idempotency_level() !=
                           MethodOptions::IDEMPOTENCY_UNKNOWN;
      const bool stream =
          method.client_streaming() || method.server_streaming();
      names[retried][stream].push_back(NameOf(method));
    }
  }
  std::vector<std::string> configs;
  for (const bool retried : {true, false}) {
    Add(names[retried][false], retried, options.unary_timeout, &configs);
    Add(names[retried][true], retried, absl::ZeroDuration(), &configs);
  }
  std::vector<std::string> parts;
  if (options.balance_by_health) {
    parts.emplace_back(R"("loadBalancingConfig":[{"round_robin":{}}],)"
                       R"("healthCheckConfig":{"serviceName":""})");
  }
  if (!configs.empty()) {
    parts.push_back(
        absl::StrCat("\"methodConfig\":[", absl::StrJoin(configs, ","), "]"));
    parts.emplace_back(
        R"("retryThrottling":{"maxTokens":100,"tokenRatio":0.1})");
  }
  return parts.empty() ? "" : absl::StrCat("{", absl::StrJoin(parts, ","), "}");
}

}  // namespace transparency::gateway::contract
