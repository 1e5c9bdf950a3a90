#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/journal/replica/decision.h"
#include "common/resource/kind.h"
#include "google/protobuf/message.h"

// Create (AIP-133) and Update (AIP-134, 161) of any kind, decided on the
// writer's snapshot. The answer is the resource in the caller's form. Refusals:
//  * INVALID_ARGUMENT: fields of the resource, the mask or the id are wrong.
//  * NOT_FOUND: there is no such parent, or no such resource to update.
//  * ALREADY_EXISTS: RESOURCE_EXISTS, DELETED_EXISTS, or NOT_UNIQUE of a rule.
//  * ABORTED: ETAG_MISMATCH.
//  * FAILED_PRECONDITION: REFERENCE_NOT_FOUND, or what a rule of the kind says.
namespace transparency::methods {

absl::StatusOr<std::string> Create(const resource::Kind& kind,
                                   journal::Decision& decision,
                                   const google::protobuf::Message& request);

absl::StatusOr<std::string> Update(const resource::Kind& kind,
                                   journal::Decision& decision,
                                   const google::protobuf::Message& request);

}  // namespace transparency::methods
