#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/rpc/server/generic_service.h"
#include "gateway/contract/reasons.h"
#include "gateway/http/options.h"

namespace transparency::gateway {

// Writes into `directory`, which exists, what a team needs to call the services
// beside their protos, all of it as the running code has it:
//   descriptors.binpb    FileDescriptorSet with comments
//   service_config.json  gRPC's, for clients
//   openapi.json         as the gateway serves it
//   limits.json, .md     of fields, pages, messages and calls
//   reasons.json, .md    of refusals
// `descriptor_set` is the serialized set that holds `services`. The error names
// the file that could not be written.
absl::Status WritePack(absl::string_view descriptor_set,
                       const contract::ServiceList& services,
                       const http::Options& http,
                       const rpc::ServiceOptions& grpc,
                       const std::string& directory);

}  // namespace transparency::gateway
