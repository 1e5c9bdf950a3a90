#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "common/status/status.h"
#include "gateway/rest/route_table.h"
#include "google/protobuf/message.h"

namespace transparency::gateway::rest {

// Reads the parameters of a URL into the request: `a.b=1&ids=x&ids=y`, names
// as in the proto or in JSON. `+` and %20 are blanks. Fields that the path or
// the body carries are refused like unknown ones, each under its name.
// `$fields`, and `fields` where the request has no such field, is a field mask
// for the answer; it is written to `response_mask`. Pure.
void ReadQuery(absl::string_view query, const Route& route,
               google::protobuf::Message* request, std::string* response_mask,
               status::Violations* violations);

}  // namespace transparency::gateway::rest
