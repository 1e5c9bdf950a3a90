#include "certification-service/service/summarize_certificates.h"

#include <map>
#include <string>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "certification-service/domain/verification.h"
#include "common/base/civil.h"
#include "common/status/status.h"
#include "transparency/certification/v1/certificate.pb.h"
#include "transparency/certification/v1/scheme.pb.h"

namespace transparency::certification::service {
namespace {

using SchemeCount = v1::SummarizeCertificatesResponse::SchemeCount;
using Verdicts = std::map<v1::VerifiedCertificate::Verdict, int32_t>;

void Fill(const Verdicts& verdicts, SchemeCount* count) {
  for (const auto& [verdict, certificates] : verdicts) {
    auto* entry = count->add_verdicts();
    entry->set_verdict(verdict);
    entry->set_certificates(certificates);
    count->set_certificates(count->certificates() + certificates);
  }
}

}  // namespace

absl::StatusOr<v1::SummarizeCertificatesResponse> SummarizeCertificates(
    const methods::Reader& reader,
    const v1::SummarizeCertificatesRequest& request) {
  if (request.has_as_of() && !civil::IsCompleteDate(request.as_of())) {
    return status::InvalidField("as_of",
                                "must be a complete date: year, month, day");
  }
  const absl::CivilDay day =
      request.has_as_of() ? civil::FirstDay(request.as_of())
                          : absl::ToCivilDay(reader.now(), absl::UTCTimeZone());
  std::map<std::string, Verdicts> by_scheme;
  Verdicts all;
  absl::Status status = reader.ForEach<v1::Certificate>(
      "", [&](const v1::Certificate& certificate) {
        if (!domain::IsGranted(certificate)) return true;
        const auto verdict = domain::VerdictOn(certificate, day);
        ++by_scheme[certificate.scheme()][verdict];
        ++all[verdict];
        return true;
      });
  if (!status.ok()) return status;

  v1::SummarizeCertificatesResponse summary;
  *summary.mutable_as_of() = civil::ToDate(day);
  for (const auto& [scheme, verdicts] : by_scheme) {
    SchemeCount* count = summary.add_schemes();
    count->set_scheme(scheme);
    auto found = reader.Get<v1::Scheme>(scheme);
    if (found.ok()) count->set_title(found->title());
    Fill(verdicts, count);
  }
  Fill(all, summary.mutable_total());
  return summary;
}

}  // namespace transparency::certification::service
