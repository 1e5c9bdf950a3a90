#include "common/methods/events.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/civil.h"
#include "common/methods/standard_delete.h"
#include "common/methods/tests/library_desk.h"
#include "common/resource/list_page.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"

namespace transparency::methods {
namespace {

using library::v1::Book;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using type::v1::Event;
using type::v1::ListEventsRequest;
using type::v1::ListEventsResponse;

ListEventsRequest Parse(const std::string& text) {
  ListEventsRequest request;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request));
  return request;
}

class EventsTest : public LibraryDesk {
 protected:
  EventsTest() : lister_(*EventLister::Make(view().catalogue())) {}

  absl::StatusOr<ListEventsResponse> List(
      const ListEventsRequest& request, const Caller& caller = the_public,
      absl::Time deadline = absl::InfiniteFuture()) {
    rpc::Arrival arrival;
    arrival.method = "/library.Library/ListEvents";
    arrival.caller = std::make_shared<const Caller>(caller);
    arrival.deadline = deadline;
    return lister_->List(view(), rpc::Call(std::move(arrival)), request);
  }

  static std::string Told(const Event& event) {
    const std::string id = event.name().substr(event.name().rfind('/') + 1);
    return absl::StrCat(civil::DateText(event.date()), " ", event.label(), " ",
                        id, ".", event.field());
  }

  // "1851-10-18 PUBLISHED moby.published", the newest first.
  std::vector<std::string> Events(const std::string& request = "",
                                  const Caller& caller = the_public) {
    auto page = List(Parse(request), caller);
    EXPECT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(page->next_page_token(), "");
    std::vector<std::string> told;
    for (const Event& event : page->events()) told.push_back(Told(event));
    return told;
  }

  // A book from its text form.
  void PutBook(const std::string& id, const std::string& text) {
    Book book;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &book))
        << text;
    book.set_name(absl::StrCat(kShelf, "/books/", id));
    Put(book);
  }

  const std::shared_ptr<const EventLister> lister_;
};

TEST_F(EventsTest, AreTheAnnotatedDatesAtAnyDepthTheNewestFirst) {
  PutBook("a", R"(
    title: "A book"
    published { year: 1851 month: 10 day: 18 }
    in_print { from { year: 1851 month: 10 day: 19 } until { year: 1890 } }
    chapters { written { year: 1850 month: 3 } }
    chapters { parts { written { year: 1850 month: 4 day: 1 } } }
  )");
  EXPECT_THAT(Events(),
              ElementsAre("1890 LAST_PRINTED a.in_print.until",
                          "1851-10-19 PRINTED a.in_print.from",
                          "1851-10-18 PUBLISHED a.published",
                          "1850-04-01 WRITTEN a.chapters[1].parts[0].written",
                          "1850-03 WRITTEN a.chapters[0].written"));
  const Event event = List(Parse("page_size: 1"))->events(0);
  EXPECT_EQ(event.name(), "//library.transparency/shelves/north/books/a");
  EXPECT_EQ(event.resource_type(), "library.transparency/Book");
  EXPECT_EQ(event.title(), "A book");
}

