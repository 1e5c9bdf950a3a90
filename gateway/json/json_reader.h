#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace transparency::gateway::json {

struct JsonReadOptions {
  // Deepest nesting of objects and arrays; read without recursion beyond it.
  int max_depth = 64;
  // Most names and values, objects and arrays among them; more are
  // LIMIT_EXCEEDED.
  int max_values = 50'000;

  // When set, the JSON value is that of this field of the message, and field
  // paths in errors begin with its name; otherwise the whole message's.
  const google::protobuf::FieldDescriptor* field = nullptr;

  // When set, gets the paths of the fields that the JSON names, relative to the
  // message it describes, for an update without a mask (AIP-134): leaves of
  // nested messages, whole repeated fields, maps and values (the types of
  // google.protobuf, google.type and transparency.type). Fields that are
  // output only, identifiers and etags are left out.
  std::vector<std::string>* named_paths = nullptr;
};

// Reads proto3 JSON. Strict: unknown or repeated keys, wrong types, text that
// is not UTF-8, anything after the value and a byte order mark are refused.
// INVALID_ARGUMENT with a BadRequest that lists all wrong fields by their path
// as in the proto, or with the line and column of the first syntax error. The
// message is then partly filled. Pure and reentrant: fuzzing starts here.
absl::Status ReadJson(absl::string_view json, const JsonReadOptions& options,
                      google::protobuf::Message* message);

}  // namespace transparency::gateway::json
