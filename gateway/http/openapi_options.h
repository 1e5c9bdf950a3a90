#pragma once

#include "gateway/http/options.h"
#include "gateway/openapi/openapi.h"

namespace transparency::gateway::http {

// What the OpenAPI document says of a server with these options. The
// descriptor set stays the options' own.
openapi::OpenApiOptions OpenApiOptionsOf(const Options& options);

}  // namespace transparency::gateway::http
