#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "gateway/rest/exchange.h"

namespace transparency::gateway::http {

// An answer's status line and headers, up to and with the empty line. `date` is
// the value of the Date header. A streamed body is chunked, unless the client
// speaks HTTP/1.0, where its end is the connection's.
std::string AnswerHead(const rest::Response& response, absl::string_view date,
                       bool is_http_10);

}  // namespace transparency::gateway::http