TEST_F(EventsTest, AreNotMadeUp) {
  PutBook("none", "title: \"x\"");
  PutBook("open", R"(
    in_print { open_ended: true attested_on { year: 1900 month: 1 day: 1 } }
    published {}
    chapters { written { year: 1850 month: 13 } }
  )");
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(EventsTest, BearTheValueOfTheirLabelField) {
  PutBook("a", R"(
    turns { state: OUT day { year: 2001 } }
    turns { state: GONE day { year: 2002 } }
    turns { day { year: 2003 } }
    turns { state: GONE day { year: 2004 } undone: true }
    turns { state: GONE }
  )");
  EXPECT_THAT(Events(), ElementsAre("2002 GONE a.turns[1].day",
                                    "2001 OUT a.turns[0].day"));
}

TEST_F(EventsTest, OfAnInstantStandOnItsDayInUtcWhereTheConditionHolds) {
  // 2023-11-14T22:13:20Z.
  PutBook("lent", "lent: true lent_time { seconds: 1700000000 }");
  PutBook("back", "lent_time { seconds: 1700000000 }");
  EXPECT_THAT(Events(), ElementsAre("2023-11-14 LENT lent.lent_time"));
}

TEST_F(EventsTest, BelongToEveryPeriodThatOneOfTheirDaysIsIn) {
  PutBook("y", "published { year: 2019 }");
  PutBook("m", "published { year: 2019 month: 6 }");
  PutBook("d", "published { year: 2019 month: 6 day: 15 }");
  const auto in = [&](int from_month, int from_day, int to_month, int to_day) {
    return Events(absl::StrCat("from_date { year: 2019 month: ", from_month,
                               " day: ", from_day,
                               " } until_date { year: 2019 month: ", to_month,
                               " day: ", to_day, " }"));
  };
  const std::string year = "2019 PUBLISHED y.published";
  const std::string month = "2019-06 PUBLISHED m.published";
  const std::string day = "2019-06-15 PUBLISHED d.published";
  EXPECT_THAT(in(6, 15, 6, 15), ElementsAre(day, month, year));
  EXPECT_THAT(in(6, 16, 12, 31), ElementsAre(month, year));
  EXPECT_THAT(in(1, 1, 5, 31), ElementsAre(year));
  EXPECT_THAT(Events("from_date { year: 2019 month: 6 day: 15 }"),
              ElementsAre(day, month, year));
  EXPECT_THAT(Events("until_date { year: 2019 month: 6 day: 14 }"),
              ElementsAre(month, year));
  EXPECT_THAT(Events("from_date { year: 2020 month: 1 day: 1 }"), IsEmpty());
  EXPECT_THAT(Events("until_date { year: 2018 month: 12 day: 31 }"), IsEmpty());
}

TEST_F(EventsTest, OfOneDayComeByNameThoseOfAResourceByField) {
  PutBook("b", "published { year: 2019 month: 1 day: 1 }");
  std::string turns;
  for (int i = 0; i < 11; ++i) {
    absl::StrAppend(&turns, "turns { state: OUT day { year: 2019 } } ");
  }
  PutBook("a", turns);
  const auto told = Events();
  ASSERT_EQ(told.size(), 12u);
  EXPECT_EQ(told[2], "2019 OUT a.turns[2].day");
  EXPECT_EQ(told[10], "2019 OUT a.turns[10].day");
  EXPECT_EQ(told[11], "2019-01-01 PUBLISHED b.published");
}

TEST_F(EventsTest, SeeWhatTheCallerSees) {
  PutBook("draft", "state: DRAFT owner: \"ishmael\" published { year: 2019 }");
  EXPECT_THAT(Events(), IsEmpty());
  EXPECT_THAT(Events("", Caller{"ahab", {}}), IsEmpty());
  EXPECT_EQ(Events("", the_owner).size(), 1u);
  EXPECT_EQ(Events("", the_staff).size(), 1u);
  library::v1::DeleteRequest request;
  request.set_name(absl::StrCat(kShelf, "/books/draft"));
  ASSERT_TRUE(Do<Book>(Delete, request).ok());
  EXPECT_THAT(Events("", the_staff), IsEmpty());
}

TEST_F(EventsTest, NarrowToTheTypesAskedFor) {
  PutBook("a", "published { year: 2019 }");
  EXPECT_THAT(Events("types: \"library.transparency/Shelf\""), IsEmpty());
  EXPECT_EQ(Events("types: \"library.transparency/Book\"").size(), 1u);
  EXPECT_THAT(std::string(List(Parse("types: \"Book\"")).status().message()),
              HasSubstr("types[0]"));
}

TEST_F(EventsTest, PagesHoldEveryEventOnceWhateverChangesBetweenThem) {
  for (int i = 0; i < 6; ++i) {
    PutBook(absl::StrCat("b", i), R"(
      published { year: 2019 month: 3 day: 5 }
      turns { state: OUT day { year: 2019 month: 3 day: 5 } }
      turns { state: GONE day { year: 2019 month: 3 } }
      chapters { written { year: 2018 } }
    )");
  }
  std::vector<std::string> told;
  ListEventsRequest request;
  for (int page_number = 0; page_number < 10; ++page_number) {
    request.set_page_size(1 + page_number);
    auto page = List(request);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const Event& event : page->events()) told.push_back(Told(event));
    if (page->next_page_token().empty()) break;
    request.set_page_token(page->next_page_token());
    PutBook(absl::StrCat("a", page_number), "published { year: 2020 }");
  }
  ASSERT_EQ(told.size(), 24u);
  EXPECT_EQ(std::set<std::string>(told.begin(), told.end()).size(), 24u);
}

