#pragma once

#include "absl/status/statusor.h"
#include "common/methods/reader.h"
#include "transparency/certification/v1/summary.pb.h"

namespace transparency::certification::service {

// Counts what the caller may see, by scheme and verdict.
absl::StatusOr<v1::SummarizeCertificatesResponse> SummarizeCertificates(
    const methods::Reader& reader,
    const v1::SummarizeCertificatesRequest& request);

}  // namespace transparency::certification::service
