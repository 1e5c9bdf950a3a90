#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "standards-service/domain/membership.h"
#include "standards-service/domain/participation.h"
#include "standards-service/tests/fixture.h"

// Random memberships around a turn of the year, as of every day of it, against
// the contract's words carried out for all readings of their periods.
namespace transparency::standards {
namespace {

using absl::CivilDay;
using google::protobuf::util::MessageDifferencer;
using type::v1::Period;
using v1::Membership;
using v1::Organization;
using v1::Participation;

constexpr unsigned kSeed = 20261126;

// The days that are asked for. What lies outside of them need not be told
// apart, so that one day before and one after stand for all others.
constexpr CivilDay kFirst(2019, 11, 20);
constexpr int kDays = 90;

// ---- all readings ----

// Whether a membership was in force on each of the days.
class Naive {
 public:
  enum Answer { kYes, kNo, kOpen };

  explicit Naive(const Membership& membership) {
    const Period& period = membership.period();
    const Range from = period.has_from() ? DaysOf(period.from()) : kAll;
    Range until = period.has_until() ? DaysOf(period.until()) : kAll;
    if (period.open_ended()) until = {kAfter, kAfter};
    for (int first = from.first; first <= from.last; ++first) {
      for (int last = std::max(first, until.first); last <= until.last;
           ++last) {
        ++readings_;
        begins_.at(Index(first)) += 1;
        ends_.at(Index(last)) += 1;
      }
    }
    for (const google::type::Date& date : period.attested_on()) {
      attested_.push_back(DaysOf(date).first);
    }
    applied_only_ = !period.has_from() && !period.has_until() &&
                    !period.open_ended() && period.attested_on().empty();
    ending_ = membership.ending();
  }

  Answer On(int day) const {
    if (applied_only_) return kNo;
    const int inside = Begun(day) - Ended(day);
    const bool attested =
        std::count(attested_.begin(), attested_.end(), day) > 0;
    if (attested || inside == readings_) return kYes;
    return inside == 0 ? kNo : kOpen;
  }

  Membership::State StateOn(int day) const {
    const Answer answer = On(day);
    if (answer == kYes) return Membership::ACTIVE;
    if (answer == kOpen) return Membership::UNDETERMINED;
    if (applied_only_ || Begun(day) == 0) return Membership::APPLIED;
    if (ending_ == Membership::NOT_RENEWED) return Membership::LAPSED;
    return ending_ == Membership::RESIGNED ? Membership::LEFT
                                           : Membership::ENDED;
  }

 private:
  struct Range {
    int first;
    int last;
  };
  static constexpr int kBefore = -1;
  static constexpr int kAfter = kDays;
  static constexpr Range kAll{kBefore, kAfter};

  static size_t Index(int day) { return static_cast<size_t>(day - kBefore); }
  // The days that a date can mean.
  static Range DaysOf(const google::type::Date& date) {
    const auto at = [](int year, int month, int day) {
      const CivilDay civil(year, month, day);
      return static_cast<int>(
          std::clamp<absl::civil_diff_t>(civil - kFirst, kBefore, kAfter));
    };
    const int year = date.year();
    if (date.month() == 0) return {at(year, 1, 1), at(year, 12, 31)};
    // The day before the first of a month is the last of the month before.
    if (date.day() == 0) {
      return {at(year, date.month(), 1), at(year, date.month() + 1, 0)};
    }
    const int day = at(year, date.month(), date.day());
    return {day, day};
  }

  // How many readings have begun by a day, and ended before it.
  int Begun(int day) const {
    int begun = 0;
    for (int d = kBefore; d <= day; ++d) begun += begins_.at(Index(d));
    return begun;
  }
  int Ended(int day) const {
    int ended = 0;
    for (int d = kBefore; d < day; ++d) ended += ends_.at(Index(d));
    return ended;
  }

  int readings_ = 0;
  std::array<int, kDays + 2> begins_{};
  std::array<int, kDays + 2> ends_{};
  std::vector<int> attested_;
  bool applied_only_ = false;
  Membership::Ending ending_ = Membership::ENDING_UNSPECIFIED;
};

struct Member {
  Membership membership;
  Naive naive;
};
struct Body {
  Organization::Kind kind;
  std::vector<Member> members;
};

std::string Text(const std::vector<Body>& bodies) {
  std::string text;
  for (const Body& body : bodies) {
    absl::StrAppend(&text, Organization::Kind_Name(body.kind), "\n");
    for (const Member& member : body.members) {
      absl::StrAppend(&text, "  ", member.membership.ShortDebugString(), "\n");
    }
  }
  return text;
}

Participation NaiveCount(const std::vector<Body>& bodies, int day) {
  Participation result;
  const CivilDay as_of = kFirst + day;
  *result.mutable_as_of() =
      Date(static_cast<int>(as_of.year()), as_of.month(), as_of.day());
  // The kinds in their order, the one that is not recorded last.
  std::vector<int> kinds;
  for (int kind = 1; kind <= Organization::Kind_MAX; ++kind) {
    kinds.push_back(kind);
  }
  kinds.push_back(Organization::KIND_UNSPECIFIED);
  Participation::KindCount total;
  for (int kind : kinds) {
    Participation::KindCount count;
    for (const Body& body : bodies) {
      if (body.kind != kind) continue;
      int active = 0;
      int open = 0;
      for (const Member& member : body.members) {
        active += member.naive.On(day) == Naive::kYes ? 1 : 0;
        open += member.naive.On(day) == Naive::kOpen ? 1 : 0;
      }
      for (Participation::KindCount* sum : {&count, &total}) {
        sum->set_active_memberships(sum->active_memberships() + active);
        sum->set_undetermined_memberships(sum->undetermined_memberships() +
                                          open);
        if (active > 0) {
          sum->set_active_organizations(sum->active_organizations() + 1);
        } else if (open > 0) {
          sum->set_undetermined_organizations(
              sum->undetermined_organizations() + 1);
        }
      }
    }
    if (count.ByteSizeLong() == 0) continue;
    count.set_kind(static_cast<Organization::Kind>(kind));
    *result.add_kinds() = count;
  }
  *result.mutable_total() = total;
  return result;
}

// ---- random memberships ----

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  std::vector<Body> Bodies() {
    std::vector<Body> bodies;
    for (int left = Pick(0, 6); left > 0; --left) {
      Body body{static_cast<Organization::Kind>(
                    Pick(Organization::Kind_MIN, Organization::Kind_MAX)),
                {}};
      for (int more = Pick(0, 3); more > 0; --more) {
        const Membership membership = OneMembership();
        body.members.push_back({membership, Naive(membership)});
      }
      bodies.push_back(std::move(body));
    }
    return bodies;
  }

