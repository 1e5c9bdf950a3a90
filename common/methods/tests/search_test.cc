#include "common/methods/search.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/methods/standard_delete.h"
#include "common/methods/tests/library_desk.h"
#include "common/resource/list_page.h"
#include "gmock/gmock.h"

namespace transparency::methods {
namespace {

using library::v1::Book;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using type::v1::SearchHit;
using type::v1::SearchResourcesRequest;
using type::v1::SearchResourcesResponse;

class SearchTest : public LibraryDesk {
 protected:
  SearchTest() : searcher_(*Searcher::Make(view().catalogue())) {}

  absl::StatusOr<SearchResourcesResponse> Search(
      const SearchResourcesRequest& request, const Caller& caller = the_public,
      absl::Time deadline = absl::InfiniteFuture()) {
    rpc::Arrival arrival;
    arrival.method = "/library.Library/SearchResources";
    arrival.caller = std::make_shared<const Caller>(caller);
    arrival.deadline = deadline;
    return searcher_->Search(view(), rpc::Call(std::move(arrival)), request);
  }

  static SearchResourcesRequest For(const std::string& query) {
    SearchResourcesRequest request;
    request.set_query(query);
    return request;
  }

  std::vector<SearchHit> Hits(const std::string& query,
                              const Caller& caller = the_public) {
    auto page = Search(For(query), caller);
    EXPECT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(page->next_page_token(), "");
    return {page->hits().begin(), page->hits().end()};
  }

  // Names within the service, each with the field of its best match.
  std::vector<std::string> Found(const std::string& query,
                                 const Caller& caller = the_public) {
    std::vector<std::string> found;
    for (const SearchHit& hit : Hits(query, caller)) {
      const std::string prefix = "//library.transparency/";
      EXPECT_EQ(hit.name().substr(0, prefix.size()), prefix);
      found.push_back(
          absl::StrCat(hit.name().substr(prefix.size()), " ", hit.field()));
    }
    return found;
  }

  void PutBook(const std::string& id, const std::string& title,
               const std::function<void(Book*)>& more = {}) {
    Book book;
    book.set_name(absl::StrCat(kShelf, "/books/", id));
    book.set_title(title);
    if (more) more(&book);
    Put(book);
  }

