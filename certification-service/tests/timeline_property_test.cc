#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "certification-service/domain/timeline.h"
#include "certification-service/domain/verification.h"
#include "google/protobuf/timestamp.pb.h"
#include "gtest/gtest.h"

// Random certificates on every day of three months, against the contract's
// words carried out for all readings of their dates, one by one.
namespace transparency::certification::domain {
namespace {

using absl::CivilDay;
using google::type::Date;
using v1::Certificate;
using v1::CertificateStep;
using v1::VerifiedCertificate;

// Days are counted from the first day of the window. What lies outside of it
// need not be told apart.
constexpr CivilDay kOrigin(2020, 1, 1);
constexpr int kEnd = 91;       // 1 April
constexpr int kEarliest = -3;  // before every day that is asked for
constexpr int kLatest = kEnd + 3;
constexpr int kNever = std::numeric_limits<int>::max();
// Its clocks are an hour ahead of UTC until 29 March.
constexpr char kZone[] = "Europe/Brussels";
constexpr int64_t kHour = 3600;
constexpr int64_t kFirstMidnight = 1577836800 - kHour;  // of kOrigin in kZone

// ---- all readings ----

struct Range {
  int first;
  int last;
};

// The days that a date can mean.
Range DaysOf(const Date& date) {
  const auto at = [](CivilDay day) {
    return std::clamp(static_cast<int>(day - kOrigin), kEarliest, kLatest);
  };
  const int year = date.year();
  if (date.month() == 0) {
    return {at(CivilDay(year, 1, 1)), at(CivilDay(year, 12, 31))};
  }
  if (date.day() == 0) {
    // The day before the first of a month is the last of the month before.
    return {at(CivilDay(year, date.month(), 1)),
            at(CivilDay(year, date.month() + 1, 0))};
  }
  const int day = at(CivilDay(year, date.month(), date.day()));
  return {day, day};
}

// The civil day of an instant in kZone.
int DayOf(const google::protobuf::Timestamp& time) {
  return static_cast<int>((time.seconds() - kFirstMidnight) / (24 * kHour));
}

// A step that no other one corrects.
struct Event {
  CertificateStep::Kind kind;
  int turn;  // its place in the order of recording
  // Recorded with the certificate, "in order of time".
  bool initial;
  Range days;
  bool without_expiry;
  bool last_recorded;
  Range last;
  // In the reading at hand.
  int day;
  int last_day;
};

std::vector<Event> EventsOf(const Certificate& certificate) {
  const auto& steps = certificate.steps();
  std::vector<Event> events;
  for (int i = 0; i < steps.size(); ++i) {
    const CertificateStep& step = steps[i];
    const bool corrected = std::any_of(
        steps.begin(), steps.end(),
        [&](const CertificateStep& s) { return s.corrects() == i + 1; });
    if (corrected || step.kind() == CertificateStep::CORRECT) continue;
    Event event{};
    event.kind = step.kind();
    event.turn = i;
    while (steps[event.turn].corrects() > 0) {
      event.turn = steps[event.turn].corrects() - 1;
    }
    event.initial = steps[event.turn].record_time().seconds() ==
                    steps[0].record_time().seconds();
    event.days = step.effective_date().year() != 0
                     ? DaysOf(step.effective_date())
                     : Range{kEarliest, DayOf(step.record_time())};
    event.without_expiry = step.without_expiry();
    event.last_recorded = step.has_last_valid_date();
    if (event.last_recorded) event.last = DaysOf(step.last_valid_date());
    events.push_back(event);
  }
  std::sort(events.begin(), events.end(),
            [](const Event& a, const Event& b) { return a.turn < b.turn; });
  return events;
}

// What the life of a certificate is in one reading, followed day by day.
class Life {
 public:
  explicit Life(bool recorded) : recorded_(recorded) {}

