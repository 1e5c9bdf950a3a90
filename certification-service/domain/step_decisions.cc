#include "certification-service/domain/step_decisions.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "certification-service/domain/certificate_rules.h"
#include "certification-service/domain/civil_days.h"
#include "certification-service/domain/step_rules.h"
#include "certification-service/domain/timeline.h"
#include "common/base/civil.h"
#include "common/status/status.h"
#include "google/protobuf/util/message_differencer.h"
#include "transparency/certification/v1/scheme.pb.h"

namespace transparency::certification::domain {
namespace {

using v1::Certificate;
using v1::CertificateStep;

// What all step requests share.
template <class Request>
CertificateStep NewStep(CertificateStep::Kind kind, const Request& request,
                        absl::CivilDay today) {
  CertificateStep step;
  step.set_kind(kind);
  *step.mutable_effective_date() = IsEmpty(request.effective_date())
                                       ? civil::ToDate(today)
                                       : request.effective_date();
  *step.mutable_decision_date() = IsEmpty(request.decision_date())
                                      ? civil::ToDate(today)
                                      : request.decision_date();
  step.set_reason(request.reason());
  if (request.has_source()) *step.mutable_source() = request.source();
  return step;
}

absl::CivilDay Today(const Moment& moment, const Certificate& certificate) {
  return DayAt(moment.now, ZoneOf(certificate.time_zone()));
}

// What is decided here has its dates, also where the certificate is recorded.
absl::Status CheckDecided(const CertificateStep& step) {
  if (!civil::IsCompleteDate(step.effective_date())) {
    return status::InvalidField("effective_date",
                                "must be a complete date that exists");
  }
  if (!civil::IsCompleteDate(step.decision_date())) {
    return status::InvalidField("decision_date",
                                "must be a complete date that exists");
  }
  return absl::OkStatus();
}

absl::Status Take(const Moment& moment, CertificateStep step,
                  Certificate* certificate) {
  absl::Status status = CheckDecided(step);
  if (status.ok()) {
    status =
        CheckStepFields(*certificate, step, Today(moment, *certificate), "");
  }
  if (!status.ok()) return status;
  SetRecordTime(moment.now, &step);
  *certificate->add_steps() = std::move(step);
  return CheckStepsTogether(moment.view, *certificate,
                            certificate->steps_size(), /*correction=*/false);
}

// ---- corrections ----

absl::Status CorrectOne(const Moment& moment,
                        const v1::CorrectCertificateRequest& request, int index,
                        Certificate* certificate) {
  const auto& correction = request.corrections(index);
  const std::string path = absl::StrCat("corrections[", index, "]");
  const int number = correction.step_number();
  if (number != 0 && !Timeline(*certificate).Stands(number)) {
    return status::InvalidField(absl::StrCat(path, ".step_number"),
                                "must be 0 or the number of a step that has "
                                "effect");
  }
  if (number == 0 && !correction.has_replacement()) {
    return status::InvalidField(absl::StrCat(path, ".replacement"),
                                "is needed when step_number is 0");
  }
  CertificateStep step;
  if (correction.has_replacement()) {
    step = correction.replacement();
    const std::string at = absl::StrCat(path, ".replacement");
    absl::Status fine =
        CheckStepFields(*certificate, step, Today(moment, *certificate), at);
    if (fine.ok()) fine = CheckSuccessor(moment.view, *certificate, step, at);
    if (!fine.ok()) return fine;
  } else {
    step.set_kind(CertificateStep::CORRECT);
  }
  step.set_corrects(number);
  step.set_correction_reason(request.reason());
  SetRecordTime(moment.now, &step);
  *certificate->add_steps() = std::move(step);
  return absl::OkStatus();
}

// ---- succession ----

// The number of the standing SUPERSEDE step; 0 when there is none.
int SupersessionOf(const Certificate& predecessor) {
  const Timeline timeline(predecessor);
  int number = 0;
  for (const StandingStep& step : timeline.steps()) {
    if (step.step->kind() == CertificateStep::SUPERSEDE) number = step.number;
  }
  return number;
}

CertificateStep Supersession(const Certificate& successor,
                             const CertificateStep& issue) {
  CertificateStep step;
  step.set_kind(CertificateStep::SUPERSEDE);
  step.set_successor(successor.name());
  *step.mutable_effective_date() = issue.effective_date();
  if (issue.has_decision_date()) {
    *step.mutable_decision_date() = issue.decision_date();
  }
  return step;
}

absl::Status RefuseTaken(const Certificate& predecessor,
                         absl::string_view successor) {
  return status::Precondition(
      "PREDECESSOR_TAKEN", predecessor.name(),
      absl::StrCat(predecessor.name(), " has a successor already: ", successor,
                   "."),
      {{"predecessor", predecessor.name()},
       {"successor", std::string(successor)}});
}

}  // namespace

absl::Status Start(const Moment& moment,
                   const v1::StartCertificateEvaluationRequest& request,
                   Certificate* certificate) {
  return Take(moment,
              NewStep(CertificateStep::START_EVALUATION, request,
                      Today(moment, *certificate)),
              certificate);
}

absl::Status Issue(const Moment& moment,
                   const v1::IssueCertificateRequest& request,
                   Certificate* certificate) {
  CertificateStep step =
      NewStep(CertificateStep::ISSUE, request, Today(moment, *certificate));
  if (request.has_last_valid_date()) {
    *step.mutable_last_valid_date() = request.last_valid_date();
  }
  step.set_without_expiry(request.without_expiry());
  if (!request.certificate_number().empty()) {
    certificate->set_certificate_number(request.certificate_number());
  }
  absl::Status taken = Take(moment, std::move(step), certificate);
  if (!taken.ok()) return taken;
  return CheckNumberUnique(moment.view, *certificate);
}

absl::Status Reject(const Moment& moment,
                    const v1::RejectCertificateRequest& request,
                    Certificate* certificate) {
  return Take(
      moment,
      NewStep(CertificateStep::REJECT, request, Today(moment, *certificate)),
      certificate);
}

absl::Status Suspend(const Moment& moment,
                     const v1::SuspendCertificateRequest& request,
                     Certificate* certificate) {
  CertificateStep step =
      NewStep(CertificateStep::SUSPEND, request, Today(moment, *certificate));
  const auto* scheme = moment.view.Get<v1::Scheme>(certificate->scheme());
  if (!IsEmpty(request.suspended_until())) {
    *step.mutable_suspended_until() = request.suspended_until();
  } else if (scheme != nullptr &&
             !IsZero(scheme->rules().longest_suspension()) &&
             civil::IsCompleteDate(step.decision_date())) {
    *step.mutable_suspended_until() = civil::ToDate(
        Add(ToDay(step.decision_date()), scheme->rules().longest_suspension()));
  }
  return Take(moment, std::move(step), certificate);
}

absl::Status Reinstate(const Moment& moment,
                       const v1::ReinstateCertificateRequest& request,
                       Certificate* certificate) {
  return Take(
      moment,
      NewStep(CertificateStep::REINSTATE, request, Today(moment, *certificate)),
      certificate);
}

absl::Status Extend(const Moment& moment,
                    const v1::ExtendCertificateSuspensionRequest& request,
                    Certificate* certificate) {
  if (!civil::IsCompleteDate(request.suspended_until())) {
    return status::InvalidField("suspended_until",
                                "must be a complete date that exists");
  }
  CertificateStep step = NewStep(CertificateStep::EXTEND_SUSPENSION, request,
                                 Today(moment, *certificate));
  *step.mutable_suspended_until() = request.suspended_until();
  return Take(moment, std::move(step), certificate);
}

absl::Status Withdraw(const Moment& moment,
                      const v1::WithdrawCertificateRequest& request,
                      Certificate* certificate) {
  return Take(
      moment,
      NewStep(CertificateStep::WITHDRAW, request, Today(moment, *certificate)),
      certificate);
}

absl::Status Reduce(const Moment& moment,
                    const v1::ReduceCertificateScopeRequest& request,
                    Certificate* certificate) {
  CertificateStep step = NewStep(CertificateStep::REDUCE_SCOPE, request,
                                 Today(moment, *certificate));
  *step.mutable_removed_subjects() = request.removed_subjects();
  return Take(moment, std::move(step), certificate);
}

absl::Status Correct(const Moment& moment,
                     const v1::CorrectCertificateRequest& request,
                     Certificate* certificate) {
  const int first_new = certificate->steps_size() + 1;
  for (int i = 0; i < request.corrections_size(); ++i) {
    absl::Status corrected = CorrectOne(moment, request, i, certificate);
    if (!corrected.ok()) return corrected;
  }
  return CheckStepsTogether(moment.view, *certificate, first_new,
                            /*correction=*/true);
}

absl::StatusOr<std::optional<Certificate>> FollowSuccessor(
    const Moment& moment, const Certificate& successor,
    absl::string_view reason) {
  const auto* stored = moment.view.Get<Certificate>(successor.predecessor());
  if (stored == nullptr) return std::nullopt;
  const int number = SupersessionOf(*stored);
  const CertificateStep* link =
      number == 0 ? nullptr : &stored->steps(number - 1);
  const bool linked = link != nullptr && link->successor() == successor.name();
  const CertificateStep* issue =
      Timeline(successor).Last(CertificateStep::ISSUE);
  if (!linked) {
    if (issue == nullptr || successor.recorded_not_decided()) {
      return std::nullopt;
    }
    if (link != nullptr) return RefuseTaken(*stored, link->successor());
  }
  CertificateStep step;
  if (issue != nullptr) {
    step = Supersession(successor, *issue);
    if (linked && google::protobuf::util::MessageDifferencer::Equals(
                      step.effective_date(), link->effective_date())) {
      return std::nullopt;
    }
  } else {
    step.set_kind(CertificateStep::CORRECT);
  }
  if (linked) {
    step.set_corrects(number);
    step.set_correction_reason(std::string(reason));
  }
  SetRecordTime(moment.now, &step);
  std::optional<Certificate> predecessor = *stored;
  *predecessor->add_steps() = std::move(step);
  if (const auto found = Timeline(*predecessor).FindContradiction()) {
    return status::Precondition(
        "PREDECESSOR_NOT_IN_FORCE", predecessor->name(),
        absl::StrCat(predecessor->name(),
                     " cannot give way on that day: it would be ",
                     StateName(found->state), "."),
        {{"predecessor", predecessor->name()},
         {"state", StateName(found->state)}});
  }
  return predecessor;
}

}  // namespace transparency::certification::domain