  const std::shared_ptr<const Searcher> searcher_;
};

TEST_F(SearchTest, FindsResourcesOfEveryKindByTheirText) {
  PutBook("whales", "On Whales");
  Shelf shelf;
  shelf.set_name("shelves/sea");
  shelf.set_label("Whales and the sea");
  Put(shelf);
  const auto hits = Hits("whales");
  ASSERT_EQ(hits.size(), 2u);
  EXPECT_EQ(hits[0].name(),
            "//library.transparency/shelves/north/books/whales");
  EXPECT_EQ(hits[0].resource_type(), "library.transparency/Book");
  EXPECT_EQ(hits[0].title(), "On Whales");
  EXPECT_EQ(hits[0].field(), "title");
  EXPECT_EQ(hits[0].snippet(), "On Whales");
  EXPECT_GT(hits[0].score(), hits[1].score());
  EXPECT_LE(hits[0].score(), 1);
  EXPECT_EQ(hits[1].resource_type(), "library.transparency/Shelf");
  EXPECT_EQ(hits[1].title(), "Whales and the sea");
}

TEST_F(SearchTest, NamesTheFieldAtAnyDepth) {
  PutBook("x", "Title", [](Book* book) {
    book->add_chapters()->set_heading("Loomings");
    book->add_chapters()->add_parts()->set_heading("The Carpet-Bag");
    book->add_tags("sea");
  });
  EXPECT_THAT(
      Found("carpet"),
      ElementsAre("shelves/north/books/x chapters[1].parts[0].heading"));
  EXPECT_THAT(Found("sea loomings"),
              ElementsAre("shelves/north/books/x tags[0]"));
  EXPECT_THAT(Found("sea carpets"), IsEmpty());
}

TEST_F(SearchTest, FindsByTheLastIdOfTheName) {
  PutBook("red-book", "Title");
  EXPECT_THAT(Found("book"), ElementsAre("shelves/north/books/red-book name"));
  EXPECT_THAT(Found("books"), IsEmpty());
  EXPECT_THAT(Found("shelves"), IsEmpty());
  PutBook("untitled", "");
  EXPECT_EQ(Hits("untitled")[0].title(), "untitled");
}

TEST_F(SearchTest, DoesNotLookIntoFieldsWithoutTheAnnotation) {
  PutBook("x", "Title", [](Book* book) {
    book->set_room("attic");
    (*book->mutable_labels())["k"] = "attic";
    book->set_uri("https://example.org/attic");
  });
  EXPECT_THAT(Found("attic"), IsEmpty());
  EXPECT_THAT(Found("example"), IsEmpty());
}

TEST_F(SearchTest, RanksTitlesBeforeOtherNamesAndThoseBeforeContent) {
  PutBook("a", "On everything else",
          [](Book* book) { book->add_chapters()->set_heading("whale"); });
  PutBook("b", "On everything but",
          [](Book* book) { book->add_tags("whale"); });
  PutBook("c", "The white whale and its captain");
  PutBook("d", "Whale");
  EXPECT_THAT(Found("whale"),
              ElementsAre("shelves/north/books/d title",
                          "shelves/north/books/b tags[0]",
                          "shelves/north/books/c title",
                          "shelves/north/books/a chapters[0].heading"));
}

TEST_F(SearchTest, SeesWhatTheCallerSees) {
  PutBook("draft", "Whale", [](Book* book) {
    book->set_state(Book::DRAFT);
    book->set_owner("ishmael");
  });
  PutBook("remarked", "Other", [](Book* book) {
    book->set_owner("ishmael");
    book->set_remark("a whale of a book");
    book->mutable_origin()->set_note("harpoon");
    book->set_reader("Queequeg");
  });
  const Caller stranger{"ahab", {}};
  EXPECT_THAT(Found("whale"), IsEmpty());
  EXPECT_THAT(Found("whale", stranger), IsEmpty());
  EXPECT_THAT(Found("whale", the_owner),
              ElementsAre("shelves/north/books/draft title",
                          "shelves/north/books/remarked remark"));
  EXPECT_EQ(Found("whale", the_staff).size(), 2u);
  EXPECT_THAT(Found("harpoon", the_owner), IsEmpty());
  EXPECT_THAT(Found("harpoon", the_staff),
              ElementsAre("shelves/north/books/remarked origin.note"));
  // Nor does a hidden field move a hit or show in it.
  const auto hit = Hits("other")[0];
  EXPECT_EQ(hit.field(), "title");
  EXPECT_EQ(hit.score(), Hits("other", the_staff)[0].score());
}

TEST_F(SearchTest, DoesNotFindDeletedOnes) {
  PutBook("gone", "Whale");
  library::v1::DeleteRequest request;
  request.set_name(absl::StrCat(kShelf, "/books/gone"));
  ASSERT_TRUE(Do<Book>(Delete, request).ok());
  EXPECT_THAT(Found("whale"), IsEmpty());
  EXPECT_THAT(Found("whale", the_staff), IsEmpty());
}

TEST_F(SearchTest, NarrowsToTheTypesAskedFor) {
  PutBook("x", "North");
  SearchResourcesRequest request = For("north");
  request.add_types("library.transparency/Shelf");
  auto page = Search(request);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->hits_size(), 1);
  EXPECT_EQ(page->hits(0).name(), "//library.transparency/shelves/north");
  request.add_types("library.transparency/Ghost");
  const absl::Status refused = Search(request).status();
  EXPECT_EQ(Outcome(refused), "INVALID_ARGUMENT INVALID_FIELDS");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("types[1]"));
  EXPECT_THAT(std::string(refused.message()), Not(HasSubstr("types[0]")));
}

