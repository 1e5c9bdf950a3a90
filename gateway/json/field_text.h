#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

// Fields whose value is one text: scalars, enums, wrappers, Timestamp,
// Duration, FieldMask and google.type.Date. Shared by path variables, query
// parameters and JSON strings and numbers.
namespace transparency::gateway::json {

// Whether SetFromText can set the field at all; not for maps and messages
// other than those above.
bool TakesText(const google::protobuf::FieldDescriptor& field);

// What a value of the field looks like, to follow "expected".
std::string ExpectedText(const google::protobuf::FieldDescriptor& field);

// Sets `field` of `message`, or appends to it when it is repeated. False when
// the text is not a value of the field, which is then unchanged.
bool SetFromText(absl::string_view text,
                 const google::protobuf::FieldDescriptor& field,
                 google::protobuf::Message* message);

// The field that `name` stands for, in the proto's spelling or in JSON's; null
// when there is none.
const google::protobuf::FieldDescriptor* FindField(
    const google::protobuf::Descriptor& type, absl::string_view name);

// The name between quotes in messages: cut to 80 bytes, without control
// characters or broken UTF-8.
std::string Shown(absl::string_view text);

// RFC 3629; `where` is set to the offset of the first bad byte.
bool IsUtf8(absl::string_view text, size_t* where = nullptr);

// RFC 4648 base64 in either alphabet, with or without padding.
bool DecodeBase64(absl::string_view text, std::string* bytes);

}  // namespace transparency::gateway::json
