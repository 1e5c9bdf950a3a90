#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "certification-service/domain/certificate_rules.h"
#include "certification-service/domain/civil_days.h"
#include "certification-service/domain/registry_rules.h"
#include "certification-service/domain/step_decisions.h"
#include "certification-service/domain/verification.h"
#include "common/base/civil.h"
#include "common/resource/item.h"
#include "common/resource/snapshot.h"
#include "common/status/status.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace transparency::certification::domain {

template <class T>
T Parse(const std::string& text) {
  T message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message))
      << text;
  return message;
}

// "2026-03-02" as a field of a text proto: `year: 2026 month: 3 day: 2`; the
// day, or month and day, may be left out.
inline std::string D(const std::string& text) {
  const char* names[] = {"year: ", " month: ", " day: "};
  std::string date = "{";
  int part = 0;
  for (absl::string_view number : absl::StrSplit(text, '-')) {
    absl::StrAppend(&date, names[part++],
                    number.substr(number.find_first_not_of('0')));
  }
  return date + "}";
}

inline google::type::Date Date(const std::string& text) {
  return Parse<google::type::Date>(D(text).substr(1, D(text).size() - 2));
}

inline absl::CivilDay Day(const std::string& text) { return ToDay(Date(text)); }

// "2026-03-02T09:00:00+01:00"; UTC where no zone stands.
inline absl::Time At(const std::string& text) {
  absl::Time time;
  std::string error;
  const bool zoned = text.find_first_of("Z+", 10) != std::string::npos;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, zoned ? text : text + "Z",
                              &time, &error))
      << text << ": " << error;
  return time;
}

// A snapshot at noon (UTC) of 2026-03-02 with
//   schemes/iso      ISO/IEC 17021-1's ways: three years, six months of
//                    suspension without extension, accreditation required
//   schemes/eucc     levels and augmentations, suspension leaves valid, 42 days
//                    and a year, in Brussels' time zone
//   schemes/plain    no rules at all
//   bodies/cb        accredited for iso by bodies/ab, from 2020-01-01 on
//   bodies/lab, bodies/ab, products/phone (1.0, 2.0), managementSystems/isms
class Registry {
 public:
  Registry() {
    EXPECT_EQ(AddKinds(&catalogue_), absl::OkStatus());
    builder_ = std::make_unique<resource::SnapshotBuilder>(
        resource::Snapshot(&catalogue_));
    MoveTo(At("2026-03-02T12:00:00"));
    Put(Parse<v1::Scheme>(
        "name: 'schemes/iso' title: 'ISO' subject_kinds: [MANAGEMENT_SYSTEM,"
        " SERVICE] suspension_effect: TEMPORARILY_INVALID"
        " rules { longest_validity { months: 36 } accreditation_required: true"
        "  longest_suspension { months: 6 } }"));
    Put(Parse<v1::Scheme>(
        "name: 'schemes/eucc' title: 'EUCC' time_zone: 'Europe/Brussels'"
        " levels { code: 'EAL2' } levels { code: 'EAL4' }"
        " suspension_effect: STAYS_VALID"
        " rules { longest_validity { months: 60 } longest_suspension { days: "
        "42 }"
        "  longest_extended_suspension { months: 12 }"
        "  augmentations_allowed: true }"));
    Put(Parse<v1::Scheme>("name: 'schemes/plain' title: 'Plain'"));
    Put(
        Parse<v1::Body>("name: 'bodies/ab' display_name: 'AB'"
                        " roles: ACCREDITATION_BODY"));
    Put(Parse<v1::Body>(absl::StrCat(
        "name: 'bodies/cb' display_name: 'CB' roles: CERTIFICATION_BODY"
        " accreditations { accreditation_body: 'bodies/ab' number: 'A-1'"
        " schemes: 'schemes/iso' period { open_ended: true from ",
        D("2020-01-01"), " } }")));
    Put(
        Parse<v1::Body>("name: 'bodies/lab' display_name: 'L'"
                        " roles: LABORATORY"));
    Put(
        Parse<v1::Product>("name: 'products/phone' display_name: 'Phone'"
                           " versions { version: '1.0' }"
                           " versions { version: '2.0' }"));
    Put(Parse<v1::ManagementSystem>(
        "name: 'managementSystems/isms' display_name: 'ISMS'"));
  }