  Certificate::State state() const { return state_; }
  // Where it stands, as readers are told: in force only where the last valid
  // day is recorded, or that there is none.
  Certificate::State Shown() const {
    return InForce() && !lasts_ && last_day_ == kNever
               ? Certificate::UNDETERMINED
               : state_;
  }

  void Begin(int day) {
    if (InForce() && day > last_day_) state_ = Certificate::EXPIRED;
  }

  // False: it cannot take place now.
  bool Take(const Event& event) {
    if (!Allows(event.kind)) return false;
    switch (event.kind) {
      case CertificateStep::APPLY:
        state_ = Certificate::APPLIED;
        break;
      case CertificateStep::START_EVALUATION:
        state_ = Certificate::IN_EVALUATION;
        break;
      case CertificateStep::ISSUE:
        lasts_ = event.without_expiry;
        last_day_ = event.last_recorded ? event.last_day : kNever;
        state_ = Certificate::ACTIVE;
        break;
      case CertificateStep::REJECT:
        state_ = Certificate::REJECTED;
        break;
      case CertificateStep::SUSPEND:
      case CertificateStep::EXTEND_SUSPENSION:
        state_ = Certificate::SUSPENDED;
        break;
      case CertificateStep::REINSTATE:
        state_ = has_successor_ ? Certificate::SUPERSEDED : Certificate::ACTIVE;
        break;
      case CertificateStep::WITHDRAW:
        state_ = Certificate::WITHDRAWN;
        break;
      case CertificateStep::SUPERSEDE:
        has_successor_ = true;
        if (state_ == Certificate::ACTIVE || Unknown()) {
          state_ = Certificate::SUPERSEDED;
        }
        break;
      default:
        break;
    }
    return true;
  }

  bool Allows(CertificateStep::Kind kind) const {
    // Rules for which a source gives no facts do not apply.
    if (Unknown() && recorded_) return true;
    const bool applied = state_ == Certificate::APPLIED;
    const bool suspended = state_ == Certificate::SUSPENDED;
    switch (kind) {
      case CertificateStep::APPLY:
        return Unknown();
      case CertificateStep::START_EVALUATION:
        return applied;
      case CertificateStep::ISSUE:
      case CertificateStep::REJECT:
        return state_ == Certificate::IN_EVALUATION || (applied && recorded_);
      case CertificateStep::SUSPEND:
        return state_ == Certificate::ACTIVE;
      case CertificateStep::REINSTATE:
      case CertificateStep::EXTEND_SUSPENSION:
        return suspended;
      case CertificateStep::WITHDRAW:
      case CertificateStep::REDUCE_SCOPE:
        return InForce();
      case CertificateStep::SUPERSEDE:
        return InForce() || state_ == Certificate::WITHDRAWN ||
               state_ == Certificate::EXPIRED;
      default:
        return false;
    }
  }

 private:
  bool Unknown() const { return state_ == Certificate::STATE_UNSPECIFIED; }
  bool InForce() const {
    return state_ == Certificate::ACTIVE || state_ == Certificate::SUSPENDED;
  }

  const bool recorded_;
  Certificate::State state_ = Certificate::STATE_UNSPECIFIED;
  bool lasts_ = false;
  int last_day_ = kNever;
  bool has_successor_ = false;
};

// The states that a certificate has on a day, over its readings.
class States {
 public:
  void Add(Certificate::State state) { set_ |= 1U << state; }
  bool Has(Certificate::State state) const {
    return (set_ & (1U << state)) != 0;
  }
  // The one on which all agree.
  Certificate::State Agreed() const {
    for (int s = 0; s < Certificate::State_ARRAYSIZE; ++s) {
      if (set_ == 1U << s) return static_cast<Certificate::State>(s);
    }
    return Certificate::UNDETERMINED;
  }
  std::vector<Certificate::State> All() const {
    std::vector<Certificate::State> all;
    for (int s = 0; s < Certificate::State_ARRAYSIZE; ++s) {
      const auto state = static_cast<Certificate::State>(s);
      if (Has(state)) all.push_back(state);
    }
    return all;
  }

