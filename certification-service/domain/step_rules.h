#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/resource/snapshot.h"
#include "transparency/certification/v1/certificate.pb.h"

// What a step must be, and what the scheme's rules say of it. Rules for which a
// source need not give the facts do not apply to a certificate that is recorded
// and was not decided here.
namespace transparency::certification::domain {

// Microseconds are kept.
void SetRecordTime(absl::Time now, v1::CertificateStep* step);

// The step alone: its dates, and that it holds what its kind needs and nothing
// else. `path` is where it stands in the request; empty: at its top.
absl::Status CheckStepFields(const v1::Certificate& certificate,
                             const v1::CertificateStep& step,
                             absl::string_view path);

// The steps together: each is allowed where it stands, and those from number
// `first_new` on obey the scheme's rules. A new step that is not allowed is
// STEP_NOT_ALLOWED, unless it corrects the record: STEPS_CONTRADICT.
absl::Status CheckStepsTogether(const resource::Snapshot& view,
                                const v1::Certificate& certificate,
                                int first_new, bool correction);

}  // namespace transparency::certification::domain
