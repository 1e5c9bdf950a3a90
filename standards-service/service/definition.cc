#include "standards-service/service/definition.h"

#include "schema/standards_schema.h"
#include "standards-service/service/standards_service.h"

namespace transparency::standards::service {

transparency::service::Service Definition() {
  transparency::service::Service service;
  service.name = "standards";
  service.summary =
      "Owns the company's memberships, standards, publications and "
      "commitments.";
  service.proto_service = "transparency.standards.v1.StandardsService";
  service.journal_service = "transparency.standards.v1.StandardsJournalService";
  service.listen = "127.0.0.1:7102";
  service.metrics_listen = "127.0.0.1:7192";
  service.schema = schema::Standards();
  service.add_kinds = AddKinds;
  service.add_methods = AddMethods;
  return service;
}

}  // namespace transparency::standards::service
