#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/resource/item.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

// The fields that every request of a kind has by the AIPs, found by name.
namespace transparency::methods {

// A text field of a message; empty when it has none of that name.
const std::string& Text(const google::protobuf::Message& message,
                        absl::string_view field);
// A flag of a message; false when it has none of that name.
bool Flag(const google::protobuf::Message& message, absl::string_view field);

// The field of a request that holds a resource of this kind; null when none.
const google::protobuf::FieldDescriptor* ResourceField(
    const google::protobuf::Message& request, const resource::Kind& kind);

// SHA-256 of what a request asks for: two requests under one request_id are the
// same when their digests are.
struct RequestDigests {
  // Of the request less its personal fields, and of whether it has any.
  std::string plain;
  // Of all of it; empty where it has no personal fields.
  std::string personal;
};
RequestDigests Digest(const google::protobuf::Message& request);

// OK when `etag` is empty, `*`, or the item's; ABORTED otherwise (AIP-154).
absl::Status CheckEtag(const resource::Item& item, absl::string_view etag);

// Whether a message of this type can hold personal fields, at any depth.
bool HoldsPersonal(const google::protobuf::Descriptor* type);
// Clears personal fields at any depth.
void ClearPersonal(google::protobuf::Message* message);

}  // namespace transparency::methods
