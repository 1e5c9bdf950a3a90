#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/changes/journal_methods.h"
#include "common/journal/clock.h"
#include "common/journal/replica/replica.h"
#include "common/postgres/migrations.h"
#include "common/resource/kind.h"
#include "common/server/process.h"
#include "common/service/service.h"

namespace transparency::service {

// One replica of a service, put together: its kinds, its snapshot and writer,
// the rows of its methods, and the process that serves them.
class ReplicaProcess {
 public:
  // What the service itself determines is filled into the options; those leave
  // open where to listen and where the database is. `clock` and `service`
  // outlive it. Fails on a defect of the contract.
  static absl::StatusOr<std::unique_ptr<ReplicaProcess>> Make(
      const Service& service, server::ProcessOptions process,
      journal::ReplicaOptions replica, journal::Clock* clock);
  ReplicaProcess(const ReplicaProcess&) = delete;
  ReplicaProcess& operator=(const ReplicaProcess&) = delete;

  // Serves until the process is told to stop. The database's schema and this
  // binary must suit each other.
  absl::Status Run() { return process_->Run(); }

  server::Process& process() { return *process_; }
  const resource::Catalogue& catalogue() const { return catalogue_; }
  journal::Replica& replica() { return *replica_; }

 private:
  explicit ReplicaProcess(const Service& service) : service_(service) {}
  absl::Status Assemble(server::ProcessOptions process,
                        journal::ReplicaOptions replica, journal::Clock* clock);
  absl::Status CheckSchema() const;

  const Service& service_;
  std::string conninfo_;
  resource::Catalogue catalogue_;
  // Calls that wait for a revision; as many as the store holds by default.
  rpc::SharedPlace waits_{journal::StoreOptions().waiters};
  std::unique_ptr<server::Process> process_;
  std::unique_ptr<journal::Replica> replica_;
  std::unique_ptr<changes::JournalMethods> journal_methods_;
};

// The migrations of a service: the journal's, then its own.
std::vector<postgres::Component> SchemaOf(const Service& service);

}  // namespace transparency::service
