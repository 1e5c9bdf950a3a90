#include "standards-service/domain/commitment.h"

#include "common/base/civil.h"
#include "common/resource/snapshot.h"
#include "common/status/status.h"
#include "standards-service/domain/field_rules.h"

namespace transparency::standards::domain {
namespace {

constexpr char kType[] = "standards.transparency/Commitment";

absl::Time Effective(v1::Commitment* commitment, absl::Time now) {
  commitment->clear_allowed_steps();
  commitment->set_state(v1::Commitment::ACTIVE);
  if (!commitment->has_end_date()) {
    commitment->add_allowed_steps("end");
    return absl::InfiniteFuture();
  }
  const absl::CivilDay over = civil::LastDay(commitment->end_date()) + 1;
  if (Today(now) < over) return StartOf(over);
  commitment->set_state(v1::Commitment::ENDED);
  return absl::InfiniteFuture();
}

absl::Status Check(const resource::Snapshot&, const v1::Commitment*,
                   v1::Commitment* after, absl::Time) {
  status::Violations violations;
  CheckDocuments("commitment.evidence", after->evidence(), &violations);
  if (!violations.empty()) return violations.ToStatus();
  if (after->has_join_date() && after->has_end_date() &&
      SurelyBefore(after->end_date(), after->join_date())) {
    return status::InvalidField("commitment.join_date",
                                "is after the last day of the commitment");
  }
  return absl::OkStatus();
}

}  // namespace

resource::Rules<v1::Commitment> CommitmentRules() {
  return {.effective = Effective, .check = Check};
}

absl::Status EndCommitment(const google::type::Date& date,
                           v1::Commitment* commitment) {
  if (commitment->has_end_date()) {
    return status::StepNotAllowed(
        kType, commitment->name(), "end",
        v1::Commitment::State_Name(commitment->state()), {});
  }
  if (commitment->has_join_date() &&
      SurelyBefore(date, commitment->join_date())) {
    return Contradiction(commitment->name(), date,
                         "is before the day of joining");
  }
  *commitment->mutable_end_date() = date;
  return absl::OkStatus();
}

}  // namespace transparency::standards::domain
