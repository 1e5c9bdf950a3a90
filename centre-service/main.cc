#include "centre-service/domain/centres.h"
#include "centre-service/service/centre_service.h"
#include "common/service/service.h"
#include "schema/centre_schema.h"

int main(int argc, char** argv) {
  transparency::service::Service service;
  service.name = "centre";
  service.summary =
      "Owns the Transparency Centres: spaces, bookings and visitors, and when "
      "one can come.";
  service.proto_service = "transparency.centre.v1.CentreService";
  service.listen = "127.0.0.1:7103";
  service.metrics_listen = "127.0.0.1:7193";
  service.schema = transparency::schema::Centre();
  service.add_kinds = transparency::centre::domain::AddKinds;
  service.add_methods = transparency::centre::service::AddMethods;
  return transparency::service::Main(argc, argv, service);
}
