#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"
#include "common/rpc/call.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

// Get (AIP-131), BatchGet (AIP-231) and List (AIP-132, 158, 160) of any kind,
// on one snapshot and in the caller's form. Deleted resources are there for
// staff. The answer is serialized; where nothing is hidden from the caller it
// is made of the bytes that the snapshot keeps.
namespace transparency::methods {

// Most bytes of an answer that is not a page of its own choosing.
inline constexpr size_t kMaxAnswerBytes = 3 << 20;

// NOT_FOUND when there is none that the caller sees.
absl::StatusOr<std::string> Get(const resource::Kind& kind,
                                const resource::Snapshot& snapshot,
                                const rpc::Call& call,
                                const google::protobuf::Message& request);

// How the List method of one kind is shaped; read from its descriptor once.
struct ListShape {
  const google::protobuf::FieldDescriptor* resources = nullptr;
  const google::protobuf::FieldDescriptor* next_page_token = nullptr;
  // Null where the request has no `return_total_size`.
  const google::protobuf::FieldDescriptor* total_size = nullptr;

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

// The field of a BatchGet's answer that holds the resources of `kind`;
// FAILED_PRECONDITION when there is none, or the request has no `names`.
absl::StatusOr<const google::protobuf::FieldDescriptor*> BatchFieldOf(
    const google::protobuf::MethodDescriptor& method,
    const resource::Kind& kind);

// The resources of `names`, in that order, in the answer's field `resources`:
// all, or none. NOT_FOUND for the first that the caller does not see;
// INVALID_ARGUMENT when one is not of the `parent` given; RESOURCE_EXHAUSTED,
// LIMIT_EXCEEDED, beyond kMaxAnswerBytes.
absl::StatusOr<std::string> BatchGet(
    const resource::Kind& kind,
    const google::protobuf::FieldDescriptor& resources,
    const resource::Snapshot& snapshot, const rpc::Call& call,
    const google::protobuf::Message& request);

}  // namespace transparency::methods
