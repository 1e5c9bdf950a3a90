#include "certification-service/domain/verification.h"

#include <algorithm>

#include "certification-service/domain/timeline.h"
#include "common/base/civil.h"

namespace transparency::certification::domain {
namespace {

using google::type::Date;
using v1::Certificate;
using v1::CertificateStep;
using v1::VerdictReason;
using v1::VerifiedCertificate;

void AddReason(VerdictReason::Code code, const Date& date,
               absl::string_view why, VerifiedCertificate* verified) {
  VerdictReason* reason = verified->add_reasons();
  reason->set_code(code);
  if (!IsEmpty(date)) *reason->mutable_date() = date;
  reason->set_reason(std::string(why));
}

void AddStepReason(VerdictReason::Code code, const CertificateStep* step,
                   VerifiedCertificate* verified) {
  if (step == nullptr) return;
  AddReason(code, step->effective_date(), step->reason(), verified);
}

// Reasons of a verdict that rests on an unended suspension.
void ExplainSuspension(const Standing& standing, absl::CivilDay day,
                       VerifiedCertificate* verified) {
  AddStepReason(VerdictReason::SUSPENDED_SINCE, standing.suspension, verified);
  if (standing.suspension_end != nullptr &&
      standing.suspension_end->has_suspended_until() &&
      Readings(standing.suspension_end->suspended_until()).last < day) {
    AddReason(VerdictReason::SUSPENSION_RAN_OUT,
              standing.suspension_end->suspended_until(), "", verified);
  }
}

// What is missing for a verdict. Dates of steps that lie surely before or after
// the day are precise enough.
void ExplainMissing(const Timeline& timeline, absl::CivilDay day,
                    VerifiedCertificate* verified) {
  const CertificateStep* issue = timeline.Last(CertificateStep::ISSUE);
  if (issue == nullptr) {
    AddReason(VerdictReason::FIRST_DAY_NOT_RECORDED, {}, "", verified);
    AddReason(VerdictReason::LAST_DAY_NOT_RECORDED, {}, "", verified);
  }
  for (const StandingStep& step : timeline.steps()) {
    const bool vague = IsEmpty(step.step->effective_date()) ||
                       (step.days.first <= day && day < step.days.last);
    if (!vague) continue;
    AddStepReason(step.step == issue ? VerdictReason::FIRST_DAY_NOT_RECORDED
                                     : VerdictReason::STEP_DATE_NOT_RECORDED,
                  step.step, verified);
  }
  if (issue == nullptr || issue->without_expiry()) return;
  const DayRange last = LastValidDays(*issue);
  if (last.first < day && day <= last.last) {
    AddReason(VerdictReason::LAST_DAY_NOT_RECORDED, issue->last_valid_date(),
              "", verified);
  }
}

void BeforeFirstDay(const Timeline& timeline, VerifiedCertificate* verified) {
  const CertificateStep* issue = timeline.Last(CertificateStep::ISSUE);
  verified->set_verdict(VerifiedCertificate::NOT_YET_VALID);
  AddReason(VerdictReason::BEFORE_FIRST_DAY,
            issue == nullptr ? Date() : issue->effective_date(), "", verified);
}

void NotRecorded(const Timeline& timeline, absl::CivilDay day,
                 VerifiedCertificate* verified) {
  verified->set_verdict(VerifiedCertificate::VALIDITY_NOT_RECORDED);
  ExplainMissing(timeline, day, verified);
}

// Nothing is recorded to have happened by that day: it was not yet granted,
// provided that the record begins with its grant or before.
void BeforeAnything(const Timeline& timeline, absl::CivilDay day,
                    VerifiedCertificate* verified) {
  const bool begins =
      !timeline.steps().empty() &&
      timeline.steps().front().step->kind() <= CertificateStep::ISSUE;
  if (begins) {
    BeforeFirstDay(timeline, verified);
  } else {
    NotRecorded(timeline, day, verified);
  }
}

void Suspended(const Certificate& certificate, const Standing& standing,
               absl::CivilDay day, VerifiedCertificate* verified) {
  const bool stays_valid = certificate.suspension_effect() == v1::STAYS_VALID;
  verified->set_verdict(stays_valid ? VerifiedCertificate::VALID_SUSPENDED
                                    : VerifiedCertificate::SUSPENDED);
  ExplainSuspension(standing, day, verified);
  if (stays_valid) {
    AddReason(VerdictReason::SUSPENSION_LEAVES_VALID, {}, "", verified);
  }
}

void Judge(const Certificate& certificate, const Timeline& timeline,
           absl::CivilDay day, VerifiedCertificate* verified) {
  const Standing standing = timeline.On(day);
  const Date last =
      standing.issue == nullptr ? Date() : standing.issue->last_valid_date();
  switch (standing.state) {
    case Certificate::STATE_UNSPECIFIED:
      return BeforeAnything(timeline, day, verified);
    case Certificate::APPLIED:
    case Certificate::IN_EVALUATION:
      return BeforeFirstDay(timeline, verified);
    case Certificate::ACTIVE:
      verified->set_verdict(VerifiedCertificate::VALID);
      return AddReason(VerdictReason::WITHIN_VALIDITY, last, "", verified);
    case Certificate::SUSPENDED:
      return Suspended(certificate, standing, day, verified);
    case Certificate::WITHDRAWN:
      verified->set_verdict(VerifiedCertificate::WITHDRAWN);
      return AddStepReason(VerdictReason::WITHDRAWN_SINCE, standing.cause,
                           verified);
    case Certificate::EXPIRED:
      verified->set_verdict(VerifiedCertificate::EXPIRED);
      return AddReason(VerdictReason::LAST_DAY_PASSED, last, "", verified);
    case Certificate::SUPERSEDED:
      verified->set_verdict(VerifiedCertificate::SUPERSEDED);
      return AddStepReason(VerdictReason::SUPERSEDED_SINCE, standing.cause,
                           verified);
    default:
      break;
  }
  // However its dates are read, it was at most applied for.
  const Certificate::State latest = timeline.AtMostOn(day).state;
  if (latest == Certificate::APPLIED || latest == Certificate::IN_EVALUATION) {
    return BeforeFirstDay(timeline, verified);
  }
  NotRecorded(timeline, day, verified);
}

void Describe(const Certificate& certificate, const Timeline& timeline,
              absl::CivilDay day, VerifiedCertificate* verified) {
  verified->set_certificate(certificate.name());
  *verified->mutable_as_of() = civil::ToDate(day);
  for (const StandingStep& step : timeline.steps()) {
    *verified->add_history() = *step.step;
  }
  verified->set_certificate_number(certificate.certificate_number());
  verified->set_scheme(certificate.scheme());
  verified->set_certification_body(certificate.certification_body());
  verified->set_level(certificate.level());
  for (const v1::CertificateSubject* subject : timeline.SubjectsOn(day)) {
    *verified->add_subjects() = *subject;
  }
  if (certificate.has_first_valid_date()) {
    *verified->mutable_first_valid_date() = certificate.first_valid_date();
  }
  if (certificate.has_last_valid_date()) {
    *verified->mutable_last_valid_date() = certificate.last_valid_date();
  }
  verified->set_predecessor(certificate.predecessor());
  verified->set_successor(certificate.successor());
}

}  // namespace

bool IsGranted(const Certificate& certificate) {
  if (certificate.state() == Certificate::REJECTED) return false;
  if (certificate.state() != Certificate::APPLIED &&
      certificate.state() != Certificate::IN_EVALUATION) {
    return true;
  }
  return Timeline(certificate).Last(CertificateStep::ISSUE) != nullptr;
}

VerifiedCertificate Verify(const Certificate& certificate, absl::CivilDay day,
                           FindBody find) {
  const Timeline timeline(certificate);
  VerifiedCertificate verified;
  Describe(certificate, timeline, day, &verified);
  Judge(certificate, timeline, day, &verified);
  *verified.mutable_chain() = SupportOf(certificate, day, find);
  return verified;
}

VerifiedCertificate::Verdict VerdictOn(const Certificate& certificate,
                                       absl::CivilDay day) {
  VerifiedCertificate verified;
  Judge(certificate, Timeline(certificate), day, &verified);
  return verified.verdict();
}

}  // namespace transparency::certification::domain
