#include "common/service/service.h"

#include <fstream>
#include <iostream>
#include <memory>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "common/journal/check.h"
#include "common/journal/clock.h"
#include "common/journal/replica.h"
#include "common/methods/fresh_reads.h"
#include "common/postgres/session.h"
#include "common/resource/request_check.h"
#include "common/rpc/embedded_descriptors.h"
#include "common/server/process.h"
#include "common/server/program.h"
#include "common/service/seed.h"
#include "schema/journal_schema.h"

ABSL_FLAG(std::string, database, "",
          "conninfo or URI of the service's own database, as libpq reads it: "
          "\"host=/run/x dbname=certification user=certification\"");
ABSL_FLAG(absl::Duration, max_staleness, absl::Minutes(10),
          "how long reads are served after the last proof of being current");
ABSL_FLAG(std::string, target, "",
          "seed: host:port of the running service; empty: --listen's");
ABSL_FLAG(std::string, token_file, "",
          "seed: file that holds the bearer token of a staff member");

namespace transparency::service {
namespace {

std::vector<postgres::Component> Schema(const Service& service) {
  return {schema::Journal(), service.schema};
}

absl::StatusOr<std::unique_ptr<postgres::Session>> Connect() {
  postgres::SessionOptions options;
  options.conninfo = absl::GetFlag(FLAGS_database);
  if (options.conninfo.empty()) {
    return absl::InvalidArgumentError("--database is not set");
  }
  return postgres::Session::Connect(options);
}

absl::Status CheckSchema(const Service& service) {
  auto session = Connect();
  if (!session.ok()) return session.status();
  return postgres::CheckSchema(session->get(), Schema(service));
}

absl::Status Serve(const Service& service) {
  resource::Catalogue catalogue;
  absl::Status status = service.add_kinds(&catalogue);
  if (!status.ok()) return status;
  journal::DatabaseClock clock;
  std::unique_ptr<journal::Replica> replica;

  server::ProcessOptions options = server::OptionsFromFlags();
  options.descriptor_set = EmbeddedDescriptorSet();
  options.service.domain = absl::StrCat(service.name, ".transparency");
  options.service.check_request = [](google::protobuf::Message& request) {
    return resource::CheckRequest(&request);
  };
  options.service.admission = [&](const std::shared_ptr<rpc::Call>& call,
                                  std::function<void(absl::Status)> resume) {
    return methods::AwaitMinRevision(service.name, &replica->store(), call,
                                     std::move(resume));
  };
  server::Process process(std::move(options));

  journal::ReplicaOptions replica_options;
  replica_options.conninfo = absl::GetFlag(FLAGS_database);
  replica_options.store.max_staleness = absl::GetFlag(FLAGS_max_staleness);
  replica_options.follower.on_serving_change = [&](bool serving) {
    process.health().Set("", serving);
    process.health().Set(service.proto_service, serving);
  };
  replica = std::make_unique<journal::Replica>(
      std::move(replica_options), &catalogue, &clock, &process.registry());

  status = service.add_methods(&catalogue, &replica->store(),
                               &replica->writer(), &process.methods());
  if (!status.ok()) return status;

  process.Add("schema", [&service] { return CheckSchema(service); }, nullptr);
  process.Add("replica", [&] { return replica->Start(); },
              [&] { replica->Stop(); });
  return process.Run();
}

absl::Status Migrate(const Service& service) {
  auto session = Connect();
  if (!session.ok()) return session.status();
  auto applied = postgres::Migrate(session->get(), Schema(service));
  if (!applied.ok()) return applied.status();
  std::cout << (applied->empty()
                    ? "the schema is up to date"
                    : absl::StrCat("applied ", absl::StrJoin(*applied, ", ")))
            << "\n";
  return absl::OkStatus();
}

absl::Status Check(const Service& service) {
  resource::Catalogue catalogue;
  absl::Status status = service.add_kinds(&catalogue);
  if (!status.ok()) return status;
  auto session = Connect();
  if (!session.ok()) return session.status();
  auto report = journal::Check(session->get(), catalogue, absl::Now());
  if (!report.ok()) return report.status();
  for (const std::string& problem : report->problems) {
    std::cout << problem << "\n";
  }
  std::cout << report->entries << " journal entries, " << report->resources
            << " resources, " << report->problems.size() << " problems\n";
  return report->problems.empty()
             ? absl::OkStatus()
             : absl::DataLossError("the database is not what it should be");
}

absl::Status SendSamples(const Service& service,
                         const std::vector<std::string>& files) {
  SeedOptions options;
  options.proto_service = service.proto_service;
  options.target = absl::GetFlag(FLAGS_target);
  if (options.target.empty()) options.target = service.listen;
  const std::string token_file = absl::GetFlag(FLAGS_token_file);
  if (!token_file.empty()) {
    std::ifstream in(token_file);
    if (!std::getline(in, options.token)) {
      return absl::NotFoundError(absl::StrCat("cannot read ", token_file));
    }
    absl::StripAsciiWhitespace(&options.token);
  }
  return Seed(options, files);
}

}  // namespace

int Main(int argc, char** argv, const Service& service) {
  using Arguments = std::vector<std::string>;
  server::Program program;
  program.name = absl::StrCat(service.name, "-service");
  program.summary = service.summary;
  program.listen = service.listen;
  program.metrics_listen = service.metrics_listen;
  program.subcommands = {
      {"serve", "Serves until SIGTERM.",
       [&](const Arguments&) { return Serve(service); }},
      {"migrate", "Brings the database's schema up to date.",
       [&](const Arguments&) { return Migrate(service); }},
      {"check",
       "Proves the database: density and chain of the journal, columns against "
       "bodies, references.",
       [&](const Arguments&) { return Check(service); }},
      {"seed",
       "Sends the facts of JSON-lines files to a running service (--target, "
       "--token_file).",
       [&](const Arguments& files) { return SendSamples(service, files); }},
  };
  return server::Main(argc, argv, program);
}

}  // namespace transparency::service
