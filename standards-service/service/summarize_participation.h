#pragma once

#include "absl/status/statusor.h"
#include "common/methods/reader.h"
#include "transparency/standards/v1/participation.pb.h"

namespace transparency::standards::service {

// Counts what the caller may see.
absl::StatusOr<v1::SummarizeParticipationResponse> SummarizeParticipation(
    const methods::Reader& reader,
    const v1::SummarizeParticipationRequest& request);

}  // namespace transparency::standards::service
