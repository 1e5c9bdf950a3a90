#include "certification-service/domain/step_rules.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "certification-service/domain/civil_days.h"
#include "certification-service/domain/support.h"
#include "certification-service/domain/timeline.h"
#include "common/base/civil.h"
#include "common/base/times.h"
#include "common/status/status.h"
#include "google/protobuf/util/message_differencer.h"
#include "transparency/certification/v1/body.pb.h"
#include "transparency/certification/v1/scheme.pb.h"

namespace transparency::certification::domain {
namespace {

using google::type::Date;
using v1::Certificate;
using v1::CertificateStep;
using v1::CertificateSubject;

constexpr absl::string_view kCertificateType =
    "certification.transparency/Certificate";

// ---- one step ----

// Gathers what is wrong with the fields of one step.
class StepFields {
 public:
  StepFields(bool recorded, const CertificateStep& step, absl::CivilDay today,
             absl::string_view path)
      : recorded_(recorded), step_(step), today_(today), path_(path) {}

  absl::Status Check() {
    if (step_.kind() == CertificateStep::KIND_UNSPECIFIED ||
        step_.kind() == CertificateStep::CORRECT ||
        !CertificateStep::Kind_IsValid(step_.kind())) {
      Add("kind", "must be a step that can take place");
      return violations_.ToStatus();
    }
    if (step_.has_effective_date() || !recorded_) {
      CheckDate("effective_date", step_.effective_date());
    }
    CheckDecision();
    CheckIssue();
    CheckSuspension();
    CheckOthers();
    return violations_.ToStatus();
  }

 private:
  void Add(absl::string_view field, absl::string_view what) {
    violations_.Add(absl::StrCat(path_, path_.empty() ? "" : ".", field), what);
  }

  bool CheckDate(absl::string_view field, const Date& date) {
    if (recorded_ ? IsReadable(date) : civil::IsCompleteDate(date)) {
      return true;
    }
    Add(field, recorded_ ? "must be a date that exists, known at least in part"
                         : "must be a complete date that exists");
    return false;
  }

  void CheckDecision() {
    if (step_.has_decision_date() &&
        CheckDate("decision_date", step_.decision_date()) &&
        Readings(step_.decision_date()).first > today_) {
      Add("decision_date", "must not be in the future");
    }
  }

  // `date` must not surely lie before the step's effective date.
  void CheckNotBefore(absl::string_view field, const Date& date,
                      absl::string_view what) {
    if (!IsReadable(date) || !IsReadable(step_.effective_date())) return;
    if (Readings(date).last < Readings(step_.effective_date()).first) {
      Add(field, what);
    }
  }

  void CheckIssue() {
    if (step_.kind() != CertificateStep::ISSUE) {
      if (step_.has_last_valid_date()) Add("last_valid_date", "is for ISSUE");
      if (step_.without_expiry()) Add("without_expiry", "is for ISSUE");
      return;
    }
    if (step_.has_last_valid_date()) {
      CheckDate("last_valid_date", step_.last_valid_date());
      CheckNotBefore("last_valid_date", step_.last_valid_date(),
                     "must not lie before the first valid day");
      if (step_.without_expiry()) {
        Add("without_expiry", "cannot be set beside last_valid_date");
      }
    } else if (!step_.without_expiry() && !recorded_) {
      Add("last_valid_date", "is needed unless without_expiry is set");
    }
  }

  void CheckSuspension() {
    if (!step_.has_suspended_until()) return;
    if (step_.kind() != CertificateStep::SUSPEND &&
        step_.kind() != CertificateStep::EXTEND_SUSPENSION) {
      Add("suspended_until", "is for SUSPEND and EXTEND_SUSPENSION");
      return;
    }
    CheckDate("suspended_until", step_.suspended_until());
    CheckNotBefore("suspended_until", step_.suspended_until(),
                   "must not lie before the effective date");
  }

  void CheckOthers() {
    const bool reduces = step_.kind() == CertificateStep::REDUCE_SCOPE;
    if (reduces == step_.removed_subjects().empty() &&
        !(reduces && recorded_)) {
      Add("removed_subjects",
          reduces ? "must name at least one" : "is for REDUCE_SCOPE");
    }
    const bool supersedes = step_.kind() == CertificateStep::SUPERSEDE;
    if (supersedes == step_.successor().empty() && !(supersedes && recorded_)) {
      Add("successor", supersedes ? "is needed" : "is for SUPERSEDE");
    }
  }

