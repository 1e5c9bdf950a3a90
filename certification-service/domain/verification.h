#pragma once

#include <optional>

#include "absl/time/civil_time.h"
#include "certification-service/domain/support.h"
#include "transparency/certification/v1/certificate.pb.h"
#include "transparency/certification/v1/verification.pb.h"

namespace transparency::certification::domain {

// The record is one of a certificate that was, or is to be, granted; an
// application alone is not a certificate.
bool IsGranted(const v1::Certificate& certificate);

// What the records show of a granted certificate on a day.
v1::VerifiedCertificate Verify(const v1::Certificate& certificate,
                               absl::CivilDay day, FindBody find);

// The verdict alone.
v1::VerifiedCertificate::Verdict VerdictOn(const v1::Certificate& certificate,
                                           absl::CivilDay day);

}  // namespace transparency::certification::domain
