#pragma once

#include "absl/strings/string_view.h"

namespace transparency::gateway::http {

// Whether an Accept header allows JSON (RFC 9110, 12.5.1); an empty one does.
bool AcceptsJson(absl::string_view accept);

// Whether a Content-Type header is JSON, in UTF-8 if it names a charset.
bool IsJson(absl::string_view content_type);

}  // namespace transparency::gateway::http