  const bool recorded_;
  const CertificateStep& step_;
  const absl::CivilDay today_;
  const absl::string_view path_;
  status::Violations violations_;
};

// ---- steps together ----

absl::Status RefuseContradiction(const Certificate& certificate,
                                 const Contradiction& found, int first_new,
                                 bool correction) {
  const std::string& kind = CertificateStep::Kind_Name(found.step->kind());
  if (!correction && found.number >= first_new) {
    return status::StepNotAllowed(
        kCertificateType, certificate.name(), StepName(found.step->kind()),
        StateName(found.state),
        AllowedSteps(certificate.recorded_not_decided(), found.state));
  }
  return status::Precondition(
      correction ? "STEPS_CONTRADICT" : "LATER_STEP_NOT_ALLOWED",
      certificate.name(),
      absl::StrCat("Step ", found.number, ", ", kind,
                   ", would not be allowed where it stands: the certificate "
                   "would be ",
                   StateName(found.state), "."),
      {{"step_number", absl::StrCat(found.number)},
       {"step", kind},
       {"state", StateName(found.state)}});
}

// The limits of one certificate's scheme.
class SchemeLimits {
 public:
  SchemeLimits(const resource::Snapshot& view, const Certificate& certificate,
               const Timeline& timeline)
      : view_(view),
        certificate_(certificate),
        timeline_(timeline),
        scheme_(view.Get<v1::Scheme>(certificate.scheme())) {}

  absl::Status Check(const StandingStep& standing) const {
    const CertificateStep& step = *standing.step;
    const bool decided =
        !certificate_.recorded_not_decided() && scheme_ != nullptr;
    switch (step.kind()) {
      case CertificateStep::ISSUE:
        return decided ? CheckIssue(step) : absl::OkStatus();
      case CertificateStep::SUSPEND:
        return decided ? CheckSuspension(step) : absl::OkStatus();
      case CertificateStep::EXTEND_SUSPENSION:
        return CheckExtension(standing, decided);
      case CertificateStep::REDUCE_SCOPE:
        return CheckReduction(standing);
      default:
        return absl::OkStatus();
    }
  }

 private:
  absl::Status Refuse(absl::string_view reason, absl::string_view what) const {
    return status::Precondition(
        reason, certificate_.name(), what,
        {{"certificate", certificate_.name()}, {"scheme", scheme_->name()}});
  }

  absl::Status CheckIssue(const CertificateStep& step) const {
    if (certificate_.certification_body().empty()) {
      return Refuse("NOT_READY_TO_ISSUE",
                    "It needs a certification_body before it is issued.");
    }
    if (certificate_.subjects().empty()) {
      return Refuse("NOT_READY_TO_ISSUE",
                    "It needs at least one subject before it is issued.");
    }
    const v1::CivilSpan& longest = scheme_->rules().longest_validity();
    if (!IsZero(longest)) {
      const absl::CivilDay latest =
          Add(ToDay(step.effective_date()), longest) - 1;
      if (step.without_expiry() || ToDay(step.last_valid_date()) > latest) {
        return Refuse(
            "VALIDITY_TOO_LONG",
            absl::StrCat("Its scheme lets it be valid until ",
                         absl::FormatCivilTime(latest), " at the latest."));
      }
    }
    return CheckAccreditation(step);
  }

  absl::Status CheckAccreditation(const CertificateStep& step) const {
    if (!scheme_->rules().accreditation_required()) return absl::OkStatus();
    const Date& decided =
        step.has_decision_date() ? step.decision_date() : step.effective_date();
    const v1::SupportChain chain = SupportOf(
        certificate_, ToDay(decided),
        [this](absl::string_view name) { return view_.Get<v1::Body>(name); });
    if (chain.support() == v1::SupportChain::SUPPORTED) return absl::OkStatus();
    return Refuse(
        "ACCREDITATION_MISSING",
        absl::StrCat("Its scheme asks for an accredited body; the records do "
                     "not show that ",
                     certificate_.certification_body(), " was accredited on ",
                     absl::FormatCivilTime(ToDay(decided)), "."));
  }

  static absl::CivilDay DecidedOn(const CertificateStep& step) {
    return ToDay(step.has_decision_date() ? step.decision_date()
                                          : step.effective_date());
  }

  absl::Status CheckUntil(const CertificateStep& step,
                          absl::CivilDay latest) const {
    if (step.has_suspended_until() && ToDay(step.suspended_until()) <= latest) {
      return absl::OkStatus();
    }
    return Refuse(
        "SUSPENSION_TOO_LONG",
        absl::StrCat("Its scheme lets this suspension last until ",
                     absl::FormatCivilTime(latest), " at the latest."));
  }

  absl::Status CheckSuspension(const CertificateStep& step) const {
    const v1::CivilSpan& longest = scheme_->rules().longest_suspension();
    if (IsZero(longest)) return absl::OkStatus();
    return CheckUntil(step, Add(DecidedOn(step), longest));
  }

