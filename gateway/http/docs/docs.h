#pragma once

#include <vector>

#include "gateway/http/options.h"

namespace transparency::gateway::http {

// The page at /docs with which people read /openapi.json and try it: Swagger UI
// as npm has it, with its licence, held in the executable.
std::vector<Options::Document> Docs();

}  // namespace transparency::gateway::http
