#pragma once

#include "gateway/http/route_table.h"
#include "google/protobuf/descriptor.h"

namespace transparency::gateway::http {

// Fields of a route's messages with a meaning of their own in HTTP; null or
// empty when it has none.
struct SpecialFields {
  FieldPath etag;  // of the request, or of the resource in its body: If-Match
  const google::protobuf::FieldDescriptor* request_id = nullptr;
  const google::protobuf::FieldDescriptor* update_mask = nullptr;
  const google::protobuf::FieldDescriptor* answered_etag = nullptr;
};

// Pure.
SpecialFields SpecialFieldsOf(const Route& route);

}  // namespace transparency::gateway::http
