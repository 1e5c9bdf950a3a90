#include "common/methods/standard_delete.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/methods/standard_write.h"
#include "common/methods/tests/library_desk.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::methods {
namespace {

using journal::v1::Change;
using library::v1::Book;
using library::v1::DeleteRequest;
using library::v1::Shelf;
using library::v1::UndeleteRequest;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

DeleteRequest ToDelete(const std::string& name, bool allow_missing = false) {
  DeleteRequest request;
  request.set_name(name);
  request.set_allow_missing(allow_missing);
  request.set_reason("a slip");
  return request;
}

UndeleteRequest ToUndelete(const std::string& name) {
  UndeleteRequest request;
  request.set_name(name);
  request.set_reason("no slip");
  return request;
}

class StandardDeleteTest : public LibraryDesk {
 protected:
  absl::StatusOr<Book> DeleteBook(const std::string& name = kMoby) {
    return Do<Book>(Delete, ToDelete(name));
  }
  absl::StatusOr<Book> UndeleteBook(const std::string& name = kMoby) {
    return Do<Book>(Undelete, ToUndelete(name));
  }
  void PutTwinOfMoby(const std::string& id, Book::State state = Book::OUT,
                     const std::string& owner = "") {
    Book book;
    book.set_name(absl::StrCat(kShelf, "/books/", id));
    book.set_title(id);
    book.set_twin(kMoby);
    book.set_state(state);
    book.set_owner(owner);
    Put(book);
  }
};

TEST_F(StandardDeleteTest, ADeletedResourceIsKeptWithWhenAndWhy) {
  const std::string etag = view().Find(kMoby)->etag();
  const auto deleted = DeleteBook();
  ASSERT_EQ(deleted.status(), absl::OkStatus());
  EXPECT_EQ(deleted->title(), "Moby");
  EXPECT_EQ(deleted->delete_time().seconds(), absl::ToUnixSeconds(now_));
  EXPECT_NE(deleted->etag(), etag);
  EXPECT_EQ(view().FindLive(kMoby), nullptr);
  EXPECT_EQ(last_entry().kind, Change::DELETED);
  EXPECT_EQ(last_entry().reason, "a slip");
  EXPECT_EQ(last_entry().public_digest, absl::nullopt);

  const auto restored = UndeleteBook();
  ASSERT_EQ(restored.status(), absl::OkStatus());
  EXPECT_FALSE(restored->has_delete_time());
  EXPECT_EQ(restored->floor(), 7u);  // it does not begin anew
  EXPECT_NE(view().FindLive(kMoby), nullptr);
  EXPECT_EQ(last_entry().kind, Change::UNDELETED);
  EXPECT_EQ(last_entry().reason, "no slip");
}

TEST_F(StandardDeleteTest, TheEtagMustMatchInBothDirections) {
  DeleteRequest stale = ToDelete(kMoby);
  stale.set_etag("\"0123456789abcdef\"");
  EXPECT_EQ(Outcome(Do<Book>(Delete, stale).status()), "ABORTED ETAG_MISMATCH");
  stale.set_etag(view().Find(kMoby)->etag());
  ASSERT_EQ(Do<Book>(Delete, stale).status(), absl::OkStatus());
  UndeleteRequest undelete = ToUndelete(kMoby);
  undelete.set_etag(stale.etag());
  EXPECT_EQ(Outcome(Do<Book>(Undelete, undelete).status()),
            "ABORTED ETAG_MISMATCH");
  undelete.set_etag(view().Find(kMoby)->etag());
  EXPECT_EQ(Do<Book>(Undelete, undelete).status(), absl::OkStatus());
}

TEST_F(StandardDeleteTest, WhatIsNotThereIsNotFoundUnlessThatIsAllowed) {
  const std::string never = absl::StrCat(kShelf, "/books/never");
  EXPECT_EQ(Outcome(DeleteBook(never).status()),
            "NOT_FOUND RESOURCE_NOT_FOUND");
  EXPECT_EQ(Outcome(UndeleteBook(never).status()),
            "NOT_FOUND RESOURCE_NOT_FOUND");
  EXPECT_EQ(Outcome(UndeleteBook().status()), "ALREADY_EXISTS NOT_DELETED");
  const auto deleted = DeleteBook();
  ASSERT_EQ(deleted.status(), absl::OkStatus());
  EXPECT_EQ(Outcome(DeleteBook().status()), "NOT_FOUND RESOURCE_NOT_FOUND");

  const size_t before = entries();
  DeleteRequest again = ToDelete(kMoby, true);
  again.set_etag("\"0123456789abcdef\"");
  const auto told = Do<Book>(Delete, again);
  ASSERT_EQ(told.status(), absl::OkStatus());
  EXPECT_EQ(told->etag(), deleted->etag());
  const auto nothing = Do<Book>(Delete, ToDelete(never, true));
  ASSERT_EQ(nothing.status(), absl::OkStatus());
  EXPECT_EQ(nothing->ByteSizeLong(), 0u);
  // A shelf's name is no book's.
  EXPECT_EQ(Do<Book>(Delete, ToDelete(kShelf, true))->ByteSizeLong(), 0u);
  EXPECT_EQ(entries(), before);
  // Where there is one, it is deleted by all the rules.
  EXPECT_EQ(Outcome(Do<Book>(Undelete, ToUndelete(kShelf)).status()),
            "NOT_FOUND RESOURCE_NOT_FOUND");
}

TEST_F(StandardDeleteTest, WhoDoesNotSeeDeletedOnesCannotTellThemFromNone) {
  ASSERT_EQ(DeleteBook().status(), absl::OkStatus());
  EXPECT_EQ(Outcome(Do<Book>(Undelete, ToUndelete(kMoby), the_owner).status()),
            "NOT_FOUND RESOURCE_NOT_FOUND");
  EXPECT_EQ(Do<Book>(Delete, ToDelete(kMoby, true), the_owner)->ByteSizeLong(),
            0u);
}

TEST_F(StandardDeleteTest, WhatIsReferredToIsNotDeleted) {
  for (int i = 0; i < 8; ++i) PutTwinOfMoby(absl::StrCat("twin", i));
  const absl::Status refused = DeleteBook().status();
  EXPECT_EQ(Outcome(refused), "FAILED_PRECONDITION STILL_REFERRED_TO");
  google::rpc::PreconditionFailure failure;
  ASSERT_TRUE(status::FindDetail(refused, &failure));
  std::vector<std::string> subjects;
  for (const auto& violation : failure.violations()) {
    subjects.push_back(violation.subject());
  }
  // A handful, and that there are more.
  const std::string twin = absl::StrCat(kShelf, "/books/twin");
  EXPECT_THAT(subjects, ElementsAre(twin + "0", twin + "1", twin + "2",
                                    twin + "3", twin + "4", kMoby));
  for (int i = 0; i < 8; ++i) {
    ASSERT_EQ(DeleteBook(absl::StrCat(twin, i)).status(), absl::OkStatus());
  }
  EXPECT_EQ(DeleteBook().status(), absl::OkStatus());
}

TEST_F(StandardDeleteTest, ARefusalDoesNotNameWhatTheCallerDoesNotSee) {
  PutTwinOfMoby("draft", Book::DRAFT, "ahab");
  PutTwinOfMoby("own", Book::DRAFT, "ishmael");
  const absl::Status refused =
      Do<Book>(Delete, ToDelete(kMoby), the_owner).status();
  EXPECT_EQ(Outcome(refused), "FAILED_PRECONDITION STILL_REFERRED_TO");
  EXPECT_THAT(refused.ToString(), HasSubstr("books/own"));
  EXPECT_THAT(refused.ToString(), Not(HasSubstr("books/draft")));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("others"));
}

