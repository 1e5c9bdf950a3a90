#pragma once

#include "absl/status/status.h"
#include "common/journal/replica/writer.h"
#include "common/journal/store.h"
#include "common/resource/kind.h"
#include "common/rpc/method_table.h"

namespace transparency::standards::service {

// The kinds of resources of this service, each with its rules.
absl::Status AddKinds(resource::Catalogue* catalogue);

// The rows of StandardsService. All that is given outlives the table.
absl::Status AddMethods(const resource::Catalogue* catalogue,
                        journal::Store* store, journal::Writer* writer,
                        rpc::MethodTable* table);

}  // namespace transparency::standards::service
