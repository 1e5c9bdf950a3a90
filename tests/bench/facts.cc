// Made-up certificates in the shape of real ones: number, identifiers,
// documents with digests, the steps of their life. The same ones each time.
//
// --database: writes --certificates of them, and what they refer to, through
// the service's own writer, so that journal, chain digests, tables and rules
// are those of a real database.
// --requests: writes CreateCertificate requests that may follow, for
// bench-load: their numbers hold ########.

#include <cstdint>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "certification-service/domain/registry_rules.h"
#include "common/base/digest.h"
#include "common/journal/clock.h"
#include "common/journal/replica/replica.h"
#include "google/protobuf/message.h"
#include "prometheus/registry.h"
#include "transparency/certification/v1/body.pb.h"
#include "transparency/certification/v1/certificate.pb.h"
#include "transparency/certification/v1/product.pb.h"
#include "transparency/certification/v1/scheme.pb.h"

ABSL_FLAG(std::string, database, "", "conninfo of a migrated, empty database");
ABSL_FLAG(int, certificates, 100000, "how many to write to --database");
ABSL_FLAG(std::string, requests, "", "file to be written");

namespace transparency::bench {
namespace {

using google::protobuf::Message;
namespace v1 = certification::v1;

constexpr int kSchemes = 6;
constexpr int kBodies = 24;
constexpr int kProducts = 2000;
constexpr int kRequests = 1000;
// Resources of one command.
constexpr int kAtOnce = 500;
constexpr char kSerialPlaceholder[] = "########";

void SetDate(int year, int number, google::type::Date* date) {
  date->set_year(year);
  date->set_month(number % 12 + 1);
  date->set_day(number % 28 + 1);
}

std::string Hex(const std::string& bytes) {
  std::string hex;
  for (const char c : bytes) {
    absl::StrAppendFormat(&hex, "%02x", static_cast<unsigned char>(c));
  }
  return hex;
}

v1::Scheme MakeScheme(int number) {
  v1::Scheme scheme;
  scheme.set_name(absl::StrCat("schemes/scheme-", number));
  scheme.set_title(absl::StrCat("Evaluation of products, part ", number));
  scheme.add_topics(v1::Scheme::SECURITY);
  scheme.add_subject_kinds(v1::Scheme::PRODUCT);
  scheme.set_standard(absl::StrCat("ISO/IEC 15408-", number));
  for (int level = 1; level <= 7; ++level) {
    scheme.add_levels()->set_code(absl::StrCat("EAL", level));
  }
  scheme.set_time_zone(number % 2 == 0 ? "Europe/Berlin" : "Etc/UTC");
  scheme.mutable_rules()->set_augmentations_allowed(true);
  return scheme;
}

v1::Body MakeBody(int number) {
  v1::Body body;
  body.set_name(absl::StrFormat("bodies/body-%02d", number));
  body.set_display_name(absl::StrCat("Certification body ", number));
  body.add_roles(v1::Body::CERTIFICATION_BODY);
  body.add_roles(v1::Body::LABORATORY);
  return body;
}

v1::Product MakeProduct(int number) {
  v1::Product product;
  product.set_name(absl::StrFormat("products/product-%04d", number));
  product.set_display_name(absl::StrCat("Network product ", number));
  product.set_vendor(absl::StrCat("Vendor ", number % 97));
  for (const char* version : {"1.0", "2.0", "2.1"}) {
    product.add_versions()->set_version(version);
  }
  return product;
}

void AddDocument(const std::string& number, int kind, v1::Certificate* to) {
  v1::CertificateDocument* document = to->add_documents();
  document->set_kind(static_cast<v1::CertificateDocument::Kind>(kind));
  document->set_title(absl::StrCat("Document ", kind, " of ", number));
  document->set_uri(absl::StrCat("https://certificates.example/documents/",
                                 number, "/", kind, ".pdf"));
  document->set_media_type("application/pdf");
  document->set_size_bytes(100'000 + kind * 12'345);
  document->set_sha256(Hex(digest::Sha256(absl::StrCat(kind, number))));
}

v1::CertificateStep* AddStep(v1::CertificateStep::Kind kind, int year,
                             int number, v1::Certificate* to) {
  v1::CertificateStep* step = to->add_initial_steps();
  step->set_kind(kind);
  SetDate(year, number, step->mutable_effective_date());
  SetDate(year, number, step->mutable_decision_date());
  return step;
}

// `serial`: eight digits, or the placeholder.
v1::Certificate MakeCertificate(int number, const std::string& serial) {
  v1::Certificate certificate;
  const std::string text = absl::StrCat("BENCH-CC-", serial, "-2026");
  certificate.set_scheme(absl::StrCat("schemes/scheme-", number % kSchemes));
  certificate.set_level(absl::StrCat("EAL", number % 7 + 1));
  certificate.add_augmentations("ALC_FLR.2");
  if (number % 3 == 0) certificate.add_augmentations("AVA_VAN.5");
  v1::ProtectionProfile* profile = certificate.add_protection_profiles();
  profile->set_title("Protection Profile for Network Devices");
  profile->set_identifier(absl::StrCat("BSI-CC-PP-", 1000 + number % 90));
  v1::CertificateSubject::ProductSubject* product =
      certificate.add_subjects()->mutable_product();
  product->set_product(
      absl::StrFormat("products/product-%04d", number % kProducts));
  product->set_version("2.1");
  certificate.set_certification_body(
      absl::StrFormat("bodies/body-%02d", number % kBodies));
  certificate.set_laboratory(
      absl::StrFormat("bodies/body-%02d", (number + 7) % kBodies));
  certificate.set_certificate_number(text);
  v1::CertificateIdentifier* identifier = certificate.add_identifiers();
  identifier->set_register_("Register of evaluated products");
  identifier->set_value(absl::StrCat("REG-", serial));
  identifier->set_uri(
      absl::StrCat("https://register.example/certificates/", serial));
  AddDocument(text, v1::CertificateDocument::CERTIFICATE, &certificate);
  AddDocument(text, v1::CertificateDocument::CERTIFICATION_REPORT,
              &certificate);
  if (number % 2 == 0) {
    AddDocument(text, v1::CertificateDocument::SECURITY_TARGET, &certificate);
  }
  certificate.set_recorded_not_decided(true);
  AddStep(v1::CertificateStep::APPLY, 2020, number, &certificate);
  AddStep(v1::CertificateStep::START_EVALUATION, 2021, number, &certificate);
  v1::CertificateStep* issue =
      AddStep(v1::CertificateStep::ISSUE, 2022, number, &certificate);
  // Every fourth has expired.
  SetDate(number % 4 == 0 ? 2025 : 2035, number,
          issue->mutable_last_valid_date());
  if (number % 10 == 1) {
    AddStep(v1::CertificateStep::SUSPEND, 2023, number, &certificate)
        ->set_reason("Surveillance audit outstanding");
  }
  certificate.mutable_source()->set_title("Made up for tests/bench");
  certificate.mutable_source()->set_sample(true);
  return certificate;
}

// A replica of certification-service without its ports.
class Loader {
 public:
  absl::Status Start(const std::string& conninfo) {
    absl::Status status = certification::domain::AddKinds(&catalogue_);
    if (!status.ok()) return status;
    journal::ReplicaOptions options;
    options.conninfo = conninfo;
    replica_ = std::make_unique<journal::Replica>(options, &catalogue_, &clock_,
                                                  &registry_);
    return replica_->Start();
  }
  void Stop() { replica_->Stop(); }

