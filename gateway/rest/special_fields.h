#pragma once

#include "gateway/rest/route_table.h"
#include "google/protobuf/descriptor.h"

namespace transparency::gateway::rest {

// Those of a stream of answers; what they do is in rest_stream.h.
struct StreamFields {
  const google::protobuf::FieldDescriptor* resume_token = nullptr;
  const google::protobuf::FieldDescriptor* include_present_state = nullptr;
  const google::protobuf::FieldDescriptor* answered_token = nullptr;
};

// Fields of a route's messages with a meaning of their own in HTTP; null or
// empty when it has none.
struct SpecialFields {
  FieldPath etag;  // of the request, or of the resource in its body: If-Match
  const google::protobuf::FieldDescriptor* request_id = nullptr;
  const google::protobuf::FieldDescriptor* update_mask = nullptr;
  const google::protobuf::FieldDescriptor* answered_etag = nullptr;
  StreamFields stream;
};

// Pure.
SpecialFields SpecialFieldsOf(const Route& route);

}  // namespace transparency::gateway::rest
