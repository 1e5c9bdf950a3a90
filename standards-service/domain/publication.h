#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/resource/kind.h"
#include "google/type/date.pb.h"
#include "transparency/standards/v1/publication.pb.h"

namespace transparency::standards::domain {

// Each language and topic once; the state begins as DRAFT.
resource::Rules<v1::Publication> PublicationRules();

// The steps of a publication. `date` may be null: what the request gave. They
// change the publication or refuse.
absl::Status Publish(const google::type::Date* date, absl::Time now,
                     v1::Publication* publication);
absl::Status Retire(const google::type::Date* date, absl::Time now,
                    v1::Publication* publication);

}  // namespace transparency::standards::domain
