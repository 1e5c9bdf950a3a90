#include "common/fields/field_subset.h"

#include <string>
#include <vector>

#include "common/fields/tests/library.pb.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

namespace transparency::fields {
namespace {

using google::protobuf::util::MessageDifferencer;
using library::v1::Book;

FieldSubset Of(const std::vector<std::string>& names) {
  FieldSubset fields;
  for (const std::string& name : names) {
    fields.Add(*Book::descriptor()->FindFieldByName(name));
  }
  return fields;
}

Book Full() {
  Book book;
  book.set_name("shelves/north/books/moby");
  book.set_title("Moby");
  book.set_pages(-7);
  book.set_rating(0.5F);
  book.set_price(12.25);
  book.set_weight(1ULL << 63);
  book.mutable_origin()->set_city("Nantucket");
  book.add_tags("whale");
  book.add_tags("sea");
  book.add_marks(1);
  book.add_marks(300);
  (*book.mutable_labels())["k"] = "v";
  book.set_summary("long");
  return book;
}

TEST(FieldSubset, ReadsTheFieldsThatItHoldsAndNoOthers) {
  const std::string bytes = Full().SerializeAsString();
  Book book;
  book.set_owner("of the message before");
  ASSERT_TRUE(Of({"pages", "origin", "tags", "labels", "price", "edition"})
                  .Parse(bytes, &book));
  Book expected;
  expected.set_pages(-7);
  expected.set_price(12.25);
  expected.mutable_origin()->set_city("Nantucket");
  expected.add_tags("whale");
  expected.add_tags("sea");
  (*expected.mutable_labels())["k"] = "v";
  EXPECT_TRUE(MessageDifferencer::Equals(book, expected))
      << book.ShortDebugString();

  ASSERT_TRUE(FieldSubset().Parse(bytes, &book));
  EXPECT_EQ(book.ByteSizeLong(), 0u);
  FieldSubset all;
  all.AddAll();
  ASSERT_TRUE(all.Parse(bytes, &book));
  EXPECT_TRUE(MessageDifferencer::Equals(book, Full()));
}

TEST(FieldSubset, EachFieldAloneIsWhatTheWholeMessageHolds) {
  const Book full = Full();
  const std::string bytes = full.SerializeAsString();
  const auto* reflection = full.GetReflection();
  for (int i = 0; i < Book::descriptor()->field_count(); ++i) {
    const auto* field = Book::descriptor()->field(i);
    FieldSubset one;
    one.Add(*field);
    Book expected = full;
    for (int j = 0; j < Book::descriptor()->field_count(); ++j) {
      if (j != i) {
        reflection->ClearField(&expected, Book::descriptor()->field(j));
      }
    }
    Book book;
    ASSERT_TRUE(one.Parse(bytes, &book)) << field->name();
    EXPECT_TRUE(MessageDifferencer::Equals(book, expected)) << field->name();
  }
}

TEST(FieldSubset, AFieldInPiecesIsMergedAsAlways) {
  Book first, second;
  first.mutable_origin()->set_city("Nantucket");
  second.mutable_origin()->set_publisher("Harper");
  second.set_title("Moby");
  Book book;
  ASSERT_TRUE(Of({"origin"})
                  .Parse(first.SerializeAsString() + second.SerializeAsString(),
                         &book));
  EXPECT_EQ(book.origin().city(), "Nantucket");
  EXPECT_EQ(book.origin().publisher(), "Harper");
  EXPECT_EQ(book.title(), "");
}

TEST(FieldSubset, KnowsLargeNumbersAndUnions) {
  // Numbers over 63, among them one of FieldOptions.
  const auto* large =
      google::protobuf::FieldOptions::descriptor()->FindFieldByName(
          "uninterpreted_option");
  ASSERT_EQ(large->number(), 999);
  FieldSubset fields;
  EXPECT_TRUE(fields.empty());
  EXPECT_FALSE(fields.Has(999));
  fields.Add(*large);
  fields.Add(*large);
  EXPECT_FALSE(fields.empty());
  EXPECT_TRUE(fields.Has(999));
  EXPECT_FALSE(fields.Has(998));
  FieldSubset both = Of({"title"});
  both.Add(fields);
  EXPECT_TRUE(both.Has(999));
  EXPECT_TRUE(both.Has(Book::kTitleFieldNumber));
  EXPECT_FALSE(both.Has(Book::kPagesFieldNumber));

  google::protobuf::FieldOptions options;
  options.set_lazy(true);
  options.add_uninterpreted_option()->set_identifier_value("x");
  google::protobuf::FieldOptions read;
  ASSERT_TRUE(fields.Parse(options.SerializeAsString(), &read));
  EXPECT_FALSE(read.lazy());
  EXPECT_EQ(read.uninterpreted_option_size(), 1);
}

TEST(FieldSubset, RefusesBytesThatAreNoMessage) {
  const std::string bytes = Full().SerializeAsString();
  Book book;
  const FieldSubset title = Of({"title"});
  EXPECT_FALSE(title.Parse(bytes.substr(0, bytes.size() - 1), &book));
  EXPECT_FALSE(title.Parse(std::string(11, '\xFF'), &book));
  EXPECT_FALSE(title.Parse(std::string("\x32\x05", 2), &book)) << "cut off";
  EXPECT_FALSE(title.Parse(std::string("\x0B\x0C", 2), &book)) << "a group";
  EXPECT_FALSE(title.Parse(std::string("\0\0", 2), &book)) << "no number";
  EXPECT_TRUE(title.Parse("", &book));
}

}  // namespace
}  // namespace transparency::fields
