#include "gateway/aggregate/updates.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"
#include "gateway/aggregate/update_feed.h"
#include "google/api/resource.pb.h"

namespace transparency::gateway {
namespace {

using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

constexpr char kWatchChanges[] = "WatchChanges";
constexpr absl::Duration kHeartbeat = absl::Seconds(15);
constexpr absl::Duration kShortestHeartbeat = absl::Seconds(1);
constexpr absl::Duration kLongestHeartbeat = absl::Seconds(60);

// What of an owner can be watched.
struct Watched {
  std::string method;           // "/package.Service/WatchChanges"
  std::set<std::string> types;  // "standards.transparency/Standard"
};
using WatchedOwners = std::map<std::string, Watched>;

// "standards" of "transparency.standards.v1".
std::string OwnerOfPackage(const std::string& package) {
  const std::vector<std::string> parts = absl::StrSplit(package, '.');
  return parts.size() > 1 ? parts[1] : "";
}

void AddTypes(const FileDescriptor& file, std::set<const FileDescriptor*>* seen,
              std::set<std::string>* types) {
  if (!seen->insert(&file).second) return;
  for (int i = 0; i < file.message_type_count(); ++i) {
    const auto& options = file.message_type(i)->options();
    if (options.HasExtension(google::api::resource)) {
      types->insert(options.GetExtension(google::api::resource).type());
    }
  }
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddTypes(*file.dependency(i), seen, types);
  }
}

WatchedOwners WatchedAmong(const std::vector<const ServiceDescriptor*>& known) {
  WatchedOwners watched;
  for (const ServiceDescriptor* service : known) {
    const MethodDescriptor* method = service->FindMethodByName(kWatchChanges);
    if (method == nullptr) continue;
    watched[OwnerOfPackage(service->file()->package())].method =
        absl::StrCat("/", service->full_name(), "/", kWatchChanges);
  }
  std::set<const FileDescriptor*> seen;
  std::set<std::string> types;
  for (const ServiceDescriptor* service : known) {
    AddTypes(*service->file(), &seen, &types);
  }
  for (auto& [owner, part] : watched) {
    for (const std::string& type : types) {
      if (absl::StartsWith(type, absl::StrCat(owner, ".transparency/"))) {
        part.types.insert(type);
      }
    }
  }
  return watched;
}

absl::StatusOr<absl::Duration> HeartbeatOf(
    const v1::WatchUpdatesRequest& request) {
  if (!request.has_heartbeat_interval()) return kHeartbeat;
  const absl::Duration interval =
      absl::Seconds(request.heartbeat_interval().seconds()) +
      absl::Nanoseconds(request.heartbeat_interval().nanos());
  if (interval < kShortestHeartbeat || interval > kLongestHeartbeat) {
    return status::InvalidField("heartbeat_interval",
                                "expected 1 to 60 seconds");
  }
  return interval;
}

// Each type to the owner whose it is.
absl::StatusOr<std::map<std::string, std::vector<std::string>>> Route(
    const v1::WatchUpdatesRequest& request, const WatchedOwners& watched) {
  std::map<std::string, std::vector<std::string>> routed;
  status::Violations violations;
  for (int i = 0; i < request.types_size(); ++i) {
    const std::string& type = request.types(i);
    const std::string owner = type.substr(0, type.find('.'));
    const auto found = watched.find(owner);
    if (found == watched.end() || found->second.types.count(type) == 0) {
      violations.Add(absl::StrCat("types[", i, "]"),
                     "no service has resources of this type; expected one such "
                     "as certification.transparency/Certificate");
    } else {
      routed[owner].push_back(type);
    }
  }
  if (!violations.empty()) return violations.ToStatus();
  return routed;
}

absl::StatusOr<UpdatePlan> PlanOf(const v1::WatchUpdatesRequest& request,
                                  const Owners& owners,
                                  const WatchedOwners& watched) {
  UpdatePlan plan;
  auto heartbeat = HeartbeatOf(request);
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
  auto routed = Route(request, watched);
  if (!routed.ok()) return routed.status();
  for (const auto& [name, what] : watched) {
    if (owners.ByName(name) == nullptr) {
      plan.not_configured.push_back(absl::StrCat("//", name, ".transparency"));
      continue;
    }
    if (request.types_size() > 0 && routed->count(name) == 0) continue;
    UpdatePlan::Part part;
    part.owner = name;
    part.method = what.method;
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
      [owners, invoker, watched = WatchedAmong(known)](
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
