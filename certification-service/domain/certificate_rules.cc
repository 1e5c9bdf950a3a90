#include "certification-service/domain/certificate_rules.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "certification-service/domain/step_rules.h"
#include "certification-service/domain/timeline.h"
#include "common/base/civil.h"
#include "common/status/status.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "google/protobuf/util/message_differencer.h"
#include "transparency/certification/v1/body.pb.h"
#include "transparency/certification/v1/product.pb.h"
#include "transparency/certification/v1/scheme.pb.h"

namespace transparency::certification::domain {
namespace {

using google::protobuf::util::MessageDifferencer;
using v1::Certificate;
using v1::CertificateStep;
using v1::CertificateSubject;

// The state that readers are told.
Certificate::State Shown(const Certificate& certificate,
                         Certificate::State state) {
  if (state != Certificate::STATE_UNSPECIFIED) return state;
  return certificate.recorded_not_decided() ? Certificate::UNDETERMINED
                                            : Certificate::APPLIED;
}

// What the clock can change.
struct Derived {
  Certificate::State state;
  Certificate::State allows;  // whose steps are allowed
  std::string successor;
  const CertificateStep* suspension_end;
  std::vector<const CertificateSubject*> subjects;

  bool operator==(const Derived&) const = default;
};

Derived Derive(const Certificate& certificate, const Timeline& timeline,
               absl::CivilDay day) {
  const Standing standing = timeline.On(day);
  Derived derived;
  derived.state = Shown(certificate, standing.state);
  derived.allows = standing.state == Certificate::UNDETERMINED
                       ? timeline.AtMostOn(day).state
                       : standing.state;
  derived.suspension_end = standing.state == Certificate::SUSPENDED
                               ? standing.suspension_end
                               : nullptr;
  for (const StandingStep& step : timeline.steps()) {
    if (step.step->kind() == CertificateStep::SUPERSEDE &&
        step.days.last <= day) {
      derived.successor = step.step->successor();
    }
  }
  derived.subjects = timeline.SubjectsOn(day);
  return derived;
}

void WriteSubjects(const std::vector<const CertificateSubject*>& subjects,
                   Certificate* certificate) {
  google::protobuf::RepeatedPtrField<CertificateSubject> current;
  current.Reserve(static_cast<int>(subjects.size()));
  for (const CertificateSubject* subject : subjects) *current.Add() = *subject;
  certificate->mutable_current_subjects()->Swap(&current);
}

void MarkCorrected(Certificate* certificate) {
  for (CertificateStep& step : *certificate->mutable_steps()) {
    step.clear_corrected();
  }
  for (int i = 0; i < certificate->steps_size(); ++i) {
    const int corrects = certificate->steps(i).corrects();
    if (corrects > 0 && corrects <= i) {
      certificate->mutable_steps(corrects - 1)->set_corrected(true);
    }
  }
}

void Write(const Derived& derived, const Timeline& timeline,
           Certificate* certificate) {
  MarkCorrected(certificate);
  certificate->set_state(derived.state);
  certificate->set_successor(derived.successor);
  certificate->clear_allowed_steps();
  for (const std::string& step :
       AllowedSteps(certificate->recorded_not_decided(), derived.allows)) {
    certificate->add_allowed_steps(step);
  }
  certificate->clear_suspended_until();
  if (derived.suspension_end != nullptr &&
      derived.suspension_end->has_suspended_until()) {
    *certificate->mutable_suspended_until() =
        derived.suspension_end->suspended_until();
  }
  certificate->clear_first_valid_date();
  certificate->clear_last_valid_date();
  certificate->clear_without_expiry();
  if (const CertificateStep* issue = timeline.Last(CertificateStep::ISSUE)) {
    if (issue->has_effective_date()) {
      *certificate->mutable_first_valid_date() = issue->effective_date();
    }
    if (issue->has_last_valid_date()) {
      *certificate->mutable_last_valid_date() = issue->last_valid_date();
    }
    certificate->set_without_expiry(issue->without_expiry());
  }
  WriteSubjects(derived.subjects, certificate);
}

// ---- what a certificate refers to ----

absl::Status CheckLevel(const v1::Scheme& scheme,
                        const Certificate& certificate) {
  const std::string& level = certificate.level();
  const bool known = std::any_of(
      scheme.levels().begin(), scheme.levels().end(),
      [&](const v1::AssuranceLevel& l) { return l.code() == level; });
  if (!level.empty() && !known) {
    return status::Precondition(
        "LEVEL_NOT_OF_SCHEME", "certificate.level",
        absl::StrCat(level, " is no level of ", scheme.name(), "."),
        {{"level", level}, {"scheme", scheme.name()}});
  }
  const bool augmented = certificate.augmentations_size() > 0 ||
                         certificate.augmentations_not_listed();
  if (augmented && level.empty() && certificate.level_as_stated().empty()) {
    return status::InvalidField("certificate.augmentations",
                                "only a level can be augmented");
  }
  if (augmented && !scheme.rules().augmentations_allowed()) {
    return status::Precondition(
        "AUGMENTATION_NOT_ALLOWED", "certificate.augmentations",
        absl::StrCat(scheme.name(), " does not allow augmented levels."),
        {{"scheme", scheme.name()}});
  }
  return absl::OkStatus();
}

v1::Scheme::SubjectKind KindOf(const CertificateSubject& subject) {
  switch (subject.subject_case()) {
    case CertificateSubject::kProduct:
      return v1::Scheme::PRODUCT;
    case CertificateSubject::kService:
      return v1::Scheme::SERVICE;
    case CertificateSubject::kSite:
      return v1::Scheme::SITE;
    case CertificateSubject::kManagementSystem:
      return v1::Scheme::MANAGEMENT_SYSTEM;
    case CertificateSubject::SUBJECT_NOT_SET:
      return v1::Scheme::SUBJECT_KIND_UNSPECIFIED;
  }
  return v1::Scheme::SUBJECT_KIND_UNSPECIFIED;
}

absl::Status CheckVersion(const resource::Snapshot& view,
                          const CertificateSubject& subject,
                          absl::string_view path) {
  const std::string& version = subject.product().version();
  if (version.empty()) return absl::OkStatus();
  const auto* product = view.Get<v1::Product>(subject.product().product());
  const bool known =
      product != nullptr &&
      std::any_of(
          product->versions().begin(), product->versions().end(),
          [&](const v1::ProductVersion& v) { return v.version() == version; });
  if (known) return absl::OkStatus();
  return status::Precondition(
      "VERSION_NOT_OF_PRODUCT", absl::StrCat(path, ".product.version"),
      absl::StrCat(subject.product().product(), " has no version ", version,
                   "."),
      {{"product", subject.product().product()}, {"version", version}});
}

absl::Status CheckSubjectKinds(const v1::Scheme& scheme,
                               const Certificate& certificate) {
  if (scheme.subject_kinds().empty()) return absl::OkStatus();
  for (int i = 0; i < certificate.subjects_size(); ++i) {
    const v1::Scheme::SubjectKind kind = KindOf(certificate.subjects(i));
    if (std::count(scheme.subject_kinds().begin(), scheme.subject_kinds().end(),
                   kind) > 0) {
      continue;
    }
    const std::string& name = v1::Scheme::SubjectKind_Name(kind);
    return status::Precondition(
        "SUBJECT_KIND_NOT_OF_SCHEME",
        absl::StrCat("certificate.subjects[", i, "]"),
        absl::StrCat(scheme.name(), " does not certify a subject of kind ",
                     name, "."),
        {{"subject_kind", name}, {"scheme", scheme.name()}});
  }
  return absl::OkStatus();
}

absl::Status CheckSubjects(const resource::Snapshot& view,
                           const Certificate& certificate) {
  for (int i = 0; i < certificate.subjects_size(); ++i) {
    const CertificateSubject& subject = certificate.subjects(i);
    const std::string path = absl::StrCat("certificate.subjects[", i, "]");
    if (KindOf(subject) == v1::Scheme::SUBJECT_KIND_UNSPECIFIED) {
      return status::InvalidField(
          path, "must be a product, service, site or management system");
    }
    for (int j = 0; j < i; ++j) {
      if (MessageDifferencer::Equals(subject, certificate.subjects(j))) {
        return status::InvalidField(path, "is the same subject as another");
      }
    }
    absl::Status version = CheckVersion(view, subject, path);
    if (!version.ok()) return version;
  }
  return absl::OkStatus();
}

absl::Status CheckRole(const resource::Snapshot& view, const std::string& name,
                       v1::Body::Role role, absl::string_view path) {
  if (name.empty()) return absl::OkStatus();
  const auto* body = view.Get<v1::Body>(name);
  if (body != nullptr &&
      std::count(body->roles().begin(), body->roles().end(), role) > 0) {
    return absl::OkStatus();
  }
  return status::Precondition(
      "BODY_ROLE_MISSING", path,
      absl::StrCat(name, " does not have the role ", v1::Body::Role_Name(role),
                   "."),
      {{"body", name}, {"role", v1::Body::Role_Name(role)}});
}

// ---- predecessors ----

absl::Status CheckNoCycle(const resource::Snapshot& view,
                          const Certificate& certificate) {
  absl::flat_hash_set<absl::string_view> seen;
  absl::string_view name = certificate.predecessor();
  while (!name.empty()) {
    if (name == certificate.name() || !seen.insert(name).second) {
      return status::Precondition(
          "PREDECESSOR_CYCLE", "certificate.predecessor",
          absl::StrCat("The predecessors of ", certificate.predecessor(),
                       " lead back to ", certificate.name(), "."),
          {{"certificate", certificate.name()},
           {"predecessor", certificate.predecessor()}});
    }
    const auto* before = view.Get<Certificate>(name);
    name = before == nullptr ? absl::string_view() : before->predecessor();
  }
  return absl::OkStatus();
}

// The step by which `predecessor` gives way to the certificate `name`.
bool GivesWayTo(const Certificate& predecessor, absl::string_view name) {
  const Timeline timeline(predecessor);
  const CertificateStep* step = timeline.Last(CertificateStep::SUPERSEDE);
  return step != nullptr && step->successor() == name;
}

absl::Status CheckPredecessor(const resource::Snapshot& view,
                              const Certificate* before,
                              const Certificate& after) {
  const bool changed =
      before != nullptr && before->predecessor() != after.predecessor();
  if (changed) {
    const auto* linked = view.Get<Certificate>(before->predecessor());
    const bool decided =
        !before->recorded_not_decided() &&
        Timeline(*before).Last(CertificateStep::ISSUE) != nullptr;
    if (decided || (linked != nullptr && GivesWayTo(*linked, after.name()))) {
      return status::Precondition(
          "PREDECESSOR_FIXED", "certificate.predecessor",
          absl::StrCat(after.name(),
                       " is issued; its predecessor cannot change any more."),
          {{"certificate", after.name()}});
    }
  }
  return CheckNoCycle(view, after);
}

// ---- first steps ----

absl::Status StartApplication(absl::Time now, Certificate* after) {
  const absl::CivilDay today = DayAt(now, ZoneOf(after->time_zone()));
  CertificateStep apply;
  apply.set_kind(CertificateStep::APPLY);
  if (after->initial_steps_size() == 1) apply = after->initial_steps(0);
  if (after->initial_steps_size() > 1 ||
      apply.kind() != CertificateStep::APPLY) {
    return status::InvalidField(
        "certificate.initial_steps",
        "of a certificate that is decided here: at most one step, APPLY");
  }
  if (IsEmpty(apply.effective_date())) {
    *apply.mutable_effective_date() = civil::ToDate(today);
  }
  if (!civil::IsCompleteDate(apply.effective_date()) ||
      ToDay(apply.effective_date()) > today) {
    return status::InvalidField(
        "certificate.initial_steps[0].effective_date",
        "must be a complete date that is not in the future");
  }
  *after->add_steps() = std::move(apply);
  return absl::OkStatus();
}

absl::Status PlaceInitialSteps(const resource::Snapshot& view, absl::Time now,
                               Certificate* after) {
  after->clear_steps();
  if (after->recorded_not_decided()) {
    *after->mutable_steps() = after->initial_steps();
  } else {
    absl::Status applied = StartApplication(now, after);
    if (!applied.ok()) return applied;
  }
  after->clear_initial_steps();
  const absl::CivilDay today = DayAt(now, ZoneOf(after->time_zone()));
  for (int i = 0; i < after->steps_size(); ++i) {
    CertificateStep* step = after->mutable_steps(i);
    step->clear_corrects();
    step->clear_correction_reason();
    SetRecordTime(now, step);
    const std::string path = absl::StrCat("certificate.initial_steps[", i, "]");
    absl::Status fine = CheckStepFields(*after, *step, today, path);
    if (fine.ok()) fine = CheckSuccessor(view, *after, *step, path);
    if (!fine.ok()) return fine;
  }
  return CheckStepsTogether(view, *after, 1, /*correction=*/true);
}

absl::Status CheckContent(const resource::Snapshot& view,
                          const Certificate& after) {
  const auto* scheme = view.Get<v1::Scheme>(after.scheme());
  if (scheme == nullptr) {
    return status::Precondition("REFERENCE_NOT_FOUND", "certificate.scheme",
                                absl::StrCat(after.scheme(), " is missing."),
                                {{"resource", after.scheme()}});
  }
  absl::Status status = CheckSubjects(view, after);
  if (status.ok()) status = CheckFitsScheme(*scheme, after);
  if (status.ok()) {
    status = CheckRole(view, after.certification_body(),
                       v1::Body::CERTIFICATION_BODY,
                       "certificate.certification_body");
  }
  if (status.ok()) {
    status = CheckRole(view, after.laboratory(), v1::Body::LABORATORY,
                       "certificate.laboratory");
  }
  if (status.ok()) status = CheckNumberUnique(view, after);
  return status;
}

}  // namespace

absl::Time BringIntoEffect(Certificate* certificate, absl::Time now) {
  const Timeline timeline(*certificate);
  const absl::CivilDay today = DayAt(now, timeline.zone());
  const Derived derived = Derive(*certificate, timeline, today);
  absl::Time next = absl::InfiniteFuture();
  for (absl::CivilDay day : timeline.ChangesAfter(today)) {
    if (!(Derive(*certificate, timeline, day) == derived)) {
      next = StartOf(day, timeline.zone());
      break;
    }
  }
  Write(derived, timeline, certificate);
  return next;
}

absl::Status CheckCertificate(const resource::Snapshot& view,
                              const Certificate* before, Certificate* after,
                              absl::Time /*now*/) {
  if (before != nullptr && after->initial_steps_size() > 0) {
    return status::InvalidField("certificate.initial_steps",
                                "can be given only when it is created");
  }
  absl::Status status = CheckContent(view, *after);
  if (status.ok()) status = CheckPredecessor(view, before, *after);
  if (status.ok() && before != nullptr) {
    status = CheckStillAllowed(view, *before, *after);
  }
  return status;
}

absl::Status BeginCertificate(const resource::Snapshot& view,
                              Certificate* created, absl::Time now) {
  const auto* scheme = view.Get<v1::Scheme>(created->scheme());
  created->set_time_zone(scheme->time_zone());
  created->set_suspension_effect(scheme->suspension_effect());
  return PlaceInitialSteps(view, now, created);
}

absl::Status CheckFitsScheme(const v1::Scheme& scheme,
                             const Certificate& certificate) {
  absl::Status status = CheckLevel(scheme, certificate);
  if (status.ok()) status = CheckSubjectKinds(scheme, certificate);
  return status;
}

std::string Fold(absl::string_view identifier) {
  constexpr absl::string_view kNoBreakSpace = "\xC2\xA0";
  std::string folded;
  for (size_t i = 0; i < identifier.size(); ++i) {
    if (identifier.substr(i, 2) == kNoBreakSpace) {
      ++i;
    } else if (!absl::ascii_isspace(
                   static_cast<unsigned char>(identifier[i]))) {
      folded.push_back(
          absl::ascii_toupper(static_cast<unsigned char>(identifier[i])));
    }
  }
  return folded;
}

resource::IndexKey NumberKey(absl::string_view number) {
  return resource::Key("certificate number", Fold(number));
}

resource::IndexKey IdentifierKey(absl::string_view identifier) {
  return resource::Key("certificate identifier", Fold(identifier));
}

resource::IndexKey DocumentKey(absl::string_view sha256) {
  return resource::Key("certificate document", sha256);
}

absl::Status CheckNumberUnique(const resource::Snapshot& view,
                               const Certificate& certificate) {
  const std::string& number = certificate.certificate_number();
  if (number.empty() || certificate.certification_body().empty()) {
    return absl::OkStatus();
  }
  absl::Status status;
  view.Lookup<Certificate>(NumberKey(number), [&](const Certificate& other) {
    if (other.name() != certificate.name() &&
        other.certification_body() == certificate.certification_body() &&
        Fold(other.certificate_number()) == Fold(number)) {
      status = status::NotUnique("certificate.certificate_number", number,
                                 other.name());
    }
    return status.ok();
  });
  return status;
}

resource::Rules<Certificate> CertificateRules() {
  resource::Rules<Certificate> rules;
  rules.effective = BringIntoEffect;
  rules.keys = [](const Certificate& certificate,
                  std::vector<resource::IndexKey>* keys) {
    const auto add = [keys](resource::IndexKey key) {
      for (const resource::IndexKey& other : *keys) {
        if (other.group == key.group && other.order == key.order) return;
      }
      keys->push_back(key);
    };
    if (!certificate.certificate_number().empty()) {
      add(NumberKey(certificate.certificate_number()));
    }
    for (const auto& identifier : certificate.identifiers()) {
      add(IdentifierKey(identifier.value()));
    }
    for (const auto& document : certificate.documents()) {
      if (!document.sha256().empty()) add(DocumentKey(document.sha256()));
    }
  };
  rules.check = CheckCertificate;
  rules.begin = BeginCertificate;
  return rules;
}

}  // namespace transparency::certification::domain