  absl::Status CheckExtension(const StandingStep& standing,
                              bool decided) const {
    const CertificateStep& step = *standing.step;
    const Standing before = timeline_.Before(standing.number);
    const CertificateStep* present = before.suspension_end;
    if (present != nullptr && present->has_suspended_until() &&
        step.has_suspended_until() &&
        Readings(step.suspended_until()).last <=
            Readings(present->suspended_until()).first) {
      return status::Precondition(
          "STEPS_CONTRADICT", certificate_.name(),
          absl::StrCat(
              "Step ", standing.number,
              ", EXTEND_SUSPENSION, would not extend the suspension: its last "
              "day must lie after the present one, ",
              absl::FormatCivilTime(Readings(present->suspended_until()).first),
              "."),
          {{"step_number", absl::StrCat(standing.number)},
           {"step", CertificateStep::Kind_Name(step.kind())},
           {"state", StateName(before.state)}});
    }
    if (!decided) return absl::OkStatus();
    const v1::SchemeRules& rules = scheme_->rules();
    if (IsZero(rules.longest_extended_suspension())) {
      if (IsZero(rules.longest_suspension())) return absl::OkStatus();
      return Refuse("EXTENSION_NOT_ALLOWED",
                    "Its scheme does not let suspensions be extended.");
    }
    const CertificateStep& first =
        before.suspension == nullptr ? step : *before.suspension;
    return CheckUntil(
        step, Add(DecidedOn(first), rules.longest_extended_suspension()));
  }

  absl::Status CheckReduction(const StandingStep& standing) const {
    using google::protobuf::util::MessageDifferencer;
    const CertificateStep& step = *standing.step;
    if (step.removed_subjects().empty()) return absl::OkStatus();
    std::vector<const CertificateSubject*> left =
        timeline_.SubjectsBefore(standing.number);
    for (const CertificateSubject& gone : step.removed_subjects()) {
      const auto found = std::find_if(
          left.begin(), left.end(), [&](const CertificateSubject* s) {
            return MessageDifferencer::Equals(*s, gone);
          });
      if (found == left.end()) {
        return Refuse("SCOPE_NOT_REDUCIBLE",
                      "A subject to take out is not in its scope on that day.");
      }
      left.erase(found);
    }
    if (left.empty()) {
      return Refuse("SCOPE_NOT_REDUCIBLE",
                    "No subject would be left; withdraw it instead.");
    }
    return absl::OkStatus();
  }

  const resource::Snapshot& view_;
  const Certificate& certificate_;
  const Timeline& timeline_;
  const v1::Scheme* const scheme_;
};

}  // namespace

void SetRecordTime(absl::Time now, CertificateStep* step) {
  *step->mutable_record_time() = times::ToTimestamp(now);
}

absl::Status CheckStepFields(const Certificate& certificate,
                             const CertificateStep& step, absl::CivilDay today,
                             absl::string_view path) {
  return StepFields(certificate.recorded_not_decided(), step, today, path)
      .Check();
}

absl::Status CheckSuccessor(const resource::Snapshot& view,
                            const Certificate& certificate,
                            const CertificateStep& step,
                            absl::string_view path) {
  const std::string& successor = step.successor();
  if (successor.empty() || (successor != certificate.name() &&
                            view.Get<Certificate>(successor) != nullptr)) {
    return absl::OkStatus();
  }
  return status::Precondition(
      "REFERENCE_NOT_FOUND", absl::StrCat(path, ".successor"),
      absl::StrCat(successor, " is no other certificate."),
      {{"resource", successor}});
}

absl::Status CheckStepsTogether(const resource::Snapshot& view,
                                const Certificate& certificate, int first_new,
                                bool correction) {
  const Timeline timeline(certificate);
  if (timeline.steps().empty() && !certificate.recorded_not_decided()) {
    return status::Precondition(
        "STEPS_CONTRADICT", certificate.name(),
        "A certificate that is decided here keeps at least its application.",
        {{"certificate", certificate.name()}});
  }
  if (const auto found = timeline.FindContradiction()) {
    return RefuseContradiction(certificate, *found, first_new, correction);
  }
  const SchemeLimits limits(view, certificate, timeline);
  for (const StandingStep& step : timeline.steps()) {
    if (step.number < first_new) continue;
    absl::Status fine = limits.Check(step);
    if (!fine.ok()) return fine;
  }
  if (first_new == 1) return absl::OkStatus();
  Certificate before = certificate;
  before.mutable_steps()->DeleteSubrange(first_new - 1,
                                         before.steps_size() - first_new + 1);
  return CheckStillAllowed(view, before, certificate);
}

absl::Status CheckStillAllowed(const resource::Snapshot& view,
                               const Certificate& before,
                               const Certificate& after) {
  const Timeline earlier(before);
  const Timeline later(after);
  const SchemeLimits old_limits(view, before, earlier);
  const SchemeLimits limits(view, after, later);
  for (const StandingStep& step : later.steps()) {
    if (step.number > before.steps_size()) continue;
    absl::Status fine = limits.Check(step);
    if (!fine.ok() && old_limits.Check(step).ok()) return fine;
  }
  return absl::OkStatus();
}

}  // namespace transparency::certification::domain
