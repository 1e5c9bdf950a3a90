#include "certification-service/domain/timeline.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/base/times.h"
#include "google/protobuf/util/message_differencer.h"

namespace transparency::certification::domain {
namespace {

using v1::Certificate;
using v1::CertificateStep;
using v1::CertificateSubject;

// Steps that are taken by a custom method.
constexpr std::pair<CertificateStep::Kind, const char*> kMethods[] = {
    {CertificateStep::START_EVALUATION, "startEvaluation"},
    {CertificateStep::ISSUE, "issue"},
    {CertificateStep::REJECT, "reject"},
    {CertificateStep::SUSPEND, "suspend"},
    {CertificateStep::REINSTATE, "reinstate"},
    {CertificateStep::EXTEND_SUSPENSION, "extendSuspension"},
    {CertificateStep::WITHDRAW, "withdraw"},
    {CertificateStep::REDUCE_SCOPE, "reduceScope"},
    {CertificateStep::CORRECT, "correct"}};

bool InForce(Certificate::State state) {
  return state == Certificate::ACTIVE || state == Certificate::SUSPENDED;
}

// The days on which a step takes effect. One without any date had taken place
// when it was recorded. No certificate is first valid after its last valid day.
DayRange DaysOf(const CertificateStep& step, absl::TimeZone zone) {
  DayRange days = Readings(step.effective_date());
  if (IsEmpty(step.effective_date()) && step.has_record_time()) {
    const absl::Time recorded = times::ToTime(step.record_time());
    days.last = DayAt(recorded, zone);
  }
  if (step.kind() == CertificateStep::ISSUE) {
    days.last = std::min(days.last, LastValidDays(step).last);
  }
  return days;
}

void Apply(const CertificateStep& step, Certificate::State next,
           Standing* standing) {
  if (next != standing->state) standing->cause = &step;
  standing->state = next;
  switch (step.kind()) {
    case CertificateStep::ISSUE:
      standing->issue = &step;
      break;
    case CertificateStep::SUSPEND:
      standing->suspension = &step;
      standing->suspension_end = &step;
      break;
    case CertificateStep::EXTEND_SUSPENSION:
      if (standing->suspension == nullptr) standing->suspension = &step;
      standing->suspension_end = &step;
      break;
    case CertificateStep::SUPERSEDE:
      standing->superseded = &step;
      break;
    default:
      break;
  }
  if (standing->state == Certificate::ACTIVE &&
      standing->superseded != nullptr) {
    standing->state = Certificate::SUPERSEDED;
    standing->cause = standing->superseded;
  }
  if (standing->state != Certificate::SUSPENDED) {
    standing->suspension = nullptr;
    standing->suspension_end = nullptr;
  }
}

// What the clock makes of a standing by `day`.
void Expire(absl::CivilDay day, bool assume_lasting, Standing* standing) {
  if (!InForce(standing->state)) return;
  if (standing->issue != nullptr && standing->issue->without_expiry()) return;
  const DayRange last = standing->issue == nullptr
                            ? DayRange{kFirstDay, kLastDay}
                            : LastValidDays(*standing->issue);
  if (day <= last.first) return;
  if (day > last.last) {
    standing->state = Certificate::EXPIRED;
    standing->cause = nullptr;
  } else if (!assume_lasting) {
    standing->state = Certificate::UNDETERMINED;
    standing->cause = nullptr;
  }
}

std::optional<Certificate::State> NextOfUnknown(CertificateStep::Kind kind) {
  switch (kind) {
    case CertificateStep::APPLY:
      return Certificate::APPLIED;
    case CertificateStep::START_EVALUATION:
      return Certificate::IN_EVALUATION;
    case CertificateStep::ISSUE:
    case CertificateStep::REINSTATE:
      return Certificate::ACTIVE;
    case CertificateStep::REJECT:
      return Certificate::REJECTED;
    case CertificateStep::SUSPEND:
    case CertificateStep::EXTEND_SUSPENSION:
      return Certificate::SUSPENDED;
    case CertificateStep::WITHDRAW:
      return Certificate::WITHDRAWN;
    case CertificateStep::SUPERSEDE:
      return Certificate::SUPERSEDED;
    case CertificateStep::REDUCE_SCOPE:
      return Certificate::STATE_UNSPECIFIED;
    default:
      return std::nullopt;
  }
}

std::optional<Certificate::State> NextOfApplication(
    bool recorded, Certificate::State state, CertificateStep::Kind kind) {
  const bool evaluated = state == Certificate::IN_EVALUATION || recorded;
  if (kind == CertificateStep::START_EVALUATION &&
      state == Certificate::APPLIED) {
    return Certificate::IN_EVALUATION;
  }
  if (kind == CertificateStep::ISSUE && evaluated) return Certificate::ACTIVE;
  if (kind == CertificateStep::REJECT && evaluated) {
    return Certificate::REJECTED;
  }
  return std::nullopt;
}

std::optional<Certificate::State> NextInForce(Certificate::State state,
                                              CertificateStep::Kind kind) {
  const bool suspended = state == Certificate::SUSPENDED;
  switch (kind) {
    case CertificateStep::SUSPEND:
      if (suspended) return std::nullopt;
      return Certificate::SUSPENDED;
    case CertificateStep::REINSTATE:
      if (!suspended) return std::nullopt;
      return Certificate::ACTIVE;
    case CertificateStep::EXTEND_SUSPENSION:
      if (!suspended) return std::nullopt;
      return state;
    case CertificateStep::WITHDRAW:
      return Certificate::WITHDRAWN;
    case CertificateStep::REDUCE_SCOPE:
      return state;
    case CertificateStep::SUPERSEDE:
      return suspended ? state : Certificate::SUPERSEDED;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<Certificate::State> Next(bool recorded, Certificate::State state,
                                       CertificateStep::Kind kind) {
  switch (state) {
    case Certificate::STATE_UNSPECIFIED:
      if (recorded) return NextOfUnknown(kind);
      if (kind == CertificateStep::APPLY) return Certificate::APPLIED;
      return std::nullopt;
    case Certificate::APPLIED:
    case Certificate::IN_EVALUATION:
      return NextOfApplication(recorded, state, kind);
    case Certificate::ACTIVE:
    case Certificate::SUSPENDED:
      return NextInForce(state, kind);
    case Certificate::WITHDRAWN:
    case Certificate::EXPIRED:
      // A successor of what is over changes nothing.
      if (kind == CertificateStep::SUPERSEDE) return state;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

std::string StepName(CertificateStep::Kind kind) {
  for (const auto& [step, method] : kMethods) {
    if (step == kind) return method;
  }
  return CertificateStep::Kind_Name(kind);
}

std::vector<std::string> AllowedSteps(bool recorded, Certificate::State state) {
  std::vector<std::string> allowed;
  for (const auto& [step, method] : kMethods) {
    if (step == CertificateStep::CORRECT ||
        Next(recorded, state, step).has_value()) {
      allowed.emplace_back(method);
    }
  }
  return allowed;
}

std::string StateName(Certificate::State state) {
  return state == Certificate::STATE_UNSPECIFIED
             ? "NONE"
             : Certificate::State_Name(state);
}

DayRange LastValidDays(const CertificateStep& issue) {
  return Readings(issue.last_valid_date());
}

Timeline::Timeline(const Certificate& certificate)
    : certificate_(certificate), zone_(ZoneOf(certificate.time_zone())) {
  // A step that stands in the place of another takes its turn too, since the
  // order of steps that share a day is that of their recording.
  const size_t count = static_cast<size_t>(certificate.steps_size());
  std::vector<size_t> turn_of(count + 1);
  std::vector<int> holder(count + 1);  // of each turn
  for (size_t number = 1; number <= count; ++number) {
    const int corrects =
        certificate.steps(static_cast<int>(number) - 1).corrects();
    const bool corrected =
        corrects > 0 && static_cast<size_t>(corrects) < number;
    turn_of[number] =
        corrected ? turn_of[static_cast<size_t>(corrects)] : number;
    holder[turn_of[number]] = static_cast<int>(number);
  }
  steps_.reserve(count);
  for (size_t turn = 1; turn <= count; ++turn) {
    const int number = holder[turn];
    if (number == 0) continue;
    const CertificateStep& step = certificate.steps(number - 1);
    if (step.kind() == CertificateStep::CORRECT) continue;
    Place({&step, number, DaysOf(step, zone_)});
  }
}

// Before the first that is surely later.
void Timeline::Place(const StandingStep& step) {
  const auto place = std::find_if(steps_.begin(), steps_.end(),
                                  [&](const StandingStep& other) {
                                    return other.days.first > step.days.last;
                                  });
  steps_.insert(place, step);
}

const CertificateStep* Timeline::Last(CertificateStep::Kind kind) const {
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    if (step->step->kind() == kind) return step->step;
  }
  return nullptr;
}

bool Timeline::Stands(int number) const {
  return std::any_of(
      steps_.begin(), steps_.end(),
      [&](const StandingStep& step) { return step.number == number; });
}

Standing Timeline::Fold(size_t count,
                        std::optional<Contradiction>* fault) const {
  Standing standing;
  for (size_t i = 0; i < count; ++i) {
    const StandingStep& step = steps_[i];
    Expire(step.days.first, /*assume_lasting=*/true, &standing);
    const auto next = Next(certificate_.recorded_not_decided(), standing.state,
                           step.step->kind());
    if (next.has_value()) {
      Apply(*step.step, *next, &standing);
    } else if (fault != nullptr && !fault->has_value()) {
      *fault = Contradiction{step.step, step.number, standing.state};
    }
  }
  return standing;
}

std::optional<Contradiction> Timeline::FindContradiction() const {
  std::optional<Contradiction> fault;
  Fold(steps_.size(), &fault);
  return fault;
}

size_t Timeline::PlaceOf(int number) const {
  size_t place = 0;
  while (place < steps_.size() && steps_[place].number != number) ++place;
  return place;
}

Standing Timeline::Before(int number) const {
  const size_t count = PlaceOf(number);
  Standing standing = Fold(count, nullptr);
  if (count < steps_.size()) {
    Expire(steps_[count].days.first, /*assume_lasting=*/true, &standing);
  }
  return standing;
}

size_t Timeline::SureBy(absl::CivilDay day) const {
  size_t sure = 0;
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].days.last <= day) sure = i + 1;
  }
  return sure;
}

size_t Timeline::PossibleBy(absl::CivilDay day) const {
  size_t possible = 0;
  while (possible < steps_.size() && steps_[possible].days.first <= day) {
    ++possible;
  }
  return possible;
}

Standing Timeline::On(absl::CivilDay day) const {
  const size_t sure = SureBy(day);
  Standing standing = Fold(sure, nullptr);
  Expire(day, /*assume_lasting=*/false, &standing);
  for (size_t count = sure + 1; count <= PossibleBy(day); ++count) {
    Standing other = Fold(count, nullptr);
    Expire(day, /*assume_lasting=*/false, &other);
    if (other.state != standing.state) {
      other.state = Certificate::UNDETERMINED;
      other.cause = nullptr;
      return other;
    }
  }
  return standing;
}

Standing Timeline::AtMostOn(absl::CivilDay day) const {
  Standing standing = Fold(std::max(SureBy(day), PossibleBy(day)), nullptr);
  Expire(day, /*assume_lasting=*/true, &standing);
  return standing;
}

std::vector<const CertificateSubject*> Timeline::SubjectsOn(
    absl::CivilDay day) const {
  return SubjectsAfter(SureBy(day));
}

std::vector<const CertificateSubject*> Timeline::SubjectsBefore(
    int number) const {
  return SubjectsAfter(PlaceOf(number));
}

std::vector<const CertificateSubject*> Timeline::SubjectsAfter(
    size_t count) const {
  using google::protobuf::util::MessageDifferencer;
  std::vector<const CertificateSubject*> subjects;
  for (const CertificateSubject& subject : certificate_.subjects()) {
    subjects.push_back(&subject);
  }
  for (size_t i = 0; i < count; ++i) {
    for (const CertificateSubject& gone : steps_[i].step->removed_subjects()) {
      const auto found = std::find_if(
          subjects.begin(), subjects.end(), [&](const CertificateSubject* s) {
            return MessageDifferencer::Equals(*s, gone);
          });
      if (found != subjects.end()) subjects.erase(found);
    }
  }
  return subjects;
}

std::vector<absl::CivilDay> Timeline::ChangesAfter(absl::CivilDay day) const {
  std::vector<absl::CivilDay> days;
  const auto add = [&](absl::CivilDay change) {
    if (change > day && change < kLastDay) days.push_back(change);
  };
  for (const StandingStep& step : steps_) {
    add(step.days.first);
    add(step.days.last);
    if (step.step->kind() == CertificateStep::ISSUE) {
      const DayRange last = LastValidDays(*step.step);
      add(last.first + 1);
      add(last.last + 1);
    }
  }
  std::sort(days.begin(), days.end());
  days.erase(std::unique(days.begin(), days.end()), days.end());
  return days;
}

}  // namespace transparency::certification::domain
