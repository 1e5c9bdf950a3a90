#include "common/fields/picked_fields.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/fields/tests/library.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace transparency::fields {
namespace {

using google::protobuf::FieldDescriptor;
using library::v1::Book;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Visit(const PickedFields& picked, const Book& book) {
  std::vector<std::string> paths;
  picked.Visit(book, [&](const PickedValue& value) {
    paths.push_back(absl::StrCat(value.Path(), " ", value.mark));
  });
  return paths;
}

TEST(PickedFields, AreVisitedAtAnyDepthWhereTheyAreSet) {
  const PickedFields picked(
      *Book::descriptor(), [](const FieldDescriptor& field) {
        return field.name() == "heading" ? 1 : field.name() == "tags" ? 2 : 0;
      });
  EXPECT_FALSE(picked.empty());
  Book book;
  EXPECT_THAT(Visit(picked, book), IsEmpty());
  book.set_title("not picked");
  book.add_tags("x");
  book.add_tags("");
  book.mutable_origin()->mutable_preface()->set_heading("Preface");
  auto* chapter = book.add_chapters();
  chapter = book.add_chapters();
  chapter->set_heading("Loomings");
  chapter->add_parts()->add_parts()->set_heading("deeper");
  (*book.mutable_numbered())[1].set_heading("in a map");
  EXPECT_THAT(Visit(picked, book),
              ElementsAre("origin.preface.heading 1", "chapters[1].heading 1",
                          "chapters[1].parts[0].parts[0].heading 1",
                          "tags[0] 2", "tags[1] 2"));
}

TEST(PickedFields, MayBeMessagesAndWhatTheyHold) {
  const PickedFields picked(
      *Book::descriptor(), [](const FieldDescriptor& field) {
        return field.name() == "preface" || field.name() == "written" ? 1 : 0;
      });
  Book book;
  book.mutable_origin()->mutable_preface()->mutable_written()->set_year(1851);
  EXPECT_THAT(Visit(picked, book),
              ElementsAre("origin.preface 1", "origin.preface.written 1"));
}

TEST(PickedFields, OfATypeWithoutThemVisitNothing) {
  const PickedFields picked(*Book::descriptor(),
                            [](const FieldDescriptor&) { return 0; });
  EXPECT_TRUE(picked.empty());
  Book book;
  book.set_title("x");
  EXPECT_THAT(Visit(picked, book), IsEmpty());
}

}  // namespace
}  // namespace transparency::fields
