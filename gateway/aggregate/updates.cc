#include "gateway/aggregate/updates.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc/heartbeat.h"
#include "common/status/status.h"
#include "gateway/aggregate/owners_with.h"
#include "gateway/aggregate/update_feed.h"

namespace transparency::gateway {
namespace {

using google::protobuf::ServiceDescriptor;

constexpr char kWatchChanges[] = "WatchChanges";

absl::StatusOr<UpdatePlan> PlanOf(const v1::WatchUpdatesRequest& request,
                                  const Owners& owners,
                                  const OwnersWith& watched) {
  UpdatePlan plan;
  auto heartbeat = rpc::HeartbeatInterval(request.has_heartbeat_interval()
                                              ? &request.heartbeat_interval()
                                              : nullptr);
  if (!heartbeat.ok()) return heartbeat.status();
  plan.heartbeat_interval = *heartbeat;
  auto positions = ParseUpdateToken(request.resume_token());
  if (!positions.ok()) return positions.status();
  if (!positions->empty() && request.include_present_state()) {
    return status::InvalidField(
        "include_present_state",
        "expected either this or resume_token, which continues what has begun");
  }
  plan.positions = *std::move(positions);
  plan.include_present_state = request.include_present_state();
  auto routed = watched.Route(request.types());
  if (!routed.ok()) return routed.status();
  for (const auto& [name, service] : watched.services()) {
    if (owners.ByName(name) == nullptr) {
      plan.not_configured.push_back(absl::StrCat("//", name, ".transparency"));
      continue;
    }
    if (request.types_size() > 0 && routed->count(name) == 0) continue;
    UpdatePlan::Part part;
    part.owner = name;
    part.method = absl::StrCat("/", service, "/", kWatchChanges);
    for (std::string& type : (*routed)[name]) {
      part.request.add_types(std::move(type));
    }
    plan.parts.push_back(std::move(part));
  }
  return plan;
}

}  // namespace

void AddUpdates(const Owners* owners, Invoker* invoker,
                const std::vector<const ServiceDescriptor*>& known,
                rpc::ServiceRows* rows) {
  rows->ServerStream<v1::WatchUpdatesRequest>(
      "WatchUpdates",
      [owners, invoker, watched = OwnersWith(kWatchChanges, known)](
          std::shared_ptr<rpc::Call> call,
          const v1::WatchUpdatesRequest& request,
          std::shared_ptr<rpc::AnswerWriter> writer) -> absl::Status {
        auto plan = PlanOf(request, *owners, watched);
        if (!plan.ok()) return plan.status();
        std::make_shared<UpdateFeed>(invoker, *std::move(plan), std::move(call),
                                     std::move(writer))
            ->Start();
        return absl::OkStatus();
      });
}

}  // namespace transparency::gateway
