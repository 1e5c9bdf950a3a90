#include "standards-service/domain/membership.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/civil.h"
#include "common/base/times.h"
#include "common/status/status.h"
#include "google/protobuf/util/message_differencer.h"
#include "standards-service/domain/field_rules.h"
#include "transparency/standards/v1/error_reason.pb.h"

namespace transparency::standards::domain {
namespace {

using google::protobuf::util::MessageDifferencer;
using google::type::Date;

constexpr char kType[] = "standards.transparency/Membership";
constexpr int kMaxSteps = 100;

std::string OrganizationOf(const v1::Membership& membership) {
  return membership.name().substr(0, membership.name().rfind("/memberships/"));
}

// Nothing says that it has come into force, or will.
bool AppliedOnly(const v1::Membership& membership) {
  const auto& period = membership.period();
  return !period.has_from() && !period.has_until() && !period.open_ended() &&
         period.attested_on().empty();
}

v1::Membership::State StateOn(const v1::Membership& membership,
                              absl::CivilDay day) {
  switch (InForceOn(membership, day)) {
    case InForce::kYes:
      return v1::Membership::ACTIVE;
    case InForce::kOpen:
      return v1::Membership::UNDETERMINED;
    case InForce::kNo:
      break;
  }
  const auto& period = membership.period();
  if (!period.has_until() || civil::LastDay(period.until()) >= day) {
    return v1::Membership::APPLIED;
  }
  switch (membership.ending()) {
    case v1::Membership::NOT_RENEWED:
      return v1::Membership::LAPSED;
    case v1::Membership::RESIGNED:
      return v1::Membership::LEFT;
    default:
      return v1::Membership::ENDED;
  }
}

absl::Time Effective(v1::Membership* membership, absl::Time now) {
  const absl::CivilDay today = Today(now);
  const v1::Membership::State state = StateOn(*membership, today);
  membership->set_state(state);
  membership->clear_allowed_steps();
  if (AppliedOnly(*membership)) {
    membership->add_allowed_steps("activate");
  } else if (!membership->period().has_until()) {
    membership->add_allowed_steps("lapse");
    membership->add_allowed_steps("leave");
  }
  for (absl::CivilDay day : civil::TurningDays(membership->period())) {
    if (day > today && StateOn(*membership, day) != state) return StartOf(day);
  }
  return absl::InfiniteFuture();
}

resource::IndexKey MemberKey(const v1::Membership& membership) {
  return resource::Key("membership", OrganizationOf(membership),
                       membership.legal_entity(), membership.partner());
}

void Keys(const v1::Membership& membership,
          std::vector<resource::IndexKey>* keys) {
  keys->push_back(MemberKey(membership));
}

absl::Status CheckOverlap(const resource::Snapshot& view,
                          const v1::Membership& membership) {
  const std::string organization = OrganizationOf(membership);
  std::string other;
  view.Lookup<v1::Membership>(
      MemberKey(membership), [&](const v1::Membership& candidate) {
        if (candidate.name() != membership.name() &&
            OrganizationOf(candidate) == organization &&
            candidate.legal_entity() == membership.legal_entity() &&
            candidate.partner() == membership.partner() &&
            civil::SurelyOverlap(candidate.period(), membership.period())) {
          other = candidate.name();
        }
        return other.empty();
      });
  if (other.empty()) return absl::OkStatus();
  return status::Refuse(
      absl::StatusCode::kAlreadyExists,
      v1::ErrorReason_Name(v1::MEMBERSHIP_OVERLAPS),
      absl::StrCat("period surely overlaps that of ", other,
                   ", of the same legal entity through the same partner"),
      {{"membership", other}});
}

void CheckFields(const v1::Membership& membership,
                 status::Violations* violations) {
  if (membership.annual_fee().units() < 0 ||
      membership.annual_fee().nanos() < 0) {
    violations->Add("membership.annual_fee", "is negative");
  }
  if (membership.has_application_date() && membership.period().has_from() &&
      SurelyBefore(membership.period().from(), membership.application_date())) {
    violations->Add("membership.application_date",
                    "is after the first day of the period");
  }
  if (membership.ending() != v1::Membership::ENDING_UNSPECIFIED &&
      !membership.period().has_until()) {
    violations->Add("membership.ending", "needs period.until");
  }
  if (!membership.partner().empty() &&
      membership.partner() == OrganizationOf(membership)) {
    violations->Add("membership.partner", "is the organization itself");
  }
}

absl::Status AddStep(v1::Membership* membership, absl::Time now,
                     v1::Membership::Step step) {
  if (membership->steps_size() >= kMaxSteps) {
    return status::Refuse(
        absl::StatusCode::kResourceExhausted, "LIMIT_EXCEEDED",
        absl::StrCat(membership->name(), " has ", kMaxSteps, " steps already"),
        {{"limit", absl::StrCat(kMaxSteps)}});
  }
  *step.mutable_record_time() = times::ToTimestamp(now);
  *membership->add_steps() = std::move(step);
  return absl::OkStatus();
}

// What an update changes of period and ending is kept.
absl::Status KeepCorrected(const v1::Membership& before, absl::Time now,
                           v1::Membership* after) {
  if (before.ending() == after->ending() &&
      MessageDifferencer::Equals(before.period(), after->period())) {
    return absl::OkStatus();
  }
  v1::Membership::Step step;
  step.set_kind(v1::Membership::Step::CORRECT);
  *step.mutable_previous_period() = before.period();
  step.set_previous_ending(before.ending());
  return AddStep(after, now, std::move(step));
}

absl::Status Check(const resource::Snapshot& view, const v1::Membership* before,
                   v1::Membership* after, absl::Time now) {
  status::Violations violations;
  CheckFields(*after, &violations);
  if (!violations.empty()) return violations.ToStatus();
  absl::Status status = CheckOverlap(view, *after);
  if (status.ok() && before != nullptr) {
    status = KeepCorrected(*before, now, after);
  }
  return status;
}

absl::Status CheckAllowed(const v1::Membership& membership, const char* step) {
  const auto& allowed = membership.allowed_steps();
  if (std::find(allowed.begin(), allowed.end(), step) != allowed.end()) {
    return absl::OkStatus();
  }
  return status::StepNotAllowed(kType, membership.name(), step,
                                v1::Membership::State_Name(membership.state()),
                                {allowed.begin(), allowed.end()});
}

absl::Status End(const resource::Snapshot& view, const char* verb,
                 v1::Membership::Step::Kind kind, v1::Membership::Ending ending,
                 const Date& last_day, absl::Time now,
                 v1::Membership* membership) {
  absl::Status status = CheckAllowed(*membership, verb);
  if (!status.ok()) return status;
  auto* period = membership->mutable_period();
  if (period->has_from() && SurelyBefore(last_day, period->from())) {
    return Contradiction(membership->name(), last_day,
                         "is before the first day of membership");
  }
  for (const Date& attested : period->attested_on()) {
    if (SurelyBefore(last_day, attested)) {
      return Contradiction(membership->name(), last_day,
                           "is before a day on which it is attested");
    }
  }
  *period->mutable_until() = last_day;
  period->set_open_ended(false);
  membership->set_ending(ending);
  status = CheckOverlap(view, *membership);
  if (!status.ok()) return status;
  v1::Membership::Step step;
  step.set_kind(kind);
  *step.mutable_date() = last_day;
  return AddStep(membership, now, std::move(step));
}

}  // namespace

InForce InForceOn(const v1::Membership& membership, absl::CivilDay day) {
  if (AppliedOnly(membership)) return InForce::kNo;
  switch (civil::HoldsOn(membership.period(), day)) {
    case civil::Holding::kInside:
      return InForce::kYes;
    case civil::Holding::kUndetermined:
      return InForce::kOpen;
    case civil::Holding::kOutside:
      break;
  }
  return InForce::kNo;
}

resource::Rules<v1::Membership> MembershipRules() {
  return {.effective = Effective, .keys = Keys, .check = Check};
}

absl::Status Activate(const resource::Snapshot& view, const Date& first_day,
                      absl::Time now, v1::Membership* membership) {
  absl::Status status = CheckAllowed(*membership, "activate");
  if (!status.ok()) return status;
  if (membership->has_application_date() &&
      SurelyBefore(first_day, membership->application_date())) {
    return Contradiction(membership->name(), first_day,
                         "is before the day of the application");
  }
  *membership->mutable_period()->mutable_from() = first_day;
  membership->mutable_period()->set_open_ended(true);
  status = CheckOverlap(view, *membership);
  if (!status.ok()) return status;
  v1::Membership::Step step;
  step.set_kind(v1::Membership::Step::ACTIVATE);
  *step.mutable_date() = first_day;
  return AddStep(membership, now, std::move(step));
}

absl::Status Lapse(const resource::Snapshot& view, const Date& last_day,
                   absl::Time now, v1::Membership* membership) {
  return End(view, "lapse", v1::Membership::Step::LAPSE,
             v1::Membership::NOT_RENEWED, last_day, now, membership);
}

absl::Status Leave(const resource::Snapshot& view, const Date& last_day,
                   absl::Time now, v1::Membership* membership) {
  return End(view, "leave", v1::Membership::Step::LEAVE,
             v1::Membership::RESIGNED, last_day, now, membership);
}

}  // namespace transparency::standards::domain
