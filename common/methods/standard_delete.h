#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/journal/replica/decision.h"
#include "common/resource/kind.h"
#include "google/protobuf/message.h"

// Delete and Undelete of any kind (AIP-135, 164), decided on the writer's
// snapshot. A deleted resource is kept without limit of time, with its
// delete_time; staff alone see it. The answer is the resource in the caller's
// form.
namespace transparency::methods {

// Refusals:
//   NOT_FOUND            there is none that lives and that the caller sees
//   ABORTED              ETAG_MISMATCH
//   FAILED_PRECONDITION  HAS_CHILDREN, STILL_REFERRED_TO, or a rule of the kind
// With `allow_missing` there is no NOT_FOUND: what is deleted already is
// answered as it stands, and what never was by an empty resource; the etag is
// then not looked at.
absl::StatusOr<std::string> Delete(const resource::Kind& kind,
                                   journal::Decision& decision,
                                   const google::protobuf::Message& request);

// Obeys every rule of a create. Refusals:
//   NOT_FOUND            there is none that the caller sees
//   ALREADY_EXISTS       NOT_DELETED, or a rule's NOT_UNIQUE
//   ABORTED              ETAG_MISMATCH
//   FAILED_PRECONDITION  REFERENCE_NOT_FOUND (its parent is deleted, or
//                        something it refers to), or a rule of the kind
absl::StatusOr<std::string> Undelete(const resource::Kind& kind,
                                     journal::Decision& decision,
                                     const google::protobuf::Message& request);

}  // namespace transparency::methods
