#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/json/json_writer.h"
#include "gateway/rest/exchange.h"
#include "google/protobuf/descriptor.h"

namespace transparency::gateway::rest {

// The HTTP status that google/rpc/code.proto gives a code.
int HttpStatusOf(absl::StatusCode code);

// "NOT_FOUND"; "UNKNOWN" for a code that is none.
absl::string_view CodeName(absl::StatusCode code);

// An error in AIP-193's JSON shape, its details as Any, ErrorInfo first. A
// status without one gets that of its code, an ErrorInfo without a domain the
// gateway's. Field paths in BadRequest are
// turned into JSON names along `request`, unless that is null. `http_status` 0
// stands for the code's own. Adds Retry-After (RetryInfo, whole seconds),
// WWW-Authenticate to 401 and Cache-Control.
Response ErrorAnswer(const absl::Status& status, const json::JsonWriter& writer,
                     const google::protobuf::Descriptor* request = nullptr,
                     int http_status = 0);

// `path` in JSON's spelling as far as its names are fields, from `type` on;
// what is no field stays as it is.
std::string JsonFieldPath(absl::string_view path,
                          const google::protobuf::Descriptor& type);

// INVALID_ARGUMENT over a request header, field "header X".
absl::Status InvalidHeader(absl::string_view name,
                           absl::string_view description);

}  // namespace transparency::gateway::rest
