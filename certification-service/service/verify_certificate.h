#pragma once

#include "absl/status/statusor.h"
#include "common/methods/reader.h"
#include "transparency/certification/v1/verification.pb.h"

namespace transparency::certification::service {

// Looks at the certificates under one key only, as the caller sees them.
absl::StatusOr<v1::VerifyCertificateResponse> VerifyCertificate(
    const methods::Reader& reader, const v1::VerifyCertificateRequest& request);

}  // namespace transparency::certification::service