 private:
  unsigned set_ = 0;
};

// A reading gives each date a day that it can mean. The steps with which the
// record was made are in order of time, and no last valid day lies before the
// first.
class Naive {
 public:
  explicit Naive(const Certificate& certificate)
      : recorded_(certificate.recorded_not_decided()),
        suspension_effect_(certificate.suspension_effect()),
        events_(EventsOf(certificate)) {
    for (Event& event : events_) {
      fields_.push_back({&event.day, event.days});
      if (event.last_recorded) fields_.push_back({&event.last_day, event.last});
    }
    Read(0);
  }

  // Some reading makes sense, all steps being allowed where they stand.
  bool fits() const { return fits_; }
  // The contract leaves open how it is to be read: whether a step that was
  // recorded later comes before or after another one on one of its days; or
  // whether a certificate that may have expired was superseded.
  bool unclear() const {
    return unclear_ || (met_.Has(Certificate::EXPIRED) &&
                        met_.Agreed() != Certificate::EXPIRED);
  }

  // A step gives that day, and the last valid day can have come by then as far
  // as its date is known. Whether the step says that it had not is not told.
  bool OpenOn(int day) const {
    bool step = false;
    bool last = false;
    for (const Event& event : events_) {
      step = step || (event.days.first == day && event.days.last == day);
      last = last || (event.last_recorded && event.last.first < day &&
                      day <= event.last.last);
    }
    return step && last;
  }

  const States& On(int day) const { return states_[Index(day)]; }

  VerifiedCertificate::Verdict VerdictOn(int day) const {
    std::optional<VerifiedCertificate::Verdict> agreed;
    for (Certificate::State state : On(day).All()) {
      const VerifiedCertificate::Verdict verdict = VerdictOf(state);
      if (agreed.has_value() && *agreed != verdict) {
        return VerifiedCertificate::VALIDITY_NOT_RECORDED;
      }
      agreed = verdict;
    }
    return agreed.value_or(VerifiedCertificate::VALIDITY_NOT_RECORDED);
  }

  // Rejected applications are no certificates; nobody is told a verdict.
  bool MayBeGranted() const {
    return std::none_of(events_.begin(), events_.end(), [](const Event& e) {
      return e.kind == CertificateStep::REJECT;
    });
  }

 private:
  struct Field {
    int* day;
    Range range;
  };

  static size_t Index(int day) { return static_cast<size_t>(day - kEarliest); }

  // Gives the dates from the nth on each of their days.
  void Read(size_t n) {
    if (n == fields_.size()) return Follow();
    for (int day = fields_[n].range.first; day <= fields_[n].range.last;
         ++day) {
      *fields_[n].day = day;
      Read(n + 1);
    }
  }

  bool Admissible() const {
    const Event* before = nullptr;
    for (const Event& event : events_) {
      // The last valid day is not before the first.
      if (event.last_recorded && event.last_day < event.day) return false;
      if (!event.initial) continue;
      if (before != nullptr && before->day > event.day) return false;
      before = &event;
    }
    return true;
  }

  void Follow() {
    if (!Admissible()) return;
    order_.clear();
    for (const Event& event : events_) order_.push_back(&event);
    std::stable_sort(
        order_.begin(), order_.end(),
        [](const Event* a, const Event* b) { return a->day < b->day; });
    // Only for steps that were recorded together is an order of time told.
    if (first_order_.empty()) first_order_ = order_;
    unclear_ = unclear_ || order_ != first_order_;
    if (!order_.empty()) {
      begins_ = order_.front()->kind == CertificateStep::APPLY ||
                order_.front()->kind == CertificateStep::START_EVALUATION ||
                order_.front()->kind == CertificateStep::ISSUE;
    }
    Life life(recorded_);
    size_t next = 0;
    for (int day = kEarliest; day <= kLatest; ++day) {
      life.Begin(day);
      for (; next < order_.size() && order_[next]->day == day; ++next) {
        if (order_[next]->kind == CertificateStep::SUPERSEDE) {
          met_.Add(life.state());
        }
        // From here on it is no reading: what stands on a day follows from the
        // steps that have taken effect by then.
        if (!life.Take(*order_[next])) return;
      }
      if (day < kLatest) states_[Index(day)].Add(life.Shown());
    }
    fits_ = true;
  }