  const resource::Snapshot& view() const { return builder_->view(); }
  absl::Time now() const { return now_; }
  void MoveTo(absl::Time now) {
    now_ = now;
    builder_->Advance(now);
  }
  Moment moment() const { return {view(), now_}; }

  template <class T>
  void Put(const T& message) {
    resource::Item::Stored stored;
    stored.message = std::make_unique<T>(message);
    builder_->Put(resource::Item::Make(
        *catalogue_.ByDescriptor(T::descriptor()), std::move(stored), now_));
  }

  v1::Certificate Get(const std::string& name) const {
    const auto* certificate = view().Get<v1::Certificate>(name);
    EXPECT_NE(certificate, nullptr) << name;
    return certificate == nullptr ? v1::Certificate() : *certificate;
  }
  const resource::Item& ItemOf(const std::string& name) const {
    return *view().FindLive(name);
  }

  // Creates a certificate as the service would.
  absl::Status Create(v1::Certificate certificate) {
    absl::Status status = CheckCertificate(view(), nullptr, &certificate, now_);
    if (status.ok()) status = BeginCertificate(view(), &certificate, now_);
    if (status.ok()) Put(certificate);
    return status;
  }
  absl::Status Create(const std::string& text) {
    return Create(Parse<v1::Certificate>(text));
  }
  // Updates one: `change` alters a copy of it.
  template <class Change>
  absl::Status Update(const std::string& name, Change change) {
    const v1::Certificate before = Get(name);
    v1::Certificate after = before;
    change(&after);
    absl::Status status = CheckCertificate(view(), &before, &after, now_);
    if (status.ok()) Put(after);
    return status;
  }

  // Takes a step as the service would, with the request's text beside its name.
  template <class Request>
  absl::Status Take(absl::Status (*decide)(const Moment&, const Request&,
                                           v1::Certificate*),
                    const std::string& name, const std::string& text = "") {
    auto request = Parse<Request>(text);
    request.set_name(name);
    v1::Certificate certificate = Get(name);
    absl::Status status = decide(moment(), request, &certificate);
    if (!status.ok()) return status;
    auto predecessor = FollowSuccessor(moment(), certificate, request.reason());
    if (!predecessor.ok()) return predecessor.status();
    if (predecessor->has_value()) Put(**predecessor);
    Put(certificate);
    return status;
  }

  // A certificate under schemes/plain that is first valid on the day given,
  // applied for and evaluated on the same day.
  void Issued(const std::string& name, const std::string& first,
              const std::string& issue, const std::string& more = "",
              const std::string& scheme = "schemes/plain") {
    const std::string day = absl::StrCat("effective_date ", D(first));
    EXPECT_EQ(Create(absl::StrCat(
                  "name: '", name, "' scheme: '", scheme,
                  "' certification_body: 'bodies/cb'"
                  " subjects { service: 'Cloud' } initial_steps { kind: APPLY ",
                  day, " } ", more)),
              absl::OkStatus());
    EXPECT_EQ(Take(Start, name, day), absl::OkStatus());
    EXPECT_EQ(Take(Issue, name, absl::StrCat(day, " ", issue)),
              absl::OkStatus());
  }

  v1::VerifiedCertificate Ask(const std::string& name,
                              const std::string& day) const {
    return Verify(Get(name), Day(day), [this](absl::string_view body) {
      return view().Get<v1::Body>(body);
    });
  }
  std::string Verdict(const std::string& name, const std::string& day) const {
    return v1::VerifiedCertificate::Verdict_Name(Ask(name, day).verdict());
  }
  std::string State(const std::string& name) const {
    return v1::Certificate::State_Name(Get(name).state());
  }

 private:
  resource::Catalogue catalogue_;
  std::unique_ptr<resource::SnapshotBuilder> builder_;
  absl::Time now_;
};

// "FAILED_PRECONDITION VALIDITY_TOO_LONG"; "OK".
inline std::string Outcome(const absl::Status& status) {
  if (status.ok()) return "OK";
  return absl::StrCat(absl::StatusCodeToString(status.code()), " ",
                      status::Reason(status));
}

}  // namespace transparency::certification::domain
