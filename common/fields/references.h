#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "google/protobuf/message.h"

// The resource names that a message holds in its fields with the annotation
// google.api.resource_reference, at any depth. Thread-safe.
namespace transparency::fields {

// Calls `visit` with each of them that is not empty, as it stands there.
void VisitReferences(const google::protobuf::Message& message,
                     absl::FunctionRef<void(const std::string&)> visit);

// Takes out those of which `which` is true: a field becomes empty, a list
// shorter. Returns whether there were any.
bool ClearReferences(absl::FunctionRef<bool(const std::string&)> which,
                     google::protobuf::Message* message);

}  // namespace transparency::fields