  VerifiedCertificate::Verdict VerdictOf(Certificate::State state) const {
    switch (state) {
      case Certificate::STATE_UNSPECIFIED:
        return begins_ ? VerifiedCertificate::NOT_YET_VALID
                       : VerifiedCertificate::VALIDITY_NOT_RECORDED;
      case Certificate::APPLIED:
      case Certificate::IN_EVALUATION:
        return VerifiedCertificate::NOT_YET_VALID;
      case Certificate::ACTIVE:
        return VerifiedCertificate::VALID;
      case Certificate::SUSPENDED:
        return suspension_effect_ == v1::STAYS_VALID
                   ? VerifiedCertificate::VALID_SUSPENDED
                   : VerifiedCertificate::SUSPENDED;
      case Certificate::WITHDRAWN:
        return VerifiedCertificate::WITHDRAWN;
      case Certificate::EXPIRED:
        return VerifiedCertificate::EXPIRED;
      case Certificate::SUPERSEDED:
        return VerifiedCertificate::SUPERSEDED;
      default:
        return VerifiedCertificate::VALIDITY_NOT_RECORDED;
    }
  }

  const bool recorded_;
  const v1::SuspensionEffect suspension_effect_;
  std::vector<Event> events_;
  std::vector<Field> fields_;
  std::array<States, kLatest - kEarliest> states_;
  States met_;  // by successors
  // The steps in their order, in the reading at hand and in the first one.
  std::vector<const Event*> order_;
  std::vector<const Event*> first_order_;
  bool begins_ = false;
  bool fits_ = false;
  bool unclear_ = false;
};

// ---- random certificates ----

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  Certificate Make() {
    Certificate certificate;
    certificate.set_time_zone(kZone);
    certificate.set_recorded_not_decided(!Chance(25));
    if (Chance(50)) certificate.set_suspension_effect(v1::STAYS_VALID);
    recorded_ = certificate.recorded_not_decided();
    std::vector<CertificateStep> life = Lived();
    // Some were missed at first, and are told in whatever order.
    std::vector<CertificateStep> missed;
    for (size_t i = 1; i < life.size();) {
      if (!Chance(12)) {
        ++i;
        continue;
      }
      missed.push_back(life[i]);
      life.erase(life.begin() + static_cast<ptrdiff_t>(i));
    }
    std::shuffle(missed.begin(), missed.end(), random_);
    record_day_ = Pick(20, 80);
    if (recorded_) Blur(&life);
    Record(life, &certificate);
    record_day_ += 1;
    Correct(&certificate);
    record_day_ += 1;
    for (const CertificateStep& step : missed) Add(step, &certificate);
    return certificate;
  }

 private:
  int Pick(int first, int last) {
    return first + static_cast<int>(random_() %
                                    static_cast<unsigned>(last - first + 1));
  }
  bool Chance(int percent) { return Pick(1, 100) <= percent; }

  static Date DateOf(int at) {
    const CivilDay day = kOrigin + at;
    Date date;
    date.set_year(static_cast<int>(day.year()));
    date.set_month(day.month());
    date.set_day(day.day());
    return date;
  }

  CertificateStep::Kind AnyKind() {
    return static_cast<CertificateStep::Kind>(
        Pick(CertificateStep::APPLY, CertificateStep::SUPERSEDE));
  }

