#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/resource/snapshot.h"
#include "transparency/certification/v1/certificate.pb.h"
#include "transparency/certification/v1/certificate_step.pb.h"

// The custom methods of a certificate. Each takes the certificate as it is and
// adds a step, or refuses; a refused certificate is not to be used any more.
namespace transparency::certification::domain {

// On what a step is decided.
struct Moment {
  const resource::Snapshot& view;
  absl::Time now;
};

absl::Status Start(const Moment& moment,
                   const v1::StartCertificateEvaluationRequest& request,
                   v1::Certificate* certificate);
absl::Status Issue(const Moment& moment,
                   const v1::IssueCertificateRequest& request,
                   v1::Certificate* certificate);
absl::Status Reject(const Moment& moment,
                    const v1::RejectCertificateRequest& request,
                    v1::Certificate* certificate);
absl::Status Suspend(const Moment& moment,
                     const v1::SuspendCertificateRequest& request,
                     v1::Certificate* certificate);
absl::Status Reinstate(const Moment& moment,
                       const v1::ReinstateCertificateRequest& request,
                       v1::Certificate* certificate);
absl::Status Extend(const Moment& moment,
                    const v1::ExtendCertificateSuspensionRequest& request,
                    v1::Certificate* certificate);
absl::Status Withdraw(const Moment& moment,
                      const v1::WithdrawCertificateRequest& request,
                      v1::Certificate* certificate);
absl::Status Reduce(const Moment& moment,
                    const v1::ReduceCertificateScopeRequest& request,
                    v1::Certificate* certificate);
absl::Status Correct(const Moment& moment,
                     const v1::CorrectCertificateRequest& request,
                     v1::Certificate* certificate);

// What becomes of the predecessor once `successor` stands as it does: it gives
// way on the successor's first valid day, and no more when the successor was
// never issued. None: nothing changes. Of a successor that is recorded and not
// decided only an existing link is kept up. `reason` is why, where it corrects.
absl::StatusOr<std::optional<v1::Certificate>> FollowSuccessor(
    const Moment& moment, const v1::Certificate& successor,
    absl::string_view reason);

}  // namespace transparency::certification::domain
