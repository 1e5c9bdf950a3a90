#include "common/service/service.h"
#include "schema/standards_schema.h"
#include "standards-service/service/standards_service.h"

int main(int argc, char** argv) {
  namespace standards = transparency::standards;
  transparency::service::Service service;
  service.name = "standards";
  service.summary =
      "Owns the facts of standards organizations and alliances: memberships, "
      "standards, commitments and publications.";
  service.proto_service = "transparency.standards.v1.StandardsService";
  service.listen = "127.0.0.1:7102";
  service.metrics_listen = "127.0.0.1:7192";
  service.schema = transparency::schema::Standards();
  service.add_kinds = standards::service::AddKinds;
  service.add_methods = standards::service::AddMethods;
  return transparency::service::Main(argc, argv, service);
}
