#include "certification-service/service/verify_certificate.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>

#include "certification-service/domain/certificate_rules.h"
#include "certification-service/domain/civil_days.h"
#include "certification-service/domain/verification.h"
#include "common/base/civil.h"
#include "common/status/status.h"
#include "transparency/certification/v1/body.pb.h"
#include "transparency/certification/v1/certificate.pb.h"

namespace transparency::certification::service {
namespace {

using v1::Certificate;
using v1::VerifyCertificateRequest;
using v1::VerifyCertificateResponse;

// Most matches that one answer lists.
constexpr size_t kMostMatches = 20;
// Most matches among which those are the first: documents such as a common
// annex can be shared by many.
constexpr size_t kMostFound = 1000;

absl::Status CheckRequest(const VerifyCertificateRequest& request) {
  status::Violations violations;
  const auto need = [&](const std::string& text, absl::string_view field) {
    if (text.empty()) violations.Add(field, "must not be empty");
  };
  switch (request.key_case()) {
    case VerifyCertificateRequest::kCertificateNumber:
      need(domain::Fold(request.certificate_number()), "certificate_number");
      break;
    case VerifyCertificateRequest::kIdentifier:
      need(domain::Fold(request.identifier()), "identifier");
      break;
    case VerifyCertificateRequest::kDocumentSha256:
      need(request.document_sha256(), "document_sha256");
      break;
    case VerifyCertificateRequest::kCertificate:
      need(request.certificate(), "certificate");
      break;
    case VerifyCertificateRequest::KEY_NOT_SET:
      violations.Add("certificate_number",
                     "one of certificate_number, identifier, document_sha256 "
                     "and certificate is needed");
  }
  if (!domain::IsEmpty(request.as_of()) &&
      !civil::IsCompleteDate(request.as_of())) {
    violations.Add("as_of", "must be a complete date that exists");
  }
  return violations.ToStatus();
}

// Two texts are the same number or identifier; a lookup by fingerprint brings
// strangers along.
bool SameText(const std::string& a, const std::string& b) {
  return !a.empty() && domain::Fold(a) == domain::Fold(b);
}

bool HasNumber(const Certificate& certificate, const std::string& number) {
  return SameText(certificate.certificate_number(), number);
}

bool HasIdentifier(const Certificate& certificate, const std::string& value) {
  return std::any_of(
      certificate.identifiers().begin(), certificate.identifiers().end(),
      [&](const auto& known) { return SameText(known.value(), value); });
}

bool HasDocument(const Certificate& certificate, const std::string& sha256) {
  return std::any_of(
      certificate.documents().begin(), certificate.documents().end(),
      [&](const auto& document) { return document.sha256() == sha256; });
}

// Gathers the names of what matches, as far as the caller sees it.
class Search {
 public:
  Search(const methods::Reader& reader, const VerifyCertificateRequest& request)
      : reader_(reader), request_(request) {}

  // Not OK when nobody waits for the answer any more.
  absl::Status Run() {
    ByKey();
    return status_;
  }

  const std::set<std::string>& names() const { return names_; }

 private:
  void ByKey() {
    switch (request_.key_case()) {
      case VerifyCertificateRequest::kCertificateNumber:
        return ByNumber(request_.certificate_number());
      case VerifyCertificateRequest::kIdentifier:
        ByNumber(request_.identifier());
        return Lookup(domain::IdentifierKey(request_.identifier()),
                      [&](const Certificate& certificate) {
                        return HasIdentifier(certificate,
                                             request_.identifier());
                      });
      case VerifyCertificateRequest::kDocumentSha256:
        return Lookup(domain::DocumentKey(request_.document_sha256()),
                      [&](const Certificate& certificate) {
                        return HasDocument(certificate,
                                           request_.document_sha256());
                      });
      default:
        return ByName();
    }
  }

  void ByNumber(const std::string& number) {
    Lookup(domain::NumberKey(number), [&](const Certificate& certificate) {
      return HasNumber(certificate, number);
    });
  }

  void ByName() {
    const resource::Item* item = reader_.all().FindLive(request_.certificate());
    if (item != nullptr &&
        item->kind().descriptor == Certificate::descriptor()) {
      Consider(*item);
    }
  }

  template <class Matches>
  void Lookup(resource::IndexKey key, Matches matches) {
    reader_.all().Lookup(key, key.order, [&](const resource::Item& item) {
      status_ = reader_.Look();
      if (!status_.ok()) return false;
      if (item.kind().descriptor == Certificate::descriptor() &&
          matches(item.as<Certificate>())) {
        Consider(item);
      }
      return names_.size() < kMostFound;
    });
  }

  void Consider(const resource::Item& item) {
    const auto& certificate = item.as<Certificate>();
    const std::string& body = request_.certification_body();
    const std::string& scheme = request_.scheme();
    if ((body.empty() || certificate.certification_body() == body) &&
        (scheme.empty() || certificate.scheme() == scheme) &&
        reader_.Sees(item) && domain::IsGranted(certificate)) {
      names_.insert(item.name());
    }
  }

  const methods::Reader& reader_;
  const VerifyCertificateRequest& request_;
  std::set<std::string> names_;
  absl::Status status_;
};

// Bodies in the caller's form, each read once.
class Bodies {
 public:
  explicit Bodies(const methods::Reader& reader) : reader_(reader) {}

  const v1::Body* Find(absl::string_view name) {
    auto [found, added] = known_.try_emplace(std::string(name), nullptr);
    if (!added) return found->second;
    absl::StatusOr<v1::Body> body = reader_.Get<v1::Body>(name);
    if (body.ok()) found->second = &read_.emplace_back(*std::move(body));
    return found->second;
  }

 private:
  const methods::Reader& reader_;
  std::deque<v1::Body> read_;
  std::map<std::string, const v1::Body*> known_;
};

}  // namespace

absl::StatusOr<VerifyCertificateResponse> VerifyCertificate(
    const methods::Reader& reader, const VerifyCertificateRequest& request) {
  absl::Status fine = CheckRequest(request);
  if (!fine.ok()) return fine;
  Search search(reader, request);
  fine = search.Run();
  if (!fine.ok()) return fine;

  VerifyCertificateResponse response;
  response.set_outcome(search.names().empty()
                           ? VerifyCertificateResponse::UNKNOWN
                           : VerifyCertificateResponse::MATCHED);
  response.set_more_matches(search.names().size() > kMostMatches);
  Bodies bodies(reader);
  for (const std::string& name : search.names()) {
    if (static_cast<size_t>(response.matches_size()) == kMostMatches) break;
    absl::StatusOr<Certificate> certificate = reader.Get<Certificate>(name);
    if (!certificate.ok()) return certificate.status();
    const absl::CivilDay day =
        domain::IsEmpty(request.as_of())
            ? domain::DayAt(reader.now(),
                            domain::ZoneOf(certificate->time_zone()))
            : domain::ToDay(request.as_of());
    *response.add_matches() = domain::Verify(
        *certificate, day,
        [&](absl::string_view body) { return bodies.Find(body); });
  }
  return response;
}

}  // namespace transparency::certification::service