TEST_F(EventsTest, GoOnBehindAPlaceThatNeedNotBeThere) {
  PutBook("a", "published { year: 2019 month: 3 day: 5 }");
  PutBook("c", "published { year: 2019 month: 3 day: 5 }");
  PutBook("z", "published { year: 2019 month: 3 day: 4 }");
  const auto behind = [&](const std::string& date, const std::string& name) {
    return Events(absl::StrCat("start_after { date { ", date, " } name: \"",
                               name, "\" }"));
  };
  const std::string books = "//library.transparency/shelves/north/books/";
  EXPECT_EQ(behind("year: 2019 month: 3 day: 5", books + "b").size(), 2u);
  EXPECT_EQ(behind("year: 2019 month: 3 day: 5", books + "d").size(), 1u);
  EXPECT_EQ(behind("year: 2019 month: 3 day: 5", "//a/b/c").size(), 3u);
  EXPECT_EQ(behind("year: 2019 month: 3 day: 5", "//z/b/c").size(), 1u);
  // A date that is known in part stands where its first day does.
  EXPECT_EQ(behind("year: 2019", "//a/b/c").size(), 0u);
  EXPECT_EQ(behind("year: 2020", "//a/b/c").size(), 3u);
}

TEST_F(EventsTest, RefuseWhatCannotBe) {
  PutBook("a", "published { year: 2019 }");
  PutBook("b", "published { year: 2019 }");
  const auto outcome = [&](const std::string& request,
                           const Caller& caller = the_public) {
    return Outcome(List(Parse(request), caller).status());
  };
  EXPECT_EQ(outcome("from_date { year: 2019 }"),
            "INVALID_ARGUMENT INVALID_FIELDS");
  EXPECT_EQ(outcome("until_date { year: 2019 month: 2 day: 30 }"),
            "INVALID_ARGUMENT INVALID_FIELDS");
  const absl::Status backwards =
      List(Parse("from_date { year: 2019 month: 2 day: 2 } "
                 "until_date { year: 2019 month: 2 day: 1 }"))
          .status();
  EXPECT_THAT(std::string(backwards.message()),
              HasSubstr("until_date: is before from_date"));
  EXPECT_EQ(outcome("page_size: -1"), "INVALID_ARGUMENT INVALID_FIELDS");
  const std::string token = List(Parse("page_size: 1"))->next_page_token();
  ASSERT_NE(token, "");
  const std::string going_on = absl::StrCat("page_token: \"", token, "\"");
  EXPECT_EQ(outcome(going_on), "OK");
  EXPECT_EQ(outcome(going_on, the_staff),
            "INVALID_ARGUMENT PAGE_TOKEN_INVALID");
  EXPECT_EQ(outcome(going_on + " until_date { year: 2019 month: 2 day: 1 }"),
            "INVALID_ARGUMENT PAGE_TOKEN_INVALID");
  EXPECT_EQ(outcome(going_on +
                    " start_after { date { year: 2019 } name: \"//x/y/z\" }"),
            "INVALID_ARGUMENT INVALID_FIELDS");
}

TEST_F(EventsTest, StopWhenNobodyWaitsForTheAnswer) {
  for (int i = 0; i < query::QueryBudget::kCheckEvery; ++i) {
    PutBook(absl::StrCat("w", i), "published { year: 2019 }");
  }
  EXPECT_EQ(Outcome(List({}, the_public, absl::Now()).status()),
            "DEADLINE_EXCEEDED DEADLINE_PASSED");
}

}  // namespace
}  // namespace transparency::methods
