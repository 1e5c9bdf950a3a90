#include "common/methods/standard_write.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/methods/tests/library_desk.h"
#include "gmock/gmock.h"

namespace transparency::methods {
namespace {

using library::v1::Book;
using library::v1::UpdateBookRequest;

constexpr char kNew[] = "shelves/north/books/new";

UpdateBookRequest Wanted(const std::string& name) {
  UpdateBookRequest request;
  request.mutable_book()->set_name(name);
  request.mutable_book()->set_title("New");
  request.mutable_book()->set_pages(3);
  request.set_allow_missing(true);
  return request;
}

class AllowMissingTest : public LibraryDesk {};

TEST_F(AllowMissingTest, CreatesWithEveryFieldWhateverTheMask) {
  UpdateBookRequest request = Wanted(kNew);
  request.mutable_update_mask()->add_paths("title");
  request.mutable_book()->set_etag("\"0123456789abcdef\"");
  request.mutable_book()->mutable_delete_time()->set_seconds(1);
  const auto created = Do<Book>(Update, request);
  ASSERT_EQ(created.status(), absl::OkStatus());
  EXPECT_EQ(created->pages(), 3);
  EXPECT_EQ(created->floor(), 1u);
  EXPECT_FALSE(created->has_delete_time());
  EXPECT_EQ(last_entry().kind, journal::v1::Change::CREATED);
}

TEST_F(AllowMissingTest, AsksForWhatACreateMustGive) {
  UpdateBookRequest request = Wanted(kNew);
  request.mutable_book()->clear_title();
  const absl::Status refused = Do<Book>(Update, request).status();
  EXPECT_EQ(Outcome(refused), "INVALID_ARGUMENT INVALID_FIELDS");
  EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("book.title"));
  EXPECT_EQ(Outcome(Do<Book>(Update, Wanted("shelves/none/books/x")).status()),
            "NOT_FOUND RESOURCE_NOT_FOUND");
}

TEST_F(AllowMissingTest, ChangesWhatIsThereByTheMask) {
  UpdateBookRequest request = Wanted(kMoby);
  request.mutable_update_mask()->add_paths("pages");
  auto changed = Do<Book>(Update, request);
  ASSERT_EQ(changed.status(), absl::OkStatus());
  EXPECT_EQ(changed->title(), "Moby");
  EXPECT_EQ(changed->pages(), 3);
  // The same again changes nothing.
  const size_t before = entries();
  const std::string etag = changed->etag();
  changed = Do<Book>(Update, request);
  ASSERT_EQ(changed.status(), absl::OkStatus());
  EXPECT_EQ(changed->etag(), etag);
  EXPECT_EQ(entries(), before);
}

TEST_F(AllowMissingTest, WithoutItNothingIsCreated) {
  UpdateBookRequest request = Wanted(kNew);
  request.set_allow_missing(false);
  EXPECT_EQ(Outcome(Do<Book>(Update, request).status()),
            "NOT_FOUND RESOURCE_NOT_FOUND");
}

}  // namespace
}  // namespace transparency::methods
