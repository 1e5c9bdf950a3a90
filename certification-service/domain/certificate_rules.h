#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"
#include "transparency/certification/v1/certificate.pb.h"
#include "transparency/certification/v1/scheme.pb.h"

// What makes a certificate a good record, and what it is at an instant.
namespace transparency::certification::domain {

resource::Rules<v1::Certificate> CertificateRules();

// Brings the output-only fields up to `now`; returns when they change next.
absl::Time BringIntoEffect(v1::Certificate* certificate, absl::Time now);

// The rules of create and undelete (`before` null) and of update.
absl::Status CheckCertificate(const resource::Snapshot& view,
                              const v1::Certificate* before,
                              v1::Certificate* after, absl::Time now);

// What a new certificate that has passed CheckCertificate takes over from its
// scheme, and its first steps.
absl::Status BeginCertificate(const resource::Snapshot& view,
                              v1::Certificate* created, absl::Time now);

// The level, its augmentations and the kinds of subject are the scheme's.
absl::Status CheckFitsScheme(const v1::Scheme& scheme,
                             const v1::Certificate& certificate);

// A number or identifier without spaces and in upper case: what two of them are
// compared by.
std::string Fold(absl::string_view identifier);

// Keys under which certificates are looked up.
resource::IndexKey NumberKey(absl::string_view number);
resource::IndexKey IdentifierKey(absl::string_view identifier);
resource::IndexKey DocumentKey(absl::string_view sha256);

// ALREADY_EXISTS when another certificate of the same body has this number.
absl::Status CheckNumberUnique(const resource::Snapshot& view,
                               const v1::Certificate& certificate);

}  // namespace transparency::certification::domain
