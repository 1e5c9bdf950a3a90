#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "common/resource/snapshot.h"
#include "transparency/certification/v1/certificate.pb.h"

// What a step must be, and what the scheme's rules say of it. Rules for which a
// source need not give the facts do not apply to a certificate that is recorded
// and was not decided here.
namespace transparency::certification::domain {

// Microseconds are kept.
void SetRecordTime(absl::Time now, v1::CertificateStep* step);

// The step alone: its dates, that it was decided by `today`, and that it holds
// what its kind needs and nothing else. `path` is where it stands in the
// request; empty: at its top.
absl::Status CheckStepFields(const v1::Certificate& certificate,
                             const v1::CertificateStep& step,
                             absl::CivilDay today, absl::string_view path);

// The successor that the step names, if any, is another certificate.
absl::Status CheckSuccessor(const resource::Snapshot& view,
                            const v1::Certificate& certificate,
                            const v1::CertificateStep& step,
                            absl::string_view path);

// The steps together: each is allowed where it stands, those from number
// `first_new` on obey the scheme's rules, and those before still obey the ones
// that they obeyed. A new step that is not allowed is STEP_NOT_ALLOWED, unless
// it corrects the record: STEPS_CONTRADICT.
absl::Status CheckStepsTogether(const resource::Snapshot& view,
                                const v1::Certificate& certificate,
                                int first_new, bool correction);

// The steps that have effect in `before` and in `after` still obey the rules of
// the scheme that they obeyed. What they did not obey was changed around them,
// and is no reason to refuse something else.
absl::Status CheckStillAllowed(const resource::Snapshot& view,
                               const v1::Certificate& before,
                               const v1::Certificate& after);

}  // namespace transparency::certification::domain
