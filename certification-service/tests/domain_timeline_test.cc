#include <string>
#include <vector>

#include "certification-service/domain/timeline.h"
#include "certification-service/tests/registry.h"
#include "gmock/gmock.h"

namespace transparency::certification::domain {
namespace {

using v1::Certificate;
using v1::CertificateStep;

Certificate WithSteps(const std::string& steps, bool recorded = true) {
  auto certificate = Parse<Certificate>(steps);
  certificate.set_recorded_not_decided(recorded);
  return certificate;
}

std::string On(const Certificate& certificate, const std::string& day) {
  return StateName(Timeline(certificate).On(Day(day)).state);
}

TEST(Transitions, AreThoseOfTheLifecycleAndNoOthers) {
  struct Case {
    Certificate::State from;
    CertificateStep::Kind step;
    Certificate::State to;
  };
  const std::vector<Case> allowed = {
      {Certificate::STATE_UNSPECIFIED, CertificateStep::APPLY,
       Certificate::APPLIED},
      {Certificate::APPLIED, CertificateStep::START_EVALUATION,
       Certificate::IN_EVALUATION},
      {Certificate::IN_EVALUATION, CertificateStep::ISSUE, Certificate::ACTIVE},
      {Certificate::IN_EVALUATION, CertificateStep::REJECT,
       Certificate::REJECTED},
      {Certificate::ACTIVE, CertificateStep::SUSPEND, Certificate::SUSPENDED},
      {Certificate::SUSPENDED, CertificateStep::REINSTATE, Certificate::ACTIVE},
      {Certificate::SUSPENDED, CertificateStep::EXTEND_SUSPENSION,
       Certificate::SUSPENDED},
      {Certificate::ACTIVE, CertificateStep::WITHDRAW, Certificate::WITHDRAWN},
      {Certificate::SUSPENDED, CertificateStep::WITHDRAW,
       Certificate::WITHDRAWN},
      {Certificate::ACTIVE, CertificateStep::REDUCE_SCOPE, Certificate::ACTIVE},
      {Certificate::SUSPENDED, CertificateStep::REDUCE_SCOPE,
       Certificate::SUSPENDED},
      {Certificate::ACTIVE, CertificateStep::SUPERSEDE,
       Certificate::SUPERSEDED},
      {Certificate::SUSPENDED, CertificateStep::SUPERSEDE,
       Certificate::SUSPENDED},
      {Certificate::WITHDRAWN, CertificateStep::SUPERSEDE,
       Certificate::WITHDRAWN},
      {Certificate::EXPIRED, CertificateStep::SUPERSEDE, Certificate::EXPIRED},
  };
  for (int from = Certificate::State_MIN; from <= Certificate::State_MAX;
       ++from) {
    for (int kind = CertificateStep::Kind_MIN;
         kind <= CertificateStep::Kind_MAX; ++kind) {
      std::optional<Certificate::State> expected;
      for (const Case& c : allowed) {
        if (c.from == from && c.step == kind) expected = c.to;
      }
      EXPECT_EQ(Next(false, static_cast<Certificate::State>(from),
                     static_cast<CertificateStep::Kind>(kind)),
                expected)
          << Certificate::State_Name(from) << " "
          << CertificateStep::Kind_Name(kind);
    }
  }
}

TEST(AllowedSteps, NameTheMethodsThatAStateAllows) {
  using testing::ElementsAre;
  EXPECT_THAT(AllowedSteps(false, Certificate::APPLIED),
              ElementsAre("startEvaluation", "correct"));
  EXPECT_THAT(AllowedSteps(false, Certificate::IN_EVALUATION),
              ElementsAre("issue", "reject", "correct"));
  EXPECT_THAT(AllowedSteps(false, Certificate::ACTIVE),
              ElementsAre("suspend", "withdraw", "reduceScope", "correct"));
  EXPECT_THAT(AllowedSteps(false, Certificate::SUSPENDED),
              ElementsAre("reinstate", "extendSuspension", "withdraw",
                          "reduceScope", "correct"));
  for (auto state : {Certificate::REJECTED, Certificate::WITHDRAWN,
                     Certificate::EXPIRED, Certificate::SUPERSEDED}) {
    EXPECT_THAT(AllowedSteps(false, state), ElementsAre("correct"));
  }
}

TEST(StateOnADay, FollowsWhatIsKnownOfTheDates) {
  struct Case {
    const char* about;
    std::string steps;
    std::vector<std::pair<const char*, const char*>> expected;
  };
  const std::string issue = "steps { kind: ISSUE effective_date ";
  const Case cases[] = {
      {"both days known",
       issue + D("2020-05-15") + " last_valid_date " + D("2023-05-14") + " }",
       {{"2020-05-14", "NONE"},
        {"2020-05-15", "ACTIVE"},
        {"2023-05-14", "ACTIVE"},
        {"2023-05-15", "EXPIRED"}}},
      {"the last day not recorded",
       issue + D("2020-05-15") + " }",
       {{"2020-05-14", "NONE"}, {"2020-05-15", "UNDETERMINED"}}},
      {"without expiry",
       issue + D("2020-05-15") + " without_expiry: true }",
       {{"2020-05-14", "NONE"}, {"2999-01-01", "ACTIVE"}}},
      {"the first day known by its year",
       issue + D("2019") + " without_expiry: true }",
       {{"2018-12-31", "NONE"},
        {"2019-01-01", "UNDETERMINED"},
        {"2019-12-30", "UNDETERMINED"},
        {"2019-12-31", "ACTIVE"}}},
      {"the last day known by its month",
       issue + D("2020-05-15") + " last_valid_date " + D("2023-05") + " }",
       {{"2023-05-01", "ACTIVE"},
        {"2023-05-02", "UNDETERMINED"},
        {"2023-05-31", "UNDETERMINED"},
        {"2023-06-01", "EXPIRED"}}},
      {"withdrawn, nothing else recorded",
       "steps { kind: WITHDRAW effective_date " + D("2021-02-03") + " }",
       {{"2021-02-02", "NONE"}, {"2021-02-03", "WITHDRAWN"}}},
      {"withdrawn some time before it was recorded",
       issue + D("2020-05-15") + " without_expiry: true }" +
           "steps { kind: WITHDRAW record_time { seconds: 1700000000 } }",
       {{"2020-05-14", "NONE"},
        {"2020-05-15", "UNDETERMINED"},
        {"2023-11-13", "UNDETERMINED"},
        {"2023-11-14", "WITHDRAWN"}}},
      {"suspended, then reinstated",
       issue + D("2020-05-15") + " without_expiry: true }" +
           "steps { kind: SUSPEND effective_date " + D("2021-01-01") + " }" +
           "steps { kind: REINSTATE effective_date " + D("2021-02-01") + " }",
       {{"2020-12-31", "ACTIVE"},
        {"2021-01-31", "SUSPENDED"},
        {"2021-02-01", "ACTIVE"}}},
      {"suspended until it expires",
       issue + D("2020-05-15") + " last_valid_date " + D("2021-05-14") + " }" +
           "steps { kind: SUSPEND effective_date " + D("2021-01-01") + " }",
       {{"2021-05-14", "SUSPENDED"}, {"2021-05-15", "EXPIRED"}}},
      {"superseded while suspended, then reinstated",
       issue + D("2020-05-15") + " without_expiry: true }" +
           "steps { kind: SUSPEND effective_date " + D("2021-01-01") + " }" +
           "steps { kind: SUPERSEDE effective_date " + D("2021-01-15") + " }" +
           "steps { kind: REINSTATE effective_date " + D("2021-02-01") + " }",
       {{"2021-01-31", "SUSPENDED"}, {"2021-02-01", "SUPERSEDED"}}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.about);
    const Certificate certificate = WithSteps(c.steps);
    EXPECT_FALSE(Timeline(certificate).FindContradiction().has_value());
    for (const auto& [day, state] : c.expected) {
      EXPECT_EQ(On(certificate, day), state) << day;
    }
  }
}

TEST(Timeline, OrdersByDayAndThenByRecording) {
  const Certificate certificate =
      WithSteps("steps { kind: ISSUE effective_date " + D("2020-01-01") +
                " without_expiry: true }"
                "steps { kind: WITHDRAW effective_date " +
                D("2021-06-01") +
                " }"
                "steps { kind: SUSPEND effective_date " +
                D("2021-01-01") +
                " }"
                "steps { kind: REINSTATE effective_date " +
                D("2021-01-01") + " }");
  std::vector<int> numbers;
  const Timeline timeline(certificate);
  for (const StandingStep& step : timeline.steps()) {
    numbers.push_back(step.number);
  }
  EXPECT_THAT(numbers, testing::ElementsAre(1, 3, 4, 2));
  EXPECT_EQ(On(certificate, "2021-01-01"), "ACTIVE");
}

TEST(Timeline, ACorrectedStepTakesTheTurnOfTheOneItCorrects) {
  const std::string day = " effective_date " + D("2021-01-01");
  const Certificate certificate = WithSteps(
      "steps { kind: APPLY" + day + " } steps { kind: ISSUE" + day +
      " without_expiry: true } steps { kind: SUSPEND" + day +
      " } steps { kind: ISSUE corrects: 2 " + day + " last_valid_date " +
      D("2022-01-01") + " } steps { kind: ISSUE corrects: 4 " + day +
      " last_valid_date " + D("2023-01-01") + " }");
  const Timeline timeline(certificate);
  ASSERT_EQ(timeline.steps().size(), 3u);
  EXPECT_EQ(timeline.steps()[1].number, 5);
  EXPECT_FALSE(timeline.Stands(2));
  EXPECT_FALSE(timeline.Stands(4));
  EXPECT_TRUE(timeline.Stands(5));
  EXPECT_FALSE(timeline.FindContradiction().has_value());
  EXPECT_EQ(On(certificate, "2022-06-01"), "SUSPENDED");
}

TEST(Timeline, FindsTheStepThatIsNotAllowed) {
  const Certificate certificate =
      WithSteps("steps { kind: ISSUE effective_date " + D("2020-01-01") +
                " last_valid_date " + D("2020-12-31") +
                " }"
                "steps { kind: SUSPEND effective_date " +
                D("2021-01-01") + " }");
  const auto found = Timeline(certificate).FindContradiction();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->number, 2);
  EXPECT_EQ(found->state, Certificate::EXPIRED);
}

TEST(CivilDays, BeginWithTheZonesMidnightOrWhatComesInItsPlace) {
  const absl::TimeZone brussels = ZoneOf("Europe/Brussels");
  EXPECT_EQ(StartOf(Day("2026-03-02"), brussels), At("2026-03-01T23:00:00"));
  EXPECT_EQ(DayAt(At("2026-03-01T22:59:59"), brussels), Day("2026-03-01"));
  EXPECT_EQ(DayAt(At("2026-03-01T23:00:00"), brussels), Day("2026-03-02"));
  // Midnight of 4 November 2018 did not exist in São Paulo.
  const absl::TimeZone sao_paulo = ZoneOf("America/Sao_Paulo");
  EXPECT_EQ(StartOf(Day("2018-11-04"), sao_paulo), At("2018-11-04T03:00:00"));
  EXPECT_EQ(DayAt(At("2018-11-04T03:00:00"), sao_paulo), Day("2018-11-04"));
  // There, 18 February 2018 began, and its first hour was 17 February again.
  EXPECT_EQ(DayAt(At("2018-02-18T02:30:00"), sao_paulo), Day("2018-02-17"));
  EXPECT_EQ(DayAt(At("2018-02-18T03:00:00"), sao_paulo), Day("2018-02-18"));
  EXPECT_EQ(ZoneOf(""), absl::UTCTimeZone());
}

TEST(CivilSpans, KeepTheDayOrTakeTheMonthsLast) {
  struct Case {
    const char* from;
    int months;
    int days;
    const char* to;
  };
  for (const Case& c : {Case{"2026-05-15", 36, 0, "2029-05-15"},
                        Case{"2026-01-31", 1, 0, "2026-02-28"},
                        Case{"2024-02-29", 12, 0, "2025-02-28"},
                        Case{"2026-03-01", 0, 42, "2026-04-12"},
                        Case{"2026-12-31", 2, 1, "2027-03-01"}}) {
    v1::CivilSpan span;
    span.set_months(c.months);
    span.set_days(c.days);
    EXPECT_EQ(Add(Day(c.from), span), Day(c.to)) << c.from;
  }
}

}  // namespace
}  // namespace transparency::certification::domain
