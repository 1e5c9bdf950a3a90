#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/rest/route_table.h"
#include "google/protobuf/descriptor.h"

namespace transparency::gateway::openapi {

struct OpenApiOptions {
  std::string version;  // of the contract as a whole, for info.version
  // Serialized FileDescriptorSet with comments, which become descriptions and
  // bring the reasons of refusals; may be empty.
  absl::string_view descriptor_set;
  absl::Duration default_call_timeout;
  absl::Duration max_call_timeout;
};

// The OpenAPI 3.1 document, in JSON, of what the routes serve and how the HTTP
// port serves it: methods with their bindings, query parameters, bodies,
// headers and answers, every message and enum, and the shape of refusals. The
// services are those of the routes. Equal contracts give equal bytes.
std::string OpenApiDocument(const rest::RouteTable& routes,
                            const OpenApiOptions& options);

}  // namespace transparency::gateway::openapi
