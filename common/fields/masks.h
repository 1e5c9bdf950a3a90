#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/fields/field_access.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/message.h"

// Field masks of updates (AIP-134, 161) and of answers (AIP-157).
namespace transparency::fields {

// Clears what clients do not set, at any depth: of a resource to be created.
void ClearOutputOnly(google::protobuf::Message* resource);

// `current` with the fields of `incoming` that the mask names:
//   * no mask, or one without paths: the top-level fields set in `incoming`
//   * `*` alone: all fields
//   * else paths through messages, not into repeated fields or maps; a field
//     that `incoming` leaves empty is cleared.
// A named field is replaced as a whole, but keeps what is not the client's to
// change: output-only fields and the name, which are passed over, and fields
// that `access` does not know, which are unknown as paths. Elements of a
// repeated field lose the output-only fields sent in them.
//
// INVALID_ARGUMENT names the paths that are unknown, and the immutable fields
// that would change (with `*` or without a mask, one left empty keeps its
// value); `path` is where `incoming` stands in the request. The result still
// has to pass CheckResource.
absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ApplyUpdate(
    const google::protobuf::Message& current,
    const google::protobuf::Message& incoming,
    const google::protobuf::FieldMask* mask,
    const FieldAccess& access = FieldAccess(), absl::string_view path = "");

// Which fields of an answer a client wants. It looks at types alone: a field
// that the caller may not see can be named, and is empty as it would be without
// a mask. Immutable, thread-safe.
class ReadMask {
 public:
  // Paths with commas between, as the proto or as JSON spells them, through
  // messages and the elements of repeated fields: `certificates.name,
  // nextPageToken`. `*` stands for all fields. `field` is where the mask
  // stands, for the INVALID_ARGUMENT of one that names no field of `type`.
  static absl::StatusOr<ReadMask> Parse(
      absl::string_view field, absl::string_view text,
      const google::protobuf::Descriptor& type);

  // Clears everything else. `answer` is of the type that the mask was made for.
  void Apply(google::protobuf::Message* answer) const;

 private:
  struct Node {
    const google::protobuf::FieldDescriptor* field;
    std::vector<Node> below;  // empty: the whole field
  };

  // False when the path names no field of `type`.
  bool Add(absl::string_view path, const google::protobuf::Descriptor& type);
  static void Keep(const std::vector<Node>& nodes,
                   google::protobuf::Message* message);

  bool all_ = false;
  std::vector<Node> nodes_;
};

}  // namespace transparency::fields
