#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"
#include "common/rpc/call.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

// Get (AIP-131) and List (AIP-132, 158, 160) of any kind, on one snapshot and
// in the caller's form. The answer is serialized; where nothing is hidden from
// the caller it is made of the bytes that the snapshot keeps.
namespace transparency::methods {

// NOT_FOUND when there is none that the caller sees.
absl::StatusOr<std::string> Get(const resource::Kind& kind,
                                const resource::Snapshot& snapshot,
                                const rpc::Call& call,
                                const google::protobuf::Message& request);

// How the List method of one kind is shaped; read from its descriptor once.
struct ListShape {
  const google::protobuf::FieldDescriptor* resources = nullptr;
  const google::protobuf::FieldDescriptor* next_page_token = nullptr;

  // FAILED_PRECONDITION when a field that AIP-132 and 158 ask for is missing.
  static absl::StatusOr<ListShape> Of(
      const google::protobuf::MethodDescriptor& method,
      const resource::Kind& kind);
};

// NOT_FOUND when the parent is not seen; INVALID_ARGUMENT for a page size,
// token, filter or order that cannot be.
absl::StatusOr<std::string> List(const resource::Kind& kind,
                                 const ListShape& shape,
                                 const resource::Snapshot& snapshot,
                                 const rpc::Call& call,
                                 const google::protobuf::Message& request);

}  // namespace transparency::methods