  CertificateStep StepOf(CertificateStep::Kind kind, int day) {
    CertificateStep step;
    step.set_kind(kind);
    *step.mutable_effective_date() = DateOf(day);
    if (kind == CertificateStep::ISSUE) {
      if (Chance(30)) {
        step.set_without_expiry(true);
      } else {
        *step.mutable_last_valid_date() = DateOf(Pick(day, kEnd + 1));
      }
    }
    if (kind == CertificateStep::SUSPEND ||
        kind == CertificateStep::EXTEND_SUSPENSION) {
      *step.mutable_suspended_until() = DateOf(Pick(day, kEnd));
    }
    return step;
  }

  // Steps that follow one another, mostly.
  std::vector<CertificateStep> Lived() {
    std::vector<CertificateStep> steps;
    Life life(recorded_);
    int day = Pick(0, 25);
    for (int left = Pick(1, 7); left > 0; --left) {
      CertificateStep::Kind kind = AnyKind();
      if (steps.empty()) {
        if (!recorded_ || Chance(30)) kind = CertificateStep::APPLY;
        if (recorded_ && Chance(60)) kind = CertificateStep::ISSUE;
        // Where a reduced scope alone leaves it is not said.
        if (kind == CertificateStep::REDUCE_SCOPE) {
          kind = CertificateStep::ISSUE;
        }
      } else {
        for (int tries = 12; tries > 0 && !life.Allows(kind); --tries) {
          kind = AnyKind();
        }
        if (!life.Allows(kind) && !Chance(5)) break;
      }
      steps.push_back(StepOf(kind, day));
      Event event{};
      event.kind = kind;
      event.without_expiry = steps.back().without_expiry();
      event.last_recorded = steps.back().has_last_valid_date();
      if (event.last_recorded) {
        event.last_day = DaysOf(steps.back().last_valid_date()).first;
      }
      life.Take(event);
      day = std::min(day + (Chance(20) ? 0 : Pick(1, 22)), kEnd - 1);
      life.Begin(day);
    }
    return steps;
  }

  // Forgets a part of at most two dates.
  void Blur(std::vector<CertificateStep>* steps) {
    int left = Chance(40) ? 0 : Chance(65) ? 1 : 2;
    bool wide = false;
    while (left-- > 0) {
      CertificateStep& step = (*steps)[static_cast<size_t>(
          Pick(0, static_cast<int>(steps->size()) - 1))];
      const bool last = step.has_last_valid_date() && Chance(40);
      Date* date =
          last ? step.mutable_last_valid_date() : step.mutable_effective_date();
      if (date->day() == 0) continue;
      const int day = DaysOf(*date).first;
      date->set_day(0);
      if (wide || Chance(70)) continue;
      wide = true;
      date->set_month(0);
      // A step without any date took place by the day of its record.
      if (Chance(50) || (!last && day > record_day_)) continue;
      last ? step.clear_last_valid_date() : step.clear_effective_date();
    }
  }

  // At half past midnight in kZone.
  void Stamp(CertificateStep* step) const {
    step->mutable_record_time()->set_seconds(
        kFirstMidnight + static_cast<int64_t>(record_day_) * 24 * kHour +
        kHour / 2);
  }

  void Add(CertificateStep step, Certificate* certificate) {
    Stamp(&step);
    *certificate->add_steps() = std::move(step);
  }

  // Some of them wrongly at first.
  void Record(const std::vector<CertificateStep>& steps,
              Certificate* certificate) {
    later_.clear();
    for (const CertificateStep& step : steps) {
      while (Chance(4)) {  // one that never took place
        Add(StepOf(AnyKind(), Pick(0, kEnd - 1)), certificate);
        later_.emplace_back();
        later_.back().set_kind(CertificateStep::CORRECT);
        later_.back().set_corrects(certificate->steps_size());
      }
      if (step.has_effective_date() && Chance(10)) {
        Add(StepOf(AnyKind(), Pick(0, kEnd - 1)), certificate);
        later_.push_back(step);
        later_.back().set_corrects(certificate->steps_size());
      } else {
        Add(step, certificate);
      }
    }
  }

