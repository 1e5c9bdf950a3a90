#include "common/service/replica_process.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/fields/request_check.h"
#include "common/methods/fresh_reads.h"
#include "common/postgres/session.h"
#include "common/rpc/server/embedded_descriptors.h"
#include "schema/journal_schema.h"

namespace transparency::service {

std::vector<postgres::Component> SchemaOf(const Service& service) {
  return {schema::Journal(), service.schema};
}

absl::StatusOr<std::unique_ptr<ReplicaProcess>> ReplicaProcess::Make(
    const Service& service, server::ProcessOptions process,
    journal::ReplicaOptions replica, journal::Clock* clock) {
  std::unique_ptr<ReplicaProcess> made(new ReplicaProcess(service));
  absl::Status status =
      made->Assemble(std::move(process), std::move(replica), clock);
  if (!status.ok()) return status;
  return made;
}

absl::Status ReplicaProcess::Assemble(server::ProcessOptions process,
                                      journal::ReplicaOptions replica,
                                      journal::Clock* clock) {
  // Snapshots have the shape of the catalogue: it comes first.
  absl::Status status = service_.add_kinds(&catalogue_);
  if (!status.ok()) return status;
  conninfo_ = replica.conninfo;
  process.descriptor_set = EmbeddedDescriptorSet();
  process.service.domain = absl::StrCat(service_.name, ".transparency");
  process.service.check_request = [](google::protobuf::Message& request) {
    return fields::CheckRequest(&request);
  };
  process.service.admission = [this](const std::shared_ptr<rpc::Call>& call,
                                     std::function<void(absl::Status)> resume) {
    return methods::AwaitMinRevision(service_.name, &replica_->store(), &waits_,
                                     call, std::move(resume));
  };
  process_ = std::make_unique<server::Process>(std::move(process));
  replica.follower.on_serving_change = [this](bool serving) {
    process_->health().Set("", serving);
    process_->health().Set(service_.proto_service, serving);
    process_->health().Set(service_.journal_service, serving);
  };
  replica_ = std::make_unique<journal::Replica>(std::move(replica), &catalogue_,
                                                clock, &process_->registry());
  changes::JournalMethodsOptions journal;
  journal.reader.conninfo = conninfo_;
  journal_methods_ = std::make_unique<changes::JournalMethods>(
      std::move(journal), &replica_->store(), &process_->registry());
  status =
      journal_methods_->AddRows(service_.journal_service, &process_->methods());
  if (!status.ok()) return status;
  process_->Add(
      "schema", [this] { return CheckSchema(); }, nullptr);
  process_->Add(
      "journal",
      [this] {
        journal_methods_->Start();
        return absl::OkStatus();
      },
      [this] { journal_methods_->Stop(); });
  process_->Add(
      "replica", [this] { return replica_->Start(); },
      [this] { replica_->Stop(); });
  return service_.add_methods(&catalogue_, &replica_->store(),
                              &replica_->writer(), &process_->methods());
}

absl::Status ReplicaProcess::CheckSchema() const {
  postgres::SessionOptions options;
  options.conninfo = conninfo_;
  auto session = postgres::Session::Connect(options);
  if (!session.ok()) return session.status();
  return postgres::CheckSchema(session->get(), SchemaOf(service_));
}

}  // namespace transparency::service
