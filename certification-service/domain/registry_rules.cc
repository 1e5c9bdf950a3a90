#include "certification-service/domain/registry_rules.h"

#include <algorithm>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "certification-service/domain/certificate_rules.h"
#include "certification-service/domain/civil_days.h"
#include "common/base/civil.h"
#include "common/status/status.h"
#include "transparency/certification/v1/certificate.pb.h"

namespace transparency::certification::domain {
namespace {

using v1::Accreditation;
using v1::Body;
using v1::Certificate;
using v1::Product;
using v1::Scheme;

constexpr int kMostMonths = 1200;
constexpr int kMostDays = 36500;

// FAILED_PRECONDITION when `rests` says of a live record that refers to `name`
// that it rests on what an update takes away.
absl::Status CheckNothingRests(
    const resource::Snapshot& view, const std::string& name,
    absl::FunctionRef<bool(const resource::Item&)> rests) {
  absl::Status status;
  view.Referrers(name, [&](const resource::Item& item) {
    if (item.name() == name || !rests(item)) return true;
    status = status::Precondition(
        "STILL_RELIED_ON", name,
        absl::StrCat(item.name(), " rests on what this would take away."),
        {{"resource", name}, {"referrer", item.name()}});
    return false;
  });
  return status;
}

// Enum values of a repeated field: each known, each once.
template <class Values>
void CheckEnums(const Values& values, absl::string_view field,
                bool (*valid)(int), status::Violations* violations) {
  absl::flat_hash_set<int> seen;
  for (int i = 0; i < values.size(); ++i) {
    const int value = values.Get(i);
    if (value == 0 || !valid(value)) {
      violations->Add(absl::StrCat(field, "[", i, "]"),
                      "must be a known value");
    } else if (!seen.insert(value).second) {
      violations->Add(absl::StrCat(field, "[", i, "]"), "stands there already");
    }
  }
}

// ---- schemes ----

void CheckSpan(const v1::CivilSpan& span, absl::string_view field,
               status::Violations* violations) {
  const std::string path = absl::StrCat("scheme.rules.", field);
  if (span.months() < 0 || span.months() > kMostMonths) {
    violations->Add(absl::StrCat(path, ".months"), "must be 0 to 1,200");
  }
  if (span.days() < 0 || span.days() > kMostDays) {
    violations->Add(absl::StrCat(path, ".days"), "must be 0 to 36,500");
  }
}

void CheckSchemeRules(const v1::SchemeRules& rules,
                      status::Violations* violations) {
  CheckSpan(rules.longest_validity(), "longest_validity", violations);
  CheckSpan(rules.surveillance_interval(), "surveillance_interval", violations);
  CheckSpan(rules.first_surveillance_due(), "first_surveillance_due",
            violations);
  CheckSpan(rules.longest_suspension(), "longest_suspension", violations);
  CheckSpan(rules.longest_extended_suspension(), "longest_extended_suspension",
            violations);
  CheckSpan(rules.reassessment_interval(), "reassessment_interval", violations);
  const absl::CivilDay day(2000, 1, 1);
  if (!IsZero(rules.longest_extended_suspension()) &&
      Add(day, rules.longest_extended_suspension()) <
          Add(day, rules.longest_suspension())) {
    violations->Add("scheme.rules.longest_extended_suspension",
                    "must not be shorter than longest_suspension");
  }
}

void CheckSchemeFields(const Scheme& scheme, status::Violations* violations) {
  CheckEnums(scheme.topics(), "scheme.topics", Scheme::Topic_IsValid,
             violations);
  CheckEnums(scheme.subject_kinds(), "scheme.subject_kinds",
             Scheme::SubjectKind_IsValid, violations);
  CheckEnums(scheme.recognition_arrangements(),
             "scheme.recognition_arrangements",
             Scheme::RecognitionArrangement_IsValid, violations);
  absl::flat_hash_set<std::string> codes;
  for (int i = 0; i < scheme.levels_size(); ++i) {
    if (!codes.insert(scheme.levels(i).code()).second) {
      violations->Add(absl::StrCat("scheme.levels[", i, "].code"),
                      "must be unique in its scheme");
    }
  }
  CheckSchemeRules(scheme.rules(), violations);
}

// Certificates are checked again only when something they are checked against
// has changed.
bool ChangesContent(const Scheme& before, const Scheme& after) {
  const auto same_levels = [](const v1::AssuranceLevel& a,
                              const v1::AssuranceLevel& b) {
    return a.code() == b.code();
  };
  return !std::equal(before.levels().begin(), before.levels().end(),
                     after.levels().begin(), after.levels().end(),
                     same_levels) ||
         !std::equal(
             before.subject_kinds().begin(), before.subject_kinds().end(),
             after.subject_kinds().begin(), after.subject_kinds().end()) ||
         before.rules().augmentations_allowed() !=
             after.rules().augmentations_allowed();
}

absl::Status CheckImmutable(const Scheme& before, const Scheme& after) {
  status::Violations violations;
  if (before.time_zone() != after.time_zone()) {
    violations.Add("scheme.time_zone", "is fixed at creation");
  }
  if (before.suspension_effect() != after.suspension_effect()) {
    violations.Add("scheme.suspension_effect", "is fixed at creation");
  }
  return violations.ToStatus();
}

// ---- bodies ----

void CheckAccreditation(const Body& body, int index,
                        status::Violations* violations) {
  const Accreditation& accreditation = body.accreditations(index);
  const std::string path = absl::StrCat("body.accreditations[", index, "]");
  if (accreditation.accreditation_body() == body.name()) {
    violations->Add(absl::StrCat(path, ".accreditation_body"),
                    "must be another body than its holder");
  }
  civil::CheckPeriod(absl::StrCat(path, ".period"), accreditation.period(),
                     violations);
  for (int i = 0; i < accreditation.suspensions_size(); ++i) {
    civil::CheckPeriod(absl::StrCat(path, ".suspensions[", i, "]"),
                       accreditation.suspensions(i), violations);
  }
}

bool HasRole(const Body& body, Body::Role role) {
  return std::count(body.roles().begin(), body.roles().end(), role) > 0;
}

absl::Status CheckAccreditors(const resource::Snapshot& view,
                              const Body& body) {
  for (int i = 0; i < body.accreditations_size(); ++i) {
    const std::string& name = body.accreditations(i).accreditation_body();
    if (name.empty()) continue;
    const auto* accreditor = view.Get<Body>(name);
    if (accreditor != nullptr &&
        HasRole(*accreditor, Body::ACCREDITATION_BODY)) {
      continue;
    }
    return status::Precondition(
        "BODY_ROLE_MISSING",
        absl::StrCat("body.accreditations[", i, "].accreditation_body"),
        absl::StrCat(name, " does not have the role ACCREDITATION_BODY."),
        {{"body", name}, {"role", "ACCREDITATION_BODY"}});
  }
  return absl::OkStatus();
}

// Whether a record uses `name` in a role.
bool UsesRole(const resource::Item& item, const std::string& name,
              Body::Role role) {
  if (item.kind().descriptor == Certificate::descriptor()) {
    const auto& certificate = item.as<Certificate>();
    return (role == Body::CERTIFICATION_BODY &&
            certificate.certification_body() == name) ||
           (role == Body::LABORATORY && certificate.laboratory() == name);
  }
  if (item.kind().descriptor != Body::descriptor()) return false;
  const auto& accreditations = item.as<Body>().accreditations();
  return role == Body::ACCREDITATION_BODY &&
         std::any_of(accreditations.begin(), accreditations.end(),
                     [&](const Accreditation& accreditation) {
                       return accreditation.accreditation_body() == name;
                     });
}

// ---- products ----

bool HasVersion(const Product& product, const std::string& version) {
  return std::any_of(
      product.versions().begin(), product.versions().end(),
      [&](const v1::ProductVersion& v) { return v.version() == version; });
}

// Whether a certificate is for a version that the product has no more.
bool UsesLostVersion(const resource::Item& item, const Product& product) {
  if (item.kind().descriptor != Certificate::descriptor()) return false;
  const auto& subjects = item.as<Certificate>().subjects();
  return std::any_of(subjects.begin(), subjects.end(),
                     [&](const v1::CertificateSubject& s) {
                       return s.product().product() == product.name() &&
                              !s.product().version().empty() &&
                              !HasVersion(product, s.product().version());
                     });
}

}  // namespace

absl::Status CheckScheme(const resource::Snapshot& view, const Scheme* before,
                         Scheme* after, absl::Time /*now*/) {
  status::Violations violations;
  CheckSchemeFields(*after, &violations);
  absl::Status status = violations.ToStatus();
  if (!status.ok() || before == nullptr) return status;
  status = CheckImmutable(*before, *after);
  if (!status.ok() || !ChangesContent(*before, *after)) return status;
  return CheckNothingRests(view, after->name(), [&](const auto& item) {
    return item.kind().descriptor == Certificate::descriptor() &&
           !CheckFitsScheme(*after, item.template as<Certificate>()).ok();
  });
}

absl::Status CheckBody(const resource::Snapshot& view, const Body* before,
                       Body* after, absl::Time /*now*/) {
  status::Violations violations;
  CheckEnums(after->roles(), "body.roles", Body::Role_IsValid, &violations);
  for (int i = 0; i < after->accreditations_size(); ++i) {
    CheckAccreditation(*after, i, &violations);
  }
  absl::Status status = violations.ToStatus();
  if (status.ok()) status = CheckAccreditors(view, *after);
  if (!status.ok() || before == nullptr) return status;
  for (int i = 0; i < before->roles_size() && status.ok(); ++i) {
    const Body::Role role = before->roles(i);
    if (HasRole(*after, role)) continue;
    status = CheckNothingRests(view, after->name(), [&](const auto& item) {
      return UsesRole(item, after->name(), role);
    });
  }
  return status;
}

absl::Status CheckProduct(const resource::Snapshot& view, const Product* before,
                          Product* after, absl::Time /*now*/) {
  absl::flat_hash_set<std::string> versions;
  status::Violations violations;
  for (int i = 0; i < after->versions_size(); ++i) {
    if (!versions.insert(after->versions(i).version()).second) {
      violations.Add(absl::StrCat("product.versions[", i, "].version"),
                     "must be unique in its product");
    }
  }
  absl::Status status = violations.ToStatus();
  if (!status.ok() || before == nullptr) return status;
  const bool loses = std::any_of(
      before->versions().begin(), before->versions().end(),
      [&](const auto& v) { return !HasVersion(*after, v.version()); });
  if (!loses) return absl::OkStatus();
  return CheckNothingRests(view, after->name(), [&](const auto& item) {
    return UsesLostVersion(item, *after);
  });
}

resource::Rules<Scheme> SchemeRules() {
  resource::Rules<Scheme> rules;
  rules.check = CheckScheme;
  return rules;
}

resource::Rules<Body> BodyRules() {
  resource::Rules<Body> rules;
  rules.check = CheckBody;
  return rules;
}

resource::Rules<Product> ProductRules() {
  resource::Rules<Product> rules;
  rules.check = CheckProduct;
  return rules;
}

resource::Rules<v1::ManagementSystem> ManagementSystemRules() { return {}; }

absl::Status AddKinds(resource::Catalogue* catalogue) {
  absl::Status status = catalogue->Add(SchemeRules());
  if (status.ok()) status = catalogue->Add(BodyRules());
  if (status.ok()) status = catalogue->Add(ProductRules());
  if (status.ok()) status = catalogue->Add(ManagementSystemRules());
  if (status.ok()) status = catalogue->Add(CertificateRules());
  return status;
}

}  // namespace transparency::certification::domain