  using Make = std::function<std::unique_ptr<Message>(int number)>;

  // `count` resources, some hundred per command.
  absl::Status Create(int count, const Make& make) {
    for (int first = 0; first < count; first += kAtOnce) {
      const int last = std::min(count, first + kAtOnce);
      absl::Status status = Run([&](journal::Decision& decision) {
        for (int number = first; number < last; ++number) {
          absl::Status put = Put(decision, make(number));
          if (!put.ok()) return put;
        }
        return absl::OkStatus();
      });
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Put(journal::Decision& decision,
                   std::unique_ptr<Message> resource) {
    const resource::Kind* kind =
        catalogue_.ByDescriptor(resource->GetDescriptor());
    if (kind->rules.check) {
      absl::Status status = kind->rules.check(decision.view(), nullptr,
                                              resource.get(), decision.now());
      if (!status.ok()) return status;
    }
    return decision.Put(*resource, journal::v1::Change::CREATED).status();
  }

  absl::Status Run(
      const std::function<absl::Status(journal::Decision&)>& work) {
    journal::Command command;
    command.caller.subject = "bench";
    command.method =
        "transparency.certification.v1.CertificationService.CreateCertificate";
    command.decide =
        [&work](journal::Decision& decision) -> absl::StatusOr<std::string> {
      absl::Status status = work(decision);
      if (!status.ok()) return status;
      return std::string();
    };
    absl::Status result;
    absl::Notification done;
    command.done = [&](absl::StatusOr<journal::CommandResult> answer) {
      result = answer.status();
      done.Notify();
    };
    replica_->writer().Submit(std::move(command));
    done.WaitForNotification();
    return result;
  }

  resource::Catalogue catalogue_;
  journal::DatabaseClock clock_;
  prometheus::Registry registry_;
  std::unique_ptr<journal::Replica> replica_;
};

absl::Status Load() {
  Loader loader;
  absl::Status status = loader.Start(absl::GetFlag(FLAGS_database));
  if (!status.ok()) return status;
  status = loader.Create(kSchemes, [](int number) {
    return std::make_unique<v1::Scheme>(MakeScheme(number));
  });
  if (status.ok()) {
    status = loader.Create(kBodies, [](int number) {
      return std::make_unique<v1::Body>(MakeBody(number));
    });
  }
  if (status.ok()) {
    status = loader.Create(kProducts, [](int number) {
      return std::make_unique<v1::Product>(MakeProduct(number));
    });
  }
  if (status.ok()) {
    status = loader.Create(absl::GetFlag(FLAGS_certificates), [](int number) {
      auto certificate = std::make_unique<v1::Certificate>(
          MakeCertificate(number, absl::StrFormat("%08d", number)));
      certificate->set_name(
          absl::StrFormat("certificates/certificate-%08d", number));
      return certificate;
    });
  }
  loader.Stop();
  return status;
}

absl::Status WriteRequests() {
  std::ofstream out(absl::GetFlag(FLAGS_requests), std::ios::binary);
  for (int number = 0; number < kRequests; ++number) {
    v1::CreateCertificateRequest request;
    *request.mutable_certificate() =
        MakeCertificate(number, kSerialPlaceholder);
    const std::string bytes = request.SerializeAsString();
    const auto size = static_cast<uint32_t>(bytes.size());
    for (int shift = 24; shift >= 0; shift -= 8) {
      out.put(static_cast<char>(size >> shift & 0xff));
    }
    out << bytes;
  }
  return out.flush() ? absl::OkStatus()
                     : absl::UnknownError("the requests cannot be written");
}

int Main() {
  absl::Status status;
  if (!absl::GetFlag(FLAGS_database).empty()) status = Load();
  if (status.ok() && !absl::GetFlag(FLAGS_requests).empty()) {
    status = WriteRequests();
  }
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace transparency::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return transparency::bench::Main();
}