  void Correct(Certificate* certificate) {
    for (CertificateStep& right : later_) {
      if (Chance(20)) {  // with another mistake
        CertificateStep wrong = StepOf(AnyKind(), Pick(0, kEnd - 1));
        wrong.set_corrects(right.corrects());
        Add(wrong, certificate);
        right.set_corrects(certificate->steps_size());
      }
    }
    std::shuffle(later_.begin(), later_.end(), random_);
    for (const CertificateStep& right : later_) Add(right, certificate);
  }

  std::mt19937 random_;
  bool recorded_ = false;
  int record_day_ = 0;
  std::vector<CertificateStep> later_;
};

std::string NamesOf(const States& states) {
  return absl::StrJoin(states.All(), " ",
                       [](std::string* out, Certificate::State state) {
                         absl::StrAppend(out, StateName(state));
                       });
}

constexpr unsigned kSeed = 20261126;

class TimelineProperty : public testing::Test {
 protected:
  void Compare(const Certificate& certificate, const Naive& naive) {
    const Timeline timeline(certificate);
    // "FAILED_PRECONDITION when the standing steps would not fit together".
    ASSERT_EQ(!timeline.FindContradiction().has_value(), naive.fits());
    ++(naive.fits() ? fit_ : unfit_);
    if (!naive.fits()) return;
    const std::vector<CivilDay> changes =
        timeline.ChangesAfter(kOrigin + kEarliest);
    Certificate::State before = timeline.On(kOrigin + kEarliest).state;
    for (int day = kEarliest + 1; day < kLatest; ++day) {
      const CivilDay civil = kOrigin + day;
      const Certificate::State state = timeline.On(civil).state;
      if (state != before) {
        ASSERT_EQ(std::count(changes.begin(), changes.end(), civil), 1)
            << absl::FormatCivilTime(civil);
        before = state;
      }
      if (state == Certificate::UNDETERMINED && naive.OpenOn(day)) continue;
      ASSERT_EQ(StateName(state), StateName(naive.On(day).Agreed()))
          << "on " << absl::FormatCivilTime(civil)
          << "; it is, in its readings: " << NamesOf(naive.On(day));
      ++seen_[static_cast<size_t>(state)];
      if (!naive.MayBeGranted()) continue;
      ASSERT_EQ(
          VerifiedCertificate::Verdict_Name(VerdictOn(certificate, civil)),
          VerifiedCertificate::Verdict_Name(naive.VerdictOn(day)))
          << "on " << absl::FormatCivilTime(civil)
          << "; it is, in its readings: " << NamesOf(naive.On(day));
    }
  }

  int fit_ = 0;
  int unfit_ = 0;
  std::array<int, Certificate::State_ARRAYSIZE> seen_{};
};

TEST_F(TimelineProperty, AgreesWithAllReadingsOnEachDay) {
  Maker maker(kSeed);
  for (int i = 0; i < 2000 && !HasFailure(); ++i) {
    const Certificate certificate = maker.Make();
    const Naive naive(certificate);
    if (naive.unclear()) continue;
    SCOPED_TRACE(absl::StrCat("seed ", kSeed, ", case ", i, ": ",
                              certificate.ShortDebugString()));
    Compare(certificate, naive);
  }
  // The comparison is worth something only when all answers occur.
  EXPECT_GT(fit_, 1500);
  EXPECT_GT(unfit_, 30);
  for (int state = 0; state < Certificate::State_ARRAYSIZE; ++state) {
    EXPECT_GT(seen_.at(static_cast<size_t>(state)), 1000)
        << StateName(static_cast<Certificate::State>(state));
  }
}

}  // namespace
}  // namespace transparency::certification::domain