 private:
  int Pick(int first, int last) {
    return first + static_cast<int>(random_() %
                                    static_cast<unsigned>(last - first + 1));
  }
  bool Chance(int percent) { return Pick(1, 100) <= percent; }

  google::type::Date DateOf(int at) const {
    const CivilDay day = kFirst + at;
    return Date(static_cast<int>(day.year()), day.month(), day.day());
  }
  // With the precision of a day, a month or a year.
  google::type::Date Known(int at) {
    google::type::Date date = DateOf(at);
    if (Chance(50)) return date;
    date.set_day(0);
    if (Chance(30)) date.set_month(0);
    return date;
  }

  // One that could have been recorded: it truly held from `first` to `last`.
  Membership OneMembership() {
    Membership membership;
    if (Chance(70)) *membership.mutable_application_date() = DateOf(Pick(0, 5));
    // What is computed from the rest as of another day.
    membership.set_state(static_cast<Membership::State>(
        Pick(Membership::State_MIN, Membership::State_MAX)));
    if (Chance(7)) return membership;
    const int first = Pick(1, kDays - 2);
    const int last = Pick(first, kDays - 2);
    Period* period = membership.mutable_period();
    if (Chance(80)) *period->mutable_from() = Known(first);
    const int end = Pick(0, 9);
    if (end < 5) {
      *period->mutable_until() = Known(last);
      membership.set_ending(static_cast<Membership::Ending>(
          Pick(Membership::Ending_MIN, Membership::Ending_MAX)));
    } else if (end < 8) {
      period->set_open_ended(true);
    }
    if (Chance(40)) {
      for (int left = Pick(1, 2); left > 0; --left) {
        *period->add_attested_on() = DateOf(Pick(first, last));
      }
    }
    return membership;
  }

  std::mt19937 random_;
};

Participation CountOn(const std::vector<Body>& bodies, int day) {
  domain::ParticipationCount count(kFirst + day);
  for (const Body& body : bodies) {
    for (const Member& member : body.members) count.Add(member.membership);
    count.EndOrganization(body.kind);
  }
  return count.Result();
}

TEST(ParticipationProperty, AgreesWithAllReadingsOnEachDay) {
  Maker maker(kSeed);
  int active = 0;
  int open = 0;
  int neither = 0;
  for (int i = 0; i < 600; ++i) {
    const std::vector<Body> bodies = maker.Bodies();
    for (int day = i % 3; day < kDays; day += 3) {
      const Participation expected = NaiveCount(bodies, day);
      const Participation counted = CountOn(bodies, day);
      ASSERT_TRUE(MessageDifferencer::Equals(counted, expected))
          << "seed " << kSeed << ", case " << i << "\n"
          << counted.DebugString() << "instead of\n"
          << expected.DebugString() << "of\n"
          << Text(bodies);
      active += expected.total().active_organizations();
      open += expected.total().undetermined_organizations();
      neither += static_cast<int>(bodies.size()) -
                 expected.total().active_organizations() -
                 expected.total().undetermined_organizations();
    }
  }
  // The comparison is worth something only when all answers occur.
  EXPECT_GT(active, 3000);
  EXPECT_GT(open, 3000);
  EXPECT_GT(neither, 3000);
}

TEST(ParticipationProperty, StatesAgreeWithAllReadingsOnEachDay) {
  Maker maker(kSeed + 1);
  const auto rules = domain::MembershipRules();
  std::map<Membership::State, int> seen;
  for (int i = 0; i < 100; ++i) {
    for (const Body& body : maker.Bodies()) {
      for (const Member& member : body.members) {
        absl::Time change = absl::InfinitePast();
        for (int day = 0; day < kDays; ++day) {
          const absl::Time begin =
              absl::FromCivil(kFirst + day, absl::UTCTimeZone());
          const Membership::State expected = member.naive.StateOn(day);
          // Until the announced change it stays what it was.
          if (day > 0 && begin < change) {
            ASSERT_EQ(expected, member.naive.StateOn(day - 1))
                << "seed " << kSeed + 1 << ", case " << i << ", before "
                << absl::FormatCivilTime(kFirst + day) << ": "
                << member.membership.ShortDebugString();
          }
          Membership effective = member.membership;
          change = rules.effective(&effective, begin);
          ASSERT_EQ(effective.state(), expected)
              << "seed " << kSeed + 1 << ", case " << i << ", on "
              << absl::FormatCivilTime(kFirst + day) << ": "
              << member.membership.ShortDebugString();
          ++seen[expected];
        }
      }
    }
  }
  // One of each at least: all but STATE_UNSPECIFIED.
  EXPECT_EQ(seen.size(), Membership::State_MAX);
}

}  // namespace
}  // namespace transparency::standards
