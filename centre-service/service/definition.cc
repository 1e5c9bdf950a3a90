#include "centre-service/service/definition.h"

#include "centre-service/domain/centres.h"
#include "centre-service/service/centre_service.h"
#include "schema/centre_schema.h"

namespace transparency::centre::service {

transparency::service::Service Definition() {
  transparency::service::Service service;
  service.name = "centre";
  service.summary =
      "Owns the Transparency Centres: spaces, bookings and visitors, and when "
      "one can come.";
  service.proto_service = "transparency.centre.v1.CentreService";
  service.journal_service = "transparency.centre.v1.CentreJournalService";
  service.listen = "127.0.0.1:7103";
  service.metrics_listen = "127.0.0.1:7193";
  service.schema = schema::Centre();
  service.add_kinds = domain::AddKinds;
  service.add_methods = AddMethods;
  return service;
}

}  // namespace transparency::centre::service
