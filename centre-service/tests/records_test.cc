#include <string>
#include <vector>

#include "centre-service/domain/centres.h"
#include "centre-service/domain/visitors.h"
#include "centre-service/tests/centre_town.h"
#include "common/status/status.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::centre::domain {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Fields(const absl::Status& refusal) {
  google::rpc::BadRequest bad;
  status::FindDetail(refusal, &bad);
  std::vector<std::string> fields;
  for (const auto& violation : bad.field_violations()) {
    fields.push_back(violation.field());
  }
  return fields;
}

class Records : public ::testing::Test {
 protected:
  std::vector<std::string> Wrong(v1::Centre centre) {
    return Fields(CheckCentre(town_.view(), nullptr, &centre, town_.now()));
  }
  std::vector<std::string> Wrong(v1::Space space) {
    return Fields(CheckSpace(town_.view(), nullptr, &space, town_.now()));
  }
  std::string ReasonOf(const v1::Visitor* before, v1::Visitor after) {
    return status::Reason(
        CheckVisitor(town_.view(), before, &after, town_.now()));
  }

  Town town_;
};

TEST_F(Records, ACentreThatMakesSenseIsTaken) {
  EXPECT_THAT(Wrong(town_.centre()), IsEmpty());
}

TEST_F(Records, ACentreIsRefusedWithEveryFieldThatIsWrong) {
  v1::Centre centre = town_.centre();
  centre.set_time_zone("Europe/Bruxelles");
  centre.mutable_opened_on()->set_month(2);
  centre.mutable_opened_on()->set_day(30);
  centre.add_functions(v1::Centre::SECURITY_SHOWCASE);
  centre.add_functions(v1::Centre::SECURITY_SHOWCASE);
  auto* policy = centre.mutable_booking_policy();
  policy->mutable_hold_time()->set_seconds(0);
  policy->mutable_longest_stay()->set_seconds(32 * 86400);
  policy->mutable_minimum_notice()->set_seconds(-1);
  policy->set_party_limit(-1);
  policy->add_approval_required_for(v1::Booking::SOURCE_REVIEW);
  EXPECT_THAT(
      Wrong(centre),
      ElementsAre("centre.time_zone", "centre.opened_on", "centre.functions[1]",
                  "centre.booking_policy.minimum_notice",
                  "centre.booking_policy.longest_stay",
                  "centre.booking_policy.hold_time",
                  "centre.booking_policy.party_limit",
                  "centre.booking_policy.approval_required_for[1]"));
}

TEST_F(Records, ADateWithoutItsDayIsNoOpening) {
  v1::Centre centre = town_.centre();
  centre.mutable_opened_on()->clear_day();
  EXPECT_THAT(Wrong(centre), ElementsAre("centre.opened_on"));
}

TEST_F(Records, ASpaceIsRefusedWithEveryFieldThatIsWrong) {
  v1::Space space;
  space.add_equipment("Beamer");
  space.add_equipment("projector");
  space.add_equipment("projector");
  space.add_purposes(v1::Booking::SHOWCASE);
  space.add_purposes(v1::Booking::SHOWCASE);
  space.mutable_set_up_time()->set_seconds(30);
  space.mutable_clear_down_time()->set_seconds(86460);
  EXPECT_THAT(Wrong(space),
              ElementsAre("space.category", "space.occupancy", "space.capacity",
                          "space.equipment[0]", "space.equipment[2]",
                          "space.purposes[1]", "space.set_up_time",
                          "space.clear_down_time"));
}

TEST_F(Records, ASpaceKeepsTheCapacityThatItsBookingsNeed) {
  town_.Booked(Town::kHall, From("2026-03-04T10:00:00", "2026-03-04T12:00:00"),
               8);
  town_.Booked(Town::kHall, From("2026-03-04T11:00:00", "2026-03-04T13:00:00"),
               5);
  const v1::Space before = town_.space(Town::kHall);
  v1::Space after = before;
  after.set_capacity(13);
  EXPECT_EQ(CheckSpace(town_.view(), &before, &after, town_.now()),
            absl::OkStatus());
  after.set_capacity(12);
  EXPECT_EQ(
      status::Reason(CheckSpace(town_.view(), &before, &after, town_.now())),
      "SPACE_IN_USE");
  town_.MoveTo(At("2026-03-05T00:00:00"));
  EXPECT_EQ(CheckSpace(town_.view(), &before, &after, town_.now()),
            absl::OkStatus());
}

