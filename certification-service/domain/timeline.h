#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "certification-service/domain/civil_days.h"
#include "transparency/certification/v1/certificate.pb.h"

namespace transparency::certification::domain {

// A step that has effect: no later one corrects it.
struct StandingStep {
  const v1::CertificateStep* step;
  int number;     // 1 for the certificate's first step
  DayRange days;  // on one of which it takes effect
};

// Where a certificate stands after some of its steps.
struct Standing {
  v1::Certificate::State state = v1::Certificate::STATE_UNSPECIFIED;
  // The step that made it so; null where the clock did, or none.
  const v1::CertificateStep* cause = nullptr;
  // The running suspension: the step that began it, and the one that says until
  // when. Null where there is none.
  const v1::CertificateStep* suspension = nullptr;
  const v1::CertificateStep* suspension_end = nullptr;
  // The step that granted it; null when none has.
  const v1::CertificateStep* issue = nullptr;
  // A successor is valid, but a suspension kept the certificate.
  const v1::CertificateStep* superseded = nullptr;
};

// A step that is not allowed where it stands.
struct Contradiction {
  const v1::CertificateStep* step;
  int number;
  v1::Certificate::State state;  // before it
};

// The life of one certificate: its standing steps in the order of their effect.
// Refers to the certificate's steps; whoever changes those makes a new one.
class Timeline {
 public:
  explicit Timeline(const v1::Certificate& certificate);

  absl::TimeZone zone() const { return zone_; }
  const std::vector<StandingStep>& steps() const { return steps_; }
  // The last standing step of this kind; null when there is none.
  const v1::CertificateStep* Last(v1::CertificateStep::Kind kind) const;
  // Step `number` has effect.
  bool Stands(int number) const;

  // The first step that is not allowed where it stands.
  std::optional<Contradiction> FindContradiction() const;

  // Where it stands before step `number` takes effect.
  Standing Before(int number) const;
  // Where it stands on a day, expiry included. UNDETERMINED when the readings
  // of its dates disagree; STATE_UNSPECIFIED before its first step.
  Standing On(absl::CivilDay day) const;
  // Where its steps leave it on a day in the latest reading of their dates,
  // were its expiry known not to have come where it is not recorded.
  Standing AtMostOn(absl::CivilDay day) const;
  // The subjects that it covers on a day, after the reductions that have surely
  // taken effect.
  std::vector<const v1::CertificateSubject*> SubjectsOn(
      absl::CivilDay day) const;
  // Those before step `number` takes effect.
  std::vector<const v1::CertificateSubject*> SubjectsBefore(int number) const;

  // Days after `day` on which On or SubjectsOn may answer something else, in
  // order.
  std::vector<absl::CivilDay> ChangesAfter(absl::CivilDay day) const;

 private:
  void Place(const StandingStep& step);
  Standing Fold(size_t count, std::optional<Contradiction>* fault) const;
  std::vector<const v1::CertificateSubject*> SubjectsAfter(size_t count) const;
  size_t PlaceOf(int number) const;
  // How many steps have surely, and at most, taken effect by a day.
  size_t SureBy(absl::CivilDay day) const;
  size_t PossibleBy(absl::CivilDay day) const;

  const v1::Certificate& certificate_;
  const absl::TimeZone zone_;
  std::vector<StandingStep> steps_;
};

// The last valid day of an ISSUE step; all days when it is not recorded.
DayRange LastValidDays(const v1::CertificateStep& issue);

// The state to which a step leads; none when it is not allowed. A recorded
// certificate may begin anywhere, and from an application it may be granted
// without further steps.
std::optional<v1::Certificate::State> Next(bool recorded,
                                           v1::Certificate::State state,
                                           v1::CertificateStep::Kind kind);

// The custom method of a step, as `allowed_steps` names it: `startEvaluation`.
// Of a step that no method takes: its kind.
std::string StepName(v1::CertificateStep::Kind kind);

// The custom methods that a state allows, in the order of the enum of steps;
// `correct` always.
std::vector<std::string> AllowedSteps(bool recorded,
                                      v1::Certificate::State state);

// The name of a state as refusals write it.
std::string StateName(v1::Certificate::State state);

}  // namespace transparency::certification::domain