TEST_F(StandardDeleteTest, AReferenceToItselfHoldsNothing) {
  Book moby = Moby();
  moby.set_twin(kMoby);
  Put(moby);
  EXPECT_EQ(DeleteBook().status(), absl::OkStatus());
  EXPECT_EQ(UndeleteBook().status(), absl::OkStatus());
}

TEST_F(StandardDeleteTest, AParentGoesAfterItsChildrenAndComesBackBefore) {
  const absl::Status refused = Do<Shelf>(Delete, ToDelete(kShelf)).status();
  EXPECT_EQ(Outcome(refused), "FAILED_PRECONDITION HAS_CHILDREN");
  EXPECT_THAT(refused.ToString(), HasSubstr(kMoby));
  ASSERT_EQ(DeleteBook().status(), absl::OkStatus());
  // Another shelf's books, whose name it begins, are not its own.
  Shelf other;
  other.set_name(absl::StrCat(kShelf, "-east"));
  Put(other);
  Book book = Moby();
  book.set_name(absl::StrCat(kShelf, "-east/books/x"));
  book.clear_uri();
  Put(book);
  ASSERT_EQ(Do<Shelf>(Delete, ToDelete(kShelf)).status(), absl::OkStatus());

  EXPECT_EQ(Outcome(UndeleteBook().status()),
            "FAILED_PRECONDITION REFERENCE_NOT_FOUND");
  ASSERT_EQ(Do<Shelf>(Undelete, ToUndelete(kShelf)).status(), absl::OkStatus());
  EXPECT_EQ(UndeleteBook().status(), absl::OkStatus());
}