TEST_F(Records, ASpaceKeepsTheCapacityThatItHadForWhoeverIsStillThere) {
  // The first party leaves at 12:00, the second is there until 14:00.
  for (const auto& stay :
       {From("2026-03-04T09:00:00", "2026-03-04T12:00:00"),
        From("2026-03-04T11:00:00", "2026-03-04T14:00:00")}) {
    town_.Booked(Town::kHall, stay, 10, v1::Booking::CHECKED_IN);
  }
  const v1::Space before = town_.space(Town::kHall);
  v1::Space after = before;
  after.set_capacity(19);
  town_.MoveTo(At("2026-03-04T13:00:00"));
  EXPECT_EQ(
      status::Reason(CheckSpace(town_.view(), &before, &after, town_.now())),
      "SPACE_IN_USE");
  town_.MoveTo(At("2026-03-04T14:00:00"));
  EXPECT_EQ(CheckSpace(town_.view(), &before, &after, town_.now()),
            absl::OkStatus());
}

TEST_F(Records, AVisitorIsOfTheOwnerOfTheBooking) {
  const v1::Booking booking = town_.Booked(
      Town::kRoom, From("2026-03-04T10:00:00", "2026-03-04T11:00:00"));
  v1::Visitor visitor;
  visitor.set_name(booking.name() + "/visitors/v1");
  visitor.set_category(v1::Party::MEDIA);
  visitor.set_owner("mallory");
  EXPECT_EQ(CheckVisitor(town_.view(), nullptr, &visitor, town_.now()),
            absl::OkStatus());
  EXPECT_EQ(visitor.owner(), "alice");
}

TEST_F(Records, VisitorsAreNoMoreThanTheParty) {
  const v1::Booking booking = town_.Booked(
      Town::kRoom, From("2026-03-04T10:00:00", "2026-03-04T11:00:00"), 2);
  v1::Visitor visitor;
  visitor.set_category(v1::Party::CUSTOMER);
  for (const char* id : {"/visitors/v1", "/visitors/v2"}) {
    visitor.set_name(booking.name() + id);
    EXPECT_EQ(ReasonOf(nullptr, visitor), "");
    town_.Put(visitor);
  }
  visitor.set_name(booking.name() + "/visitors/v3");
  EXPECT_EQ(ReasonOf(nullptr, visitor), "PARTY_FULL");
  v1::Booking smaller = booking;
  smaller.mutable_party()->set_size(1);
  EXPECT_EQ(status::Reason(
                CheckBooking(town_.view(), &booking, &smaller, town_.now())),
            "PARTY_TOO_SMALL");
}

TEST_F(Records, AVisitorNeedsABookingThatIsNotOver) {
  const v1::Booking booking = town_.Booked(
      Town::kRoom, From("2026-03-04T10:00:00", "2026-03-04T11:00:00"), 2,
      v1::Booking::CANCELLED);
  v1::Visitor visitor;
  visitor.set_name(booking.name() + "/visitors/v1");
  EXPECT_EQ(ReasonOf(nullptr, visitor), "INVALID_FIELDS");
  visitor.set_category(v1::Party::CUSTOMER);
  EXPECT_EQ(ReasonOf(nullptr, visitor), "BOOKING_OVER");
  visitor.set_name("centres/brussels/bookings/none/visitors/v1");
  EXPECT_EQ(ReasonOf(nullptr, visitor), "RESOURCE_NOT_FOUND");
}

TEST_F(Records, AnErasedVisitorStaysErased) {
  v1::Visitor visitor;
  visitor.set_category(v1::Party::CUSTOMER);
  *visitor.mutable_erase_time() = ToTimestamp(town_.now());
  v1::Visitor after = visitor;
  after.set_display_name("Again");
  EXPECT_EQ(ReasonOf(&visitor, after), "VISITOR_ERASED");
}

}  // namespace
}  // namespace transparency::centre::domain
