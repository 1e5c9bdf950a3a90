#include "common/resource/list_page.h"

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/query/page_token.h"
#include "common/resource/tests/library_catalogue.h"
#include "common/status/status.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace transparency::resource {
namespace {

using library::v1::Book;
using testing::ElementsAre;
using testing::IsEmpty;

const Caller the_public;
const Caller the_staff{"clerk", {"staff"}};

absl::Status Wanted() { return absl::OkStatus(); }

class ListPageTest : public testing::Test {
 protected:
  ListPageTest()
      : catalogue_(LibraryCatalogue()),
        kind_(*catalogue_->ByDescriptor(Book::descriptor())),
        snapshot_(catalogue_.get()) {}

  void Put(const std::vector<Book>& books) {
    SnapshotBuilder builder(snapshot_);
    for (const Book& book : books) builder.Put(MakeItem(kind_, book));
    snapshot_ = std::move(builder).Build();
  }
  static Book Named(const std::string& shelf, const std::string& id) {
    Book book;
    book.set_name(absl::StrCat("shelves/", shelf, "/books/", id));
    book.set_title(id);
    return book;
  }

  struct Page {
    absl::Status status;
    std::vector<std::string> ids;
    std::string next;
    absl::optional<int64_t> count;
  };
  struct Query {
    std::string parent = "shelves/-";
    std::string filter = "";
    std::string order = "";
    int size = 0;
    bool deleted = false;
    bool count = false;
    Caller caller = the_public;
    std::vector<std::string> more = {};
  };

  Page Run(const Query& query, const std::string& token = "",
           const std::function<absl::Status()>& wanted = Wanted) {
    query::QueryBudget budget(query::QueryLimits(), wanted);
    return Run(query, token, &budget);
  }
  Page Run(const Query& query, const std::string& token,
           query::QueryBudget* budget) {
    const Form form(kind_, query.caller);
    Page page;
    auto next =
        ListPage({.snapshot = snapshot_,
                  .kind = kind_,
                  .form = form,
                  .method = "ListBooks",
                  .parent = query.parent,
                  .filter = query.filter,
                  .order_by = query.order,
                  .page_size = query.size,
                  .page_token = token,
                  .show_deleted = query.deleted,
                  .total_size = query.count,
                  .more = query.more},
                 budget, [&](const Item& item, const std::string& bytes) {
                   Book book;
                   EXPECT_TRUE(book.ParseFromString(bytes));
                   EXPECT_EQ(book.name(), item.name());
                   page.ids.push_back(book.title());
                 });
    page.status = next.status();
    if (next.ok()) {
      page.next = next->next_page_token;
      page.count = next->total_size;
    }
    return page;
  }

  absl::StatusOr<int64_t> Count(
      Query query, const std::function<absl::Status()>& wanted = Wanted) {
    query.count = true;
    const Page page = Run(query, "", wanted);
    if (!page.status.ok()) return page.status;
    return page.count.value();
  }

  // All pages, one after another.
  std::vector<std::string> All(const Query& query) {
    std::vector<std::string> all;
    std::string token;
    do {
      const Page page = Run(query, token);
      EXPECT_TRUE(page.status.ok()) << page.status;
      if (!page.status.ok()) break;
      all.insert(all.end(), page.ids.begin(), page.ids.end());
      token = page.next;
    } while (!token.empty());
    return all;
  }

