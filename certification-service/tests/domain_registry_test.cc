#include <string>

#include "absl/strings/str_cat.h"
#include "certification-service/tests/registry.h"

namespace transparency::certification::domain {
namespace {

// The outcome of an update of a resource of `registry`.
template <class T, class Change>
std::string Updated(Registry* registry, const std::string& name,
                    absl::Status (*check)(const resource::Snapshot&, const T*,
                                          T*, absl::Time),
                    Change change) {
  const T before = *registry->view().Get<T>(name);
  T after = before;
  change(&after);
  return Outcome(check(registry->view(), &before, &after, registry->now()));
}

TEST(Schemes, KeepTheirZoneAndWhatASuspensionDoes) {
  Registry registry;
  const auto update = [&](auto change) {
    return Updated<v1::Scheme>(&registry, "schemes/eucc", CheckScheme, change);
  };
  EXPECT_EQ(update([](v1::Scheme* s) { s->set_time_zone("Asia/Shanghai"); }),
            "INVALID_ARGUMENT INVALID_FIELDS");
  EXPECT_EQ(update([](v1::Scheme* s) {
              s->set_suspension_effect(v1::TEMPORARILY_INVALID);
            }),
            "INVALID_ARGUMENT INVALID_FIELDS");
  EXPECT_EQ(update([](v1::Scheme* s) { s->set_title("EU CC"); }), "OK");
}

TEST(Schemes, AreWellFormed) {
  struct Case {
    const char* text;
    const char* outcome;
  };
  for (const Case& c : {
           Case{"levels { code: 'A' } levels { code: 'A' }",
                "INVALID_ARGUMENT INVALID_FIELDS"},
           Case{"topics: [SECURITY, SECURITY]",
                "INVALID_ARGUMENT INVALID_FIELDS"},
           Case{"topics: TOPIC_UNSPECIFIED", "INVALID_ARGUMENT INVALID_FIELDS"},
           Case{"rules { longest_validity { months: -1 } }",
                "INVALID_ARGUMENT INVALID_FIELDS"},
           Case{"rules { longest_validity { days: 40000 } }",
                "INVALID_ARGUMENT INVALID_FIELDS"},
           Case{"rules { longest_suspension { days: 42 }"
                " longest_extended_suspension { months: 1 } }",
                "INVALID_ARGUMENT INVALID_FIELDS"},
           Case{"topics: [SECURITY, PRIVACY] recognition_arrangements: CCRA"
                " rules { longest_suspension { days: 42 }"
                " longest_extended_suspension { months: 12 } }",
                "OK"},
       }) {
    Registry registry;
    auto scheme = Parse<v1::Scheme>(c.text);
    EXPECT_EQ(
        Outcome(CheckScheme(registry.view(), nullptr, &scheme, registry.now())),
        c.outcome)
        << c.text;
  }
}

TEST(Schemes, KeepWhatTheirCertificatesRestOn) {
  Registry registry;
  ASSERT_EQ(registry.Create("name: 'certificates/c' scheme: 'schemes/eucc'"
                            " level: 'EAL4' augmentations: 'ALC_FLR.2'"
                            " subjects { service: 'Cloud' }"),
            absl::OkStatus());
  const auto update = [&](auto change) {
    return Updated<v1::Scheme>(&registry, "schemes/eucc", CheckScheme, change);
  };
  EXPECT_EQ(update([](v1::Scheme* s) { s->mutable_levels()->RemoveLast(); }),
            "FAILED_PRECONDITION STILL_RELIED_ON");
  EXPECT_EQ(update([](v1::Scheme* s) {
              s->mutable_rules()->set_augmentations_allowed(false);
            }),
            "FAILED_PRECONDITION STILL_RELIED_ON");
  EXPECT_EQ(
      update([](v1::Scheme* s) { s->add_subject_kinds(v1::Scheme::PRODUCT); }),
      "FAILED_PRECONDITION STILL_RELIED_ON");
  EXPECT_EQ(
      update([](v1::Scheme* s) { s->mutable_levels()->DeleteSubrange(0, 1); }),
      "OK");
}

TEST(Bodies, AreAccreditedByOthersThatAccredit) {
  struct Case {
    const char* text;
    const char* outcome;
  };
  for (const Case& c : {
           Case{"accreditations { accreditation_body: 'bodies/ab' }", "OK"},
           Case{"accreditations { number: '7' }", "OK"},
           Case{"accreditations { accreditation_body: 'bodies/lab' }",
                "FAILED_PRECONDITION BODY_ROLE_MISSING"},
           Case{"roles: ACCREDITATION_BODY accreditations {"
                " accreditation_body: 'bodies/new' }",
                "INVALID_ARGUMENT INVALID_FIELDS"},
           Case{"accreditations { period { from { year: 2021 } until {"
                " year: 2020 } } }",
                "INVALID_ARGUMENT INVALID_FIELDS"},
           Case{"accreditations { suspensions { open_ended: true until {"
                " year: 2020 } } }",
                "INVALID_ARGUMENT INVALID_FIELDS"},
           Case{"roles: [LABORATORY, LABORATORY]",
                "INVALID_ARGUMENT INVALID_FIELDS"},
       }) {
    Registry registry;
    auto body = Parse<v1::Body>(absl::StrCat("name: 'bodies/new' ", c.text));
    EXPECT_EQ(
        Outcome(CheckBody(registry.view(), nullptr, &body, registry.now())),
        c.outcome)
        << c.text;
  }
}

TEST(Bodies, KeepTheRolesThatOthersRestOn) {
  Registry registry;
  ASSERT_EQ(registry.Create("name: 'certificates/c' scheme: 'schemes/plain'"
                            " certification_body: 'bodies/cb'"
                            " laboratory: 'bodies/lab'"),
            absl::OkStatus());
  for (const char* name : {"bodies/cb", "bodies/lab", "bodies/ab"}) {
    EXPECT_EQ(Updated<v1::Body>(&registry, name, CheckBody,
                                [](v1::Body* b) { b->clear_roles(); }),
              "FAILED_PRECONDITION STILL_RELIED_ON")
        << name;
    EXPECT_EQ(Updated<v1::Body>(&registry, name, CheckBody,
                                [](v1::Body* b) { b->set_country("DE"); }),
              "OK");
  }
}

TEST(Products, KeepTheVersionsThatAreCertified) {
  Registry registry;
  ASSERT_EQ(registry.Create("name: 'certificates/c' scheme: 'schemes/plain'"
                            " subjects { product { product: 'products/phone'"
                            " version: '2.0' } }"),
            absl::OkStatus());
  const auto update = [&](auto change) {
    return Updated<v1::Product>(&registry, "products/phone", CheckProduct,
                                change);
  };
  EXPECT_EQ(update([](v1::Product* p) { p->mutable_versions()->RemoveLast(); }),
            "FAILED_PRECONDITION STILL_RELIED_ON");
  EXPECT_EQ(update([](v1::Product* p) {
              p->mutable_versions()->DeleteSubrange(0, 1);
            }),
            "OK");
  EXPECT_EQ(
      update([](v1::Product* p) { p->add_versions()->set_version("1.0"); }),
      "INVALID_ARGUMENT INVALID_FIELDS");
}

}  // namespace
}  // namespace transparency::certification::domain
