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
#include "common/journal/clock.h"
#include "common/journal/replica/check.h"
#include "common/journal/replica/convert.h"
#include "common/journal/replica/replica.h"
#include "common/postgres/grants.h"
#include "common/postgres/session.h"
#include "common/server/program.h"
#include "common/service/replica_process.h"
#include "common/service/seed.h"

ABSL_FLAG(std::string, database, "",
          "conninfo or URI of the service's own database, as libpq reads it: "
          "\"host=/run/x dbname=certification user=certification\"");
ABSL_FLAG(std::string, service_role, "",
          "migrate: the role that serve's --database names; it is given what a "
          "service needs and no more, so --database here names the owner of "
          "the tables; empty: no rights are changed");
ABSL_FLAG(absl::Duration, max_staleness, absl::Minutes(10),
          "how long reads are served after the last proof of being current");
ABSL_FLAG(absl::Duration, integrity_interval, absl::Minutes(10),
          "pause between two passes of the check that compares the database "
          "with its journal while the service runs");
ABSL_FLAG(std::string, target, "",
          "seed: host:port of the running service; empty: --listen's");
ABSL_FLAG(std::string, token_file, "",
          "seed: file that holds the bearer token of a staff member");

namespace transparency::service {
namespace {

absl::StatusOr<std::unique_ptr<postgres::Session>> Connect() {
  postgres::SessionOptions options;
  options.conninfo = absl::GetFlag(FLAGS_database);
  if (options.conninfo.empty()) {
    return absl::InvalidArgumentError("--database is not set");
  }
  return postgres::Session::Connect(options);
}

absl::Status Serve(const Service& service) {
  journal::DatabaseClock clock;
  journal::ReplicaOptions options;
  options.conninfo = absl::GetFlag(FLAGS_database);
  options.store.max_staleness = absl::GetFlag(FLAGS_max_staleness);
  options.auditor.interval = absl::GetFlag(FLAGS_integrity_interval);
  auto replica = ReplicaProcess::Make(service, server::OptionsFromFlags(),
                                      std::move(options), &clock);
  return replica.ok() ? (*replica)->Run() : replica.status();
}

absl::Status Migrate(const Service& service) {
  auto session = Connect();
  if (!session.ok()) return session.status();
  auto applied = postgres::Migrate(session->get(), SchemaOf(service));
  if (!applied.ok()) return applied.status();
  resource::Catalogue catalogue;
  absl::Status status = service.add_kinds(&catalogue);
  if (!status.ok()) return status;
  auto converted = journal::ConvertJournal(session->get(), catalogue);
  if (!converted.ok()) return converted.status();
  if (*converted > 0) {
    std::cout << "wrote " << *converted << " journal entries anew\n";
  }
  const std::string role = absl::GetFlag(FLAGS_service_role);
  if (!role.empty()) {
    status = postgres::GrantService(session->get(), role);
    if (!status.ok()) return status;
  }
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
       [&](const Arguments& files) { return SendSamples(service, files); },
       /*takes_arguments=*/true},
  };
  return server::Main(argc, argv, program);
}

}  // namespace transparency::service
