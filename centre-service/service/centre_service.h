#pragma once

#include "absl/status/status.h"
#include "common/journal/replica/writer.h"
#include "common/journal/store.h"
#include "common/resource/kind.h"
#include "common/rpc/method_table.h"

namespace transparency::centre::service {

// The rows of CentreService. All that is given outlives the table.
absl::Status AddMethods(const resource::Catalogue* catalogue,
                        journal::Store* store, journal::Writer* writer,
                        rpc::MethodTable* table);

}  // namespace transparency::centre::service
