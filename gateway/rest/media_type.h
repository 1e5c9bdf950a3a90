#pragma once

#include <vector>

#include "absl/strings/string_view.h"

namespace transparency::gateway::rest {

// Whether an Accept header allows JSON (RFC 9110, 12.5.1); an empty one does.
bool AcceptsJson(absl::string_view accept);

// Which of `offered` ("type/subtype", lower case) an Accept header prefers: by
// weight, then what it names before what it only allows, then as it lists them,
// then as they are offered. -1 when it allows none.
int Preferred(absl::string_view accept,
              const std::vector<absl::string_view>& offered);

// Whether a Content-Type header is JSON, in UTF-8 if it names a charset.
bool IsJson(absl::string_view content_type);

}  // namespace transparency::gateway::rest
