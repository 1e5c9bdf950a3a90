// Searching this service's records, and what happened to them when.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "centre-service/tests/centre_service_fixture.h"
#include "common/base/civil.h"

namespace transparency::centre {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Discovery : public CentreServiceTest {
 protected:
  std::vector<std::string> Found(const std::string& query,
                                 absl::string_view token) {
    type::v1::SearchResourcesRequest request;
    request.set_query(query);
    const auto page = running_.Call<type::v1::SearchResourcesResponse>(
        token, "SearchResources", request);
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<std::string> names;
    for (const auto& hit : page->hits()) names.push_back(hit.name());
    return names;
  }

  std::vector<std::string> Told(absl::string_view token) {
    const auto page = running_.Call<type::v1::ListEventsResponse>(
        token, "ListEvents", type::v1::ListEventsRequest());
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<std::string> told;
    for (const auto& event : page->events()) {
      told.push_back(absl::StrCat(civil::DateText(event.date()), " ",
                                  event.label(), " ", event.name()));
    }
    return told;
  }
};

TEST_F(Discovery, FindsPeopleForWhoMaySeeThemUntilTheyAreErased) {
  const std::string booking = Book(kAlice, Wish(9, 10)).name();
  const std::string visitor = AddVisitor(kAlice, booking).name();
  const std::string full = absl::StrCat("//centre.transparency/", visitor);
  for (const char* query : {"zaphod", "heartofgold", "zaphod@unmistakable"}) {
    EXPECT_THAT(Found(query, kAlice), ElementsAre(full)) << query;
    EXPECT_THAT(Found(query, kDesk), ElementsAre(full)) << query;
    EXPECT_THAT(Found(query, kBob), IsEmpty()) << query;
    EXPECT_THAT(Found(query, kPublic), IsEmpty()) << query;
  }
  v1::EraseVisitorRequest erase;
  erase.set_name(visitor);
  EXPECT_EQ(Reason<v1::Visitor>(kDesk, "EraseVisitor", erase), "");
  EXPECT_THAT(Found("zaphod", kDesk), IsEmpty());
}

TEST_F(Discovery, FindsWhatEverybodySees) {
  EXPECT_THAT(Found("room", kPublic),
              ElementsAre(absl::StrCat("//centre.transparency/", kRoom)));
  EXPECT_THAT(Found("brussels", kPublic),
              ElementsAre(absl::StrCat("//centre.transparency/", kCentre)));
}

TEST_F(Discovery, TellsVisitsToTheirOwnersAndStaffOnceTheyAreConfirmed) {
  const std::string booking = Book(kAlice, Wish(9, 10)).name();
  EXPECT_THAT(Told(kAlice), IsEmpty());
  v1::RequestBookingRequest request;
  request.set_name(booking);
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "RequestBooking", request), "");
  const std::string visit =
      absl::StrCat("2026-03-04 VISIT //centre.transparency/", booking);
  EXPECT_THAT(Told(kAlice), ElementsAre(visit));
  EXPECT_THAT(Told(kDesk), ElementsAre(visit));
  EXPECT_THAT(Told(kBob), IsEmpty());
  EXPECT_THAT(Told(kPublic), IsEmpty());
  v1::CancelBookingRequest cancel;
  cancel.set_name(booking);
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "CancelBooking", cancel), "");
  EXPECT_THAT(Told(kAlice), IsEmpty());
}

TEST_F(Discovery, TellsWhenACentreOpened) {
  v1::UpdateCentreRequest update;
  update.mutable_centre()->set_name(kCentre);
  *update.mutable_centre()->mutable_opened_on() =
      Parse<google::type::Date>("year: 2019 month: 3 day: 5");
  update.mutable_update_mask()->add_paths("opened_on");
  EXPECT_EQ(Reason<v1::Centre>(kDesk, "UpdateCentre", update), "");
  EXPECT_THAT(Told(kPublic),
              ElementsAre(absl::StrCat(
                  "2019-03-05 OPENED //centre.transparency/", kCentre)));
}

}  // namespace
}  // namespace transparency::centre
