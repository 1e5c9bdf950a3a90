#include "gateway/pack/pack.h"

#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/json/object.hpp"
#include "boost/json/serialize.hpp"
#include "gateway/contract/comments.h"
#include "gateway/contract/service_config.h"
#include "gateway/http/openapi_options.h"
#include "gateway/openapi/openapi.h"
#include "gateway/pack/tables.h"
#include "gateway/rest/message_types.h"
#include "gateway/rest/route_table.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpcpp/support/validate_service_config.h"

namespace transparency::gateway {
namespace {

// Long enough for any answer within the limits, short enough to notice.
constexpr absl::Duration kClientTimeout = absl::Seconds(10);

absl::Status Write(const std::string& directory, const char* name,
                   absl::string_view text) {
  const std::string path = absl::StrCat(directory, "/", name);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  return file ? absl::OkStatus()
              : absl::UnavailableError(absl::StrCat("cannot write ", path));
}

}  // namespace

absl::Status WritePack(absl::string_view descriptor_set,
                       const contract::ServiceList& services,
                       const http::Options& http,
                       const rpc::ServiceOptions& grpc,
                       const std::string& directory) {
  google::protobuf::FileDescriptorSet set;
  if (!set.ParseFromArray(descriptor_set.data(),
                          static_cast<int>(descriptor_set.size()))) {
    return absl::InvalidArgumentError("the descriptor set cannot be read");
  }
  const contract::Comments comments(set);
  const contract::FileList files = contract::FilesOf(
      set, *google::protobuf::DescriptorPool::generated_pool());
  const std::string config = contract::ServiceConfig(
      services, {.unary_timeout = kClientTimeout, .balance_by_health = true});
  const std::string wrong =
      grpc::experimental::ValidateServiceConfigJSON(config);
  if (!wrong.empty()) {
    return absl::InternalError(absl::StrCat("the service config: ", wrong));
  }
  rest::MessageTypes types;
  absl::StatusOr<rest::RouteTable> routes =
      rest::RouteTable::Build(services, &types);
  if (!routes.ok()) return routes.status();
  const Table limits = ProcessLimits(http, grpc);
  const Table fields = FieldLimits(services);
  const Table reasons = Reasons(files, services, comments);

  const std::pair<const char*, std::string> made[] = {
      {"descriptors.binpb", std::string(descriptor_set)},
      {"service_config.json", config},
      {"openapi.json",
       openapi::OpenApiDocument(*routes, http::OpenApiOptionsOf(http))},
      {"limits.json", boost::json::serialize(boost::json::object{
                          {"limits", limits.rows}, {"fields", fields.rows}})},
      {"limits.md", absl::StrCat(ToMarkdown(limits), "\n", ToMarkdown(fields))},
      {"reasons.json", boost::json::serialize(reasons.rows)},
      {"reasons.md", ToMarkdown(reasons)},
  };
  for (const auto& [name, text] : made) {
    absl::Status status = Write(directory, name, text);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace transparency::gateway
