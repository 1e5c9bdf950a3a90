#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/resource/kind.h"
#include "google/type/date.pb.h"
#include "transparency/standards/v1/commitment.pb.h"

namespace transparency::standards::domain {

// ACTIVE until every reading of its end date is past.
resource::Rules<v1::Commitment> CommitmentRules();

// Sets the last day, or refuses.
absl::Status EndCommitment(const google::type::Date& date,
                           v1::Commitment* commitment);

}  // namespace transparency::standards::domain
