#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/journal/replica/writer.h"
#include "common/journal/store.h"
#include "common/postgres/migrations.h"
#include "common/resource/kind.h"
#include "common/rpc/method_table.h"

namespace transparency::service {

// What tells one service of facts from another: all that its main() says.
struct Service {
  std::string name;  // "certification": of packages, revisions, error domains
  std::string summary;  // one sentence for --help
  // "transparency.certification.v1.CertificationService"
  std::string proto_service;
  // "transparency.certification.v1.CertificationJournalService"
  std::string journal_service;
  // Defaults of --listen and --metrics_listen.
  std::string listen;
  std::string metrics_listen;
  // Of the service's own tables; the journal's come before them.
  postgres::Component schema;
  std::function<absl::Status(resource::Catalogue*)> add_kinds;
  // The rows of its methods. All that is given outlives the table.
  std::function<absl::Status(const resource::Catalogue*, journal::Store*,
                             journal::Writer*, rpc::MethodTable*)>
      add_methods;
};

// The executable of a service: the subcommands serve, migrate, check and seed.
// The value is main's.
int Main(int argc, char** argv, const Service& service);

}  // namespace transparency::service
