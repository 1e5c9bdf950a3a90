#include "common/methods/standard_read.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/methods/standard_delete.h"
#include "common/methods/tests/library_desk.h"
#include "gmock/gmock.h"

namespace transparency::methods {
namespace {

using library::v1::BatchGetBooksRequest;
using library::v1::Book;
using library::v1::ListBooksResponse;
using testing::ElementsAre;
using testing::HasSubstr;

class StandardReadTest : public LibraryDesk {
 protected:
  StandardReadTest() {
    for (const char* id : {"a", "b"}) {
      Book book;
      book.set_name(absl::StrCat(kShelf, "/books/", id));
      book.set_title(id);
      book.set_value(5);
      Put(book);
    }
    Book draft;
    draft.set_name(absl::StrCat(kShelf, "/books/draft"));
    draft.set_state(Book::DRAFT);
    Put(draft);
    library::v1::DeleteRequest request;
    request.set_name(kMoby);
    EXPECT_TRUE(Do<Book>(Delete, request).ok());
  }

  static rpc::Call CallOf(const Caller& caller) {
    rpc::Arrival arrival;
    arrival.caller = std::make_shared<const Caller>(caller);
    return rpc::Call(std::move(arrival));
  }

  absl::StatusOr<std::vector<std::string>> Batch(
      const std::vector<std::string>& ids, const Caller& caller = the_public,
      const std::string& parent = kShelf) {
    BatchGetBooksRequest request;
    request.set_parent(parent);
    for (const std::string& id : ids) {
      request.add_names(absl::StrCat(kShelf, "/books/", id));
    }
    // An answer of books alone is a page of them without a token.
    auto answer = BatchGet(
        books(), *ListBooksResponse::descriptor()->FindFieldByName("books"),
        view(), CallOf(caller), request);
    if (!answer.ok()) return answer.status();
    ListBooksResponse parsed;
    EXPECT_TRUE(parsed.ParseFromString(*answer));
    std::vector<std::string> titles;
    for (const Book& book : parsed.books()) {
      titles.push_back(absl::StrCat(book.title(), " ", book.value()));
    }
    return titles;
  }

  absl::StatusOr<Book> GetMoby(const Caller& caller) {
    library::v1::GetBookRequest request;
    request.set_name(kMoby);
    auto answer = Get(books(), view(), CallOf(caller), request);
    if (!answer.ok()) return answer.status();
    Book book;
    EXPECT_TRUE(book.ParseFromString(*answer));
    return book;
  }
};

TEST_F(StandardReadTest, StaffGetWhatIsDeleted) {
  EXPECT_EQ(Outcome(GetMoby(the_public).status()),
            "NOT_FOUND RESOURCE_NOT_FOUND");
  EXPECT_EQ(Outcome(GetMoby(the_owner).status()),
            "NOT_FOUND RESOURCE_NOT_FOUND");
  const auto moby = GetMoby(the_staff);
  ASSERT_EQ(moby.status(), absl::OkStatus());
  EXPECT_TRUE(moby->has_delete_time());
}

TEST_F(StandardReadTest, ABatchComesInTheOrderAskedForAndInTheCallersForm) {
  EXPECT_THAT(*Batch({"b", "a", "b"}), ElementsAre("b 0", "a 0", "b 0"));
  EXPECT_THAT(*Batch({"b", "a"}, the_staff), ElementsAre("b 5", "a 5"));
  EXPECT_THAT(*Batch({"a"}, the_public, ""), ElementsAre("a 0"));
  EXPECT_THAT(*Batch({"a"}, the_public, "shelves/-"), ElementsAre("a 0"));
}

TEST_F(StandardReadTest, ABatchIsAllOrNothing) {
  for (const char* hidden : {"none", "draft", "moby"}) {
    const absl::Status refused = Batch({"a", hidden, "never"}).status();
    EXPECT_EQ(Outcome(refused), "NOT_FOUND RESOURCE_NOT_FOUND");
    EXPECT_THAT(std::string(refused.message()), HasSubstr(hidden));
  }
  EXPECT_THAT(*Batch({"a", "draft", "moby"}, the_staff),
              ElementsAre("a 5", " 0", "Moby 0"));
}

TEST_F(StandardReadTest, ABatchIsOfItsParent) {
  const absl::Status refused =
      Batch({"a"}, the_public, "shelves/south").status();
  EXPECT_EQ(Outcome(refused), "INVALID_ARGUMENT INVALID_FIELDS");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("names[0]"));
}

TEST_F(StandardReadTest, ABatchHasALargestSize) {
  Book large;
  large.set_title("large");
  large.set_cover(std::string(kMaxAnswerBytes / 3, 'x'));
  for (const char* id : {"x", "y", "z"}) {
    large.set_name(absl::StrCat(kShelf, "/books/", id));
    Put(large);
  }
  EXPECT_EQ(Batch({"x", "y"})->size(), 2u);
  const absl::Status refused = Batch({"x", "y", "z"}).status();
  EXPECT_EQ(Outcome(refused), "RESOURCE_EXHAUSTED LIMIT_EXCEEDED");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("first 2 names"));
}

}  // namespace
}  // namespace transparency::methods