TEST_F(StandardDeleteTest, UndeleteObeysTheRulesOfACreate) {
  PutTwinOfMoby("twin");
  const std::string twin = absl::StrCat(kShelf, "/books/twin");
  ASSERT_EQ(DeleteBook(twin).status(), absl::OkStatus());
  ASSERT_EQ(DeleteBook().status(), absl::OkStatus());
  EXPECT_EQ(Outcome(UndeleteBook(twin).status()),
            "FAILED_PRECONDITION REFERENCE_NOT_FOUND");
  // What was its own alone is another's meanwhile.
  Book other = Moby();
  other.set_name(absl::StrCat(kShelf, "/books/other"));
  Put(other);
  EXPECT_EQ(Outcome(UndeleteBook().status()), "ALREADY_EXISTS NOT_UNIQUE");
  ASSERT_EQ(DeleteBook(other.name()).status(), absl::OkStatus());
  EXPECT_EQ(UndeleteBook().status(), absl::OkStatus());
  EXPECT_EQ(UndeleteBook(twin).status(), absl::OkStatus());
}

TEST_F(StandardDeleteTest, ARuleOfTheKindMayForbidIt) {
  Book moby = Moby();
  moby.set_lent(true);
  Put(moby);
  EXPECT_EQ(Outcome(DeleteBook().status()), "FAILED_PRECONDITION LENT");
  EXPECT_NE(view().FindLive(kMoby), nullptr);
}

TEST_F(StandardDeleteTest, ADeletedResourceIsNotUpdatedNorItsNameUsedAgain) {
  ASSERT_EQ(DeleteBook().status(), absl::OkStatus());
  library::v1::UpdateBookRequest update;
  *update.mutable_book() = Moby();
  EXPECT_EQ(Outcome(Do<Book>(Update, update).status()),
            "NOT_FOUND RESOURCE_NOT_FOUND");
  update.set_allow_missing(true);
  EXPECT_EQ(Outcome(Do<Book>(Update, update).status()),
            "ALREADY_EXISTS DELETED_EXISTS");
  library::v1::CreateBookRequest create;
  create.set_parent(kShelf);
  create.set_book_id("moby");
  create.mutable_book()->set_title("Moby");
  EXPECT_EQ(Outcome(Do<Book>(Create, create).status()),
            "ALREADY_EXISTS DELETED_EXISTS");
  // Nor does a new resource refer to it.
  create.set_book_id("twin");
  create.mutable_book()->set_twin(kMoby);
  EXPECT_EQ(Outcome(Do<Book>(Create, create).status()),
            "FAILED_PRECONDITION REFERENCE_NOT_FOUND");
}

}  // namespace
}  // namespace transparency::methods
