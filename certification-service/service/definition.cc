#include "certification-service/service/definition.h"

#include "certification-service/domain/registry_rules.h"
#include "certification-service/service/certification_service.h"
#include "schema/certification_schema.h"

namespace transparency::certification::service {

transparency::service::Service Definition() {
  transparency::service::Service service;
  service.name = "certification";
  service.summary =
      "Owns the company's certificates: which, for what, issued by whom, valid "
      "when, and how to check them.";
  service.proto_service = "transparency.certification.v1.CertificationService";
  service.journal_service =
      "transparency.certification.v1.CertificationJournalService";
  service.listen = "127.0.0.1:7101";
  service.metrics_listen = "127.0.0.1:7191";
  service.schema = schema::Certification();
  service.add_kinds = domain::AddKinds;
  service.add_methods = AddMethods;
  return service;
}

}  // namespace transparency::certification::service
