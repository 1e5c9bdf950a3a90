#pragma once

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "transparency/certification/v1/body.pb.h"
#include "transparency/certification/v1/certificate.pb.h"
#include "transparency/certification/v1/verification.pb.h"

namespace transparency::certification::domain {

// Finds a body by its name; null when there is none. What it gives lives as
// long as the call that asks.
using FindBody = absl::FunctionRef<const v1::Body*(absl::string_view name)>;

// How accreditation supports a certificate on a day: certificate ←
// accreditation of its body for the scheme ← accreditation body. Of several
// accreditations the one that supports best counts, and one that the records
// leave open counts for more than one that they show broken.
v1::SupportChain SupportOf(const v1::Certificate& certificate,
                           absl::CivilDay day, FindBody find);

}  // namespace transparency::certification::domain
