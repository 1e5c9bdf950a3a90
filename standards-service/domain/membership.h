#pragma once

#include "absl/status/status.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"
#include "google/type/date.pb.h"
#include "transparency/standards/v1/membership.pb.h"

namespace transparency::standards::domain {

// State and steps follow from period, ending and the day in UTC; two
// memberships of one organization, legal entity and partner never surely
// overlap; a change of period or ending is kept as a step.
resource::Rules<v1::Membership> MembershipRules();

// The steps of a membership. Each changes `membership`, which is as in effect
// at `now`, or refuses.
absl::Status Activate(const resource::Snapshot& view,
                      const google::type::Date& first_day, absl::Time now,
                      v1::Membership* membership);
absl::Status Lapse(const resource::Snapshot& view,
                   const google::type::Date& last_day, absl::Time now,
                   v1::Membership* membership);
absl::Status Leave(const resource::Snapshot& view,
                   const google::type::Date& last_day, absl::Time now,
                   v1::Membership* membership);

// Whether a membership is in force on a day, by its own dates.
enum class InForce { kYes, kNo, kOpen };
InForce InForceOn(const v1::Membership& membership, absl::CivilDay day);

}  // namespace transparency::standards::domain
