#include "gateway/http/openapi_options.h"

namespace transparency::gateway::http {

openapi::OpenApiOptions OpenApiOptionsOf(const Options& options) {
  openapi::OpenApiOptions openapi;
  openapi.version = TRANSPARENCY_VERSION;
  openapi.descriptor_set = options.descriptor_set;
  openapi.default_call_timeout = options.default_call_timeout;
  openapi.max_call_timeout = options.max_call_timeout;
  return openapi;
}

}  // namespace transparency::gateway::http
