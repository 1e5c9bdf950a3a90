#pragma once

#include <string>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace transparency::journal {

// The proto3 JSON of a message in the canonical form of RFC 8785: the same
// message gives the same bytes in every release. Written straight from the
// message, since protobuf 3.21's own JSON costs some ten times as much and
// would have to be parsed again. google.protobuf.Any appears as its fields.
std::string CanonicalJson(const google::protobuf::Message& message);

// The value of a field for jsonb_populate_record: proto field names, a complete
// google.type.Date as "YYYY-MM-DD" and an incomplete one as null, 64-bit
// numbers as numbers, bytes as PostgreSQL's hex. Without a value: null, for
// texts and enums too; numbers and booleans without presence give 0 and false,
// repeated fields the empty list.
void AppendColumnJson(const google::protobuf::Message& message,
                      const google::protobuf::FieldDescriptor* field,
                      std::string* out);

// A JSON string, escaped as in RFC 8785.
void AppendJsonString(const std::string& text, std::string* out);

}  // namespace transparency::journal