TEST_F(SearchTest, PagesHoldEveryHitOnceWhateverChangesBetweenThem) {
  for (int i = 0; i < 25; ++i) {
    PutBook(absl::StrCat("w", i), absl::StrCat("Whale ", i % 3));
  }
  std::vector<std::string> names;
  SearchResourcesRequest request = For("whale");
  for (int page_number = 0; page_number < 10; ++page_number) {
    request.set_page_size(1 + page_number);
    auto page = Search(request);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& hit : page->hits()) names.push_back(hit.name());
    if (page->next_page_token().empty()) break;
    request.set_page_token(page->next_page_token());
    // One before the place, that comes too late, and the place itself.
    PutBook(absl::StrCat("aa", page_number), "Whale");
    PutBook(names.back().substr(names.back().rfind('/') + 1), "Other");
  }
  ASSERT_EQ(names.size(), 25u);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 25u);
}

TEST_F(SearchTest, GoesOnBehindAPlaceThatNeedNotBeThere) {
  for (const char* id : {"a", "b", "c"}) PutBook(id, "White whale");
  const double score = Hits("whale")[0].score();
  SearchResourcesRequest request = For("whale");
  request.mutable_start_after()->set_score(score);
  request.mutable_start_after()->set_name(
      "//library.transparency/shelves/north/books/aa");
  auto page = Search(request);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->hits_size(), 2);
  EXPECT_EQ(page->hits(0).name(),
            "//library.transparency/shelves/north/books/b");
  // Another service's hit comes before or after all of this one's.
  request.mutable_start_after()->set_name("//aaa.transparency/x/y");
  EXPECT_EQ(Search(request)->hits_size(), 3);
  request.mutable_start_after()->set_name("//zzz.transparency/x/y");
  EXPECT_EQ(Search(request)->hits_size(), 0);
  request.mutable_start_after()->set_score(score + 1e-6);
  EXPECT_EQ(Search(request)->hits_size(), 3);
}

TEST_F(SearchTest, RefusesWhatItCannotGoOnFrom) {
  for (int i = 0; i < 3; ++i) PutBook(absl::StrCat("w", i), "Whale");
  SearchResourcesRequest request = For("whale");
  request.set_page_size(1);
  const std::string token = Search(request)->next_page_token();
  ASSERT_NE(token, "");
  request.set_page_token(token);
  EXPECT_TRUE(Search(request).ok());
  EXPECT_EQ(Outcome(Search(request, the_staff).status()),
            "INVALID_ARGUMENT PAGE_TOKEN_INVALID");
  request.add_types("library.transparency/Book");
  EXPECT_EQ(Outcome(Search(request).status()),
            "INVALID_ARGUMENT PAGE_TOKEN_INVALID");
  request.clear_types();
  request.set_query("Whale");
  EXPECT_EQ(Outcome(Search(request).status()),
            "INVALID_ARGUMENT PAGE_TOKEN_INVALID");
  request.set_query("whale");
  request.mutable_start_after()->set_score(0.5);
  request.mutable_start_after()->set_name("//x/y/z");
  EXPECT_EQ(Outcome(Search(request).status()),
            "INVALID_ARGUMENT INVALID_FIELDS");
  request.clear_page_token();
  request.mutable_start_after()->set_score(1.5);
  EXPECT_EQ(Outcome(Search(request).status()),
            "INVALID_ARGUMENT INVALID_FIELDS");
  request.clear_start_after();
  request.set_page_size(-1);
  EXPECT_EQ(Outcome(Search(request).status()),
            "INVALID_ARGUMENT INVALID_FIELDS");
}

TEST_F(SearchTest, StopsWhenNobodyWaitsForTheAnswer) {
  for (int i = 0; i < query::QueryBudget::kCheckEvery; ++i) {
    PutBook(absl::StrCat("w", i), "Whale");
  }
  EXPECT_EQ(Outcome(Search(For("whale"), the_public, absl::Now()).status()),
            "DEADLINE_EXCEEDED DEADLINE_PASSED");
}

}  // namespace
}  // namespace transparency::methods
