#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"
#include "transparency/centre/v1/centre.pb.h"
#include "transparency/centre/v1/space.pb.h"

namespace transparency::centre::domain {

// Rules of creating and updating.
absl::Status CheckCentre(const resource::Snapshot& view,
                         const v1::Centre* before, v1::Centre* after,
                         absl::Time now);
absl::Status CheckSpace(const resource::Snapshot& view, const v1::Space* before,
                        v1::Space* after, absl::Time now);

resource::Rules<v1::Centre> CentreRules();
resource::Rules<v1::Space> SpaceRules();

// Every kind of resource of this service, parents first.
absl::Status AddKinds(resource::Catalogue* catalogue);

}  // namespace transparency::centre::domain