  std::unique_ptr<const Catalogue> catalogue_;
  const Kind& kind_;
  Snapshot snapshot_;
};

TEST_F(ListPageTest, InNameOrderOfAParentOrOfAll) {
  Put({Named("b", "z"), Named("a", "y"), Named("a", "x"), Named("a-b", "w")});
  EXPECT_THAT(Run({.parent = "shelves/a"}).ids, ElementsAre("x", "y"));
  EXPECT_THAT(Run({.parent = "shelves/b"}).ids, ElementsAre("z"));
  EXPECT_THAT(Run({.parent = "shelves/c"}).ids, IsEmpty());
  EXPECT_THAT(Run({}).ids, ElementsAre("w", "x", "y", "z"));
  EXPECT_EQ(Run({}).next, "");
}

TEST_F(ListPageTest, PagesFollowEachOther) {
  std::vector<Book> books;
  books.reserve(120);
  for (int i = 0; i < 120; ++i) {
    books.push_back(Named("a", absl::StrFormat("b%03d", i)));
  }
  Put(books);
  const Page first = Run({});
  EXPECT_EQ(first.ids.size(), 50u);
  const Page second = Run({}, first.next);
  EXPECT_EQ(second.ids.front(), "b050");
  const Page third = Run({}, second.next);
  EXPECT_EQ(third.ids.size(), 20u);
  EXPECT_EQ(third.next, "");
  // A full last page is the last one.
  EXPECT_EQ(Run({.size = 120}).next, "");
  EXPECT_EQ(Run({.size = -1}).status.code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(ListPageTest, TokensBelongToTheirQueryFormAndDay) {
  Put({Named("a", "x"), Named("a", "y")});
  const std::string token = Run({.size = 1, .more = {"2019"}}).next;
  ASSERT_FALSE(token.empty());
  EXPECT_TRUE(Run({.size = 5, .more = {"2019"}}, token).status.ok());
  for (const Query& other : std::vector<Query>{
           {},
           {.more = {"2020"}},
           {.parent = "shelves/a", .more = {"2019"}},
           {.filter = "pages = 0", .more = {"2019"}},
           {.order = "title", .more = {"2019"}},
           {.deleted = true, .more = {"2019"}},
           {.caller = the_staff, .more = {"2019"}},
       }) {
    EXPECT_EQ(status::Reason(Run(other, token).status), "PAGE_TOKEN_INVALID");
  }
}

TEST_F(ListPageTest, BadQueriesAreRefused) {
  EXPECT_EQ(status::Reason(Run({.filter = "x = 1"}).status), "QUERY_INVALID");
  EXPECT_EQ(status::Reason(Run({.order = "x"}).status), "QUERY_INVALID");
  // Fields of staff do not exist for the public.
  EXPECT_FALSE(Run({.filter = "value > 1"}).status.ok());
  EXPECT_FALSE(Run({.order = "value"}).status.ok());
  EXPECT_TRUE(Run({.order = "value", .caller = the_staff}).status.ok());
}

TEST_F(ListPageTest, HiddenAndDeletedResourcesAreNotThere) {
  Book draft = Named("a", "draft");
  draft.set_state(Book::DRAFT);
  Book gone = Named("a", "gone");
  gone.mutable_delete_time()->set_seconds(1);
  Put({draft, gone, Named("a", "here")});
  for (const char* order : {"", "title", "title desc"}) {
    EXPECT_THAT(Run({.order = order}).ids, ElementsAre("here"));
  }
  EXPECT_THAT(Run({.caller = the_staff}).ids, ElementsAre("draft", "here"));
  EXPECT_THAT(Run({.deleted = true, .caller = the_staff}).ids,
              ElementsAre("draft", "gone", "here"));
  // Whoever does not see them is not told of them by asking.
  EXPECT_THAT(Run({.deleted = true}).ids, ElementsAre("here"));
}

TEST_F(ListPageTest, TheCountIsThatOfAllPagesInTheCallersForm) {
  std::vector<Book> books;
  for (int i = 0; i < 700; ++i) {
    Book book = Named(i % 2 == 0 ? "a" : "b", absl::StrFormat("n%03d", i));
    book.set_pages(i);
    if (i % 5 == 0) book.set_state(Book::DRAFT);
    if (i % 7 == 0) book.mutable_delete_time()->set_seconds(1);
    books.push_back(book);
  }
  Put(books);
  for (const Query& query : std::vector<Query>{
           {},
           {.caller = the_staff},
           {.deleted = true},
           {.deleted = true, .caller = the_staff},
           {.parent = "shelves/a"},
           {.parent = "shelves/b", .deleted = true, .caller = the_staff},
           {.parent = "shelves/none"},
           {.filter = "pages < 100"},
           {.parent = "shelves/a",
           .filter = "pages >= 300",
           .caller = the_staff},
           {.filter = "delete_time:*", .deleted = true, .caller = the_staff},
       }) {
    const auto count = Count(query);
    ASSERT_TRUE(count.ok()) << count.status();
    Query paged = query;
    paged.size = 50;
    EXPECT_EQ(*count, static_cast<int64_t>(All(paged).size()))
        << query.parent << " " << query.filter;
    // Whatever the order and the page.
    paged.order = "title desc";
    EXPECT_EQ(*Count(paged), *count);
    paged.count = true;
    EXPECT_EQ(Run(paged, "").count, *count);
  }
  EXPECT_EQ(Run({}).count, absl::nullopt);
  EXPECT_EQ(*Count({.caller = the_staff}), 600);
  EXPECT_EQ(status::Reason(Count({.filter = "value = 1"}).status()),
            "QUERY_INVALID");
}

TEST_F(ListPageTest, ACountStopsWhenNobodyWaits) {
  std::vector<Book> books;
  constexpr int kBooks = 3 * query::QueryBudget::kCheckEvery;
  books.reserve(kBooks);
  for (int i = 0; i < kBooks; ++i) {
    books.push_back(Named("a", absl::StrFormat("n%05d", i)));
  }
  Put(books);
  int asked = 0;
  const auto gone = [&asked] {
    return ++asked < 2 ? absl::OkStatus() : absl::CancelledError("gone");
  };
  EXPECT_TRUE(absl::IsCancelled(Count({}, gone).status()));
  EXPECT_EQ(asked, 2);
  // Where nothing is hidden and nothing left out, there is nothing to look at
  // behind the page.
  asked = 0;
  EXPECT_EQ(*Count({.size = 1, .caller = the_staff}, gone), kBooks);
}

// A clock on which each look at it has cost a millisecond.
std::function<absl::Duration()> Ticking() {
  return [ticks = 0]() mutable { return absl::Milliseconds(++ticks); };
}

TEST_F(ListPageTest, EndsShortAndEmptyPagesWhenTheirTimeIsSpent) {
  std::vector<Book> books;
  for (int i = 0; i < 40; ++i) {
    Book book = Named("a", absl::StrFormat("b%02d", i));
    book.set_pages(i);
    books.push_back(book);
    Book hidden = Named("a", absl::StrFormat("b%02d-draft", i));
    hidden.set_state(Book::DRAFT);
    books.push_back(hidden);
  }
  Put(books);
  const query::QueryLimits limits{.page = absl::Milliseconds(5),
                                  .first_check = 1};
  std::vector<std::string> all;
  std::string token;
  int empty = 0;
  int calls = 0;
  do {
    query::QueryBudget budget(limits, Wanted, Ticking());
    const Page page = Run(
        {.filter = "pages > 20 AND pages < 30", .count = true}, token, &budget);
    ASSERT_TRUE(page.status.ok()) << page.status;
    EXPECT_LE(page.ids.size(), 4u);
    // What is counted is never cut short.
    EXPECT_EQ(page.count, 9);
    empty += page.ids.empty();
    ++calls;
    all.insert(all.end(), page.ids.begin(), page.ids.end());
    token = page.next;
    std::string bytes;
    ASSERT_TRUE(absl::WebSafeBase64Unescape(token, &bytes));
    EXPECT_THAT(bytes, testing::Not(testing::HasSubstr("draft")));
  } while (!token.empty());
  EXPECT_THAT(all, ElementsAre("b21", "b22", "b23", "b24", "b25", "b26", "b27",
                               "b28", "b29"));
  EXPECT_GT(empty, 5);
  EXPECT_GT(calls, 10);
}

TEST_F(ListPageTest, RefusesWhatIsTooDearToBeRight) {
  std::vector<Book> books;
  for (int i = 0; i < 100; ++i) {
    books.push_back(Named("a", absl::StrFormat("b%02d", i)));
  }
  Put(books);
  const auto run = [&](const Query& query, int milliseconds) {
    query::QueryBudget budget({.page = absl::Milliseconds(5),
                               .whole = absl::Milliseconds(milliseconds),
                               .first_check = 1},
                              Wanted, Ticking());
    return Run(query, "", &budget);
  };
  for (const Query& query : std::vector<Query>{
           {.order = "title"},
           {.filter = "copies = 0 OR wort OR pages = 3", .count = true}}) {
    EXPECT_TRUE(run(query, 1000).status.ok());
    const absl::Status dear = run(query, 50).status;
    EXPECT_EQ(dear.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(status::Reason(dear), "QUERY_TOO_DEAR");
    google::rpc::ErrorInfo info;
    ASSERT_TRUE(status::FindDetail(dear, &info));
    EXPECT_EQ(info.metadata().at("limit"), "50ms");
    EXPECT_EQ(info.metadata().at("resources"), "50");
    EXPECT_EQ(info.metadata().at("terms"), query.count ? "3" : "0");
  }
  // A page by name ends before it gets there, or goes on: through what is
  // hidden there is no place to end at.
  EXPECT_TRUE(run({.filter = "pages = 3"}, 50).status.ok());
  EXPECT_TRUE(run({.filter = "pages = 3"}, 1).status.ok());
  for (Book& book : books) book.set_state(Book::DRAFT);
  books.push_back(Named("a", "z"));
  Put(books);
  EXPECT_THAT(run({}, 1).ids, ElementsAre("z"));
}

TEST_F(ListPageTest, OtherOrdersPageWithoutGapsOrDoubles) {
  std::mt19937 random(11);
  std::vector<Book> books;
  for (int i = 0; i < 300; ++i) {
    Book book = Named(absl::StrCat("s", i % 7), absl::StrFormat("b%03d", i));
    book.set_pages(static_cast<int>(random() % 20));
    if (random() % 3 > 0) book.mutable_origin()->set_city(i % 2 ? "x" : "Y");
    books.push_back(book);
  }
  Put(books);
  for (const char* order : {"pages", "pages desc", "origin.city, pages desc",
                            "name desc", "title desc", "pages, name desc"}) {
    std::vector<std::string> expected = All({.order = order, .size = 1000});
    EXPECT_EQ(expected.size(), 300u);
    for (int size : {1, 7, 50, 299, 300}) {
      EXPECT_EQ(All({.order = order, .size = size}), expected)
          << order << " by " << size;
    }
  }
  std::vector<std::string> reversed = All({.order = "title"});
  std::reverse(reversed.begin(), reversed.end());
  EXPECT_EQ(All({.order = "title desc"}), reversed);
}

TEST_F(ListPageTest, WhatStaysPutIsListedOnceWhileOthersChange) {
  std::mt19937 random(3);
  std::vector<Book> still;
  for (int i = 0; i < 100; ++i) {
    Book book = Named("a", absl::StrFormat("still%03d", i));
    book.set_pages(static_cast<int>(random() % 10));
    still.push_back(book);
  }
  Put(still);
  for (const char* order : {"", "pages", "pages desc"}) {
    std::multiset<std::string> seen;
    std::string token;
    int round = 0;
    do {
      const Page page = Run({.order = order, .size = 9}, token);
      ASSERT_TRUE(page.status.ok());
      for (const std::string& id : page.ids) seen.insert(id);
      token = page.next;
      // Others come, move and go, also the one that the token stands on.
      Book moving = Named("a", absl::StrFormat("moving%03d", ++round % 5));
      moving.set_pages(static_cast<int>(random() % 10));
      SnapshotBuilder builder(snapshot_);
      builder.Put(MakeItem(kind_, moving));
      builder.Remove(
          Named("a", absl::StrFormat("moving%03d", (round + 2) % 5)).name());
      snapshot_ = std::move(builder).Build();
    } while (!token.empty());
    for (const Book& book : still) {
      EXPECT_EQ(seen.count(book.title()), 1u) << order << " " << book.title();
    }
  }
}

TEST_F(ListPageTest, APageEndsAtTwoMebibytes) {
  std::vector<Book> books;
  for (int i = 0; i < 5; ++i) {
    Book book = Named("a", absl::StrCat("b", i));
    book.set_cover(std::string(900 * 1024, 'x'));
    books.push_back(book);
  }
  Book huge = Named("a", "b9");
  huge.set_cover(std::string(3 << 20, 'x'));
  books.push_back(huge);
  Put(books);
  for (const char* order : {"", "title"}) {
    EXPECT_THAT(Run({.order = order}).ids, ElementsAre("b0", "b1"));
    EXPECT_THAT(All({.order = order}),
                ElementsAre("b0", "b1", "b2", "b3", "b4", "b9"));
  }
}

TEST_F(ListPageTest, ALongScanAnswersAShortPageAndNamesNothingHidden) {
  std::vector<Book> books;
  books.reserve(kMaxExamined + 500);
  for (int i = 0; i < kMaxExamined + 500; ++i) {
    books.push_back(Named("a", absl::StrFormat("b%06d", i)));
  }
  for (int i = 0; i < 700; ++i) {
    Book hidden = Named("a", absl::StrFormat("a%06d", i));
    hidden.set_state(Book::DRAFT);
    books.push_back(hidden);
  }
  Book last = Named("a", "z");
  last.set_pages(7);
  books.push_back(last);
  Put(books);
  const Page first = Run({.filter = "pages = 7"});
  EXPECT_THAT(first.ids, IsEmpty());
  ASSERT_FALSE(first.next.empty());
  std::string token;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(first.next, &token));
  EXPECT_THAT(token,
              testing::HasSubstr(absl::StrFormat("b%06d", kMaxExamined - 1)));
  const Page second = Run({.filter = "pages = 7"}, first.next);
  EXPECT_THAT(second.ids, ElementsAre("z"));
  EXPECT_EQ(second.next, "");
  // In another order the first page looks at all.
  EXPECT_THAT(Run({.filter = "pages = 7", .order = "title"}).ids,
              ElementsAre("z"));
}

TEST_F(ListPageTest, StopsWhenNobodyWaits) {
  std::vector<Book> books;
  books.reserve(1000);
  for (int i = 0; i < 1000; ++i) {
    books.push_back(Named("a", absl::StrFormat("b%03d", i)));
  }
  Put(books);
  for (const char* order : {"", "title"}) {
    int asked = 0;
    const Page page = Run({.filter = "pages = 1", .order = order}, "", [&] {
      return ++asked < 2 ? absl::OkStatus() : absl::CancelledError("gone");
    });
    EXPECT_EQ(page.status.code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(asked, 2);
  }
}

}  // namespace
}  // namespace transparency::resource
