#include <random>
#include <string>
#include <vector>

#include "common/fields/tests/library.pb.h"
#include "common/query/filter.h"
#include "common/query/predicate.h"
#include "common/query/tests/filter_maker.h"
#include "gtest/gtest.h"

// Random filters over random books, against what the grammar says they mean.
namespace transparency::query {
namespace {

using library::v1::Book;

TEST(FilterProperty, AgreesWithANaiveEvaluator) {
  FilterMaker maker(20261125);
  std::vector<Book> books;
  books.reserve(41);
  for (int i = 0; i < 40; ++i) books.push_back(maker.RandomBook());
  books.emplace_back();
  int matches = 0;
  int filters = 0;
  for (int i = 0; i < 2500; ++i) {
    const Made made = maker.Filter();
    auto filter = Filter::Parse(made.text, *Book::descriptor());
    ASSERT_TRUE(filter.ok()) << made.text << ": " << filter.status();
    auto predicate = Predicate::Compile(made.text, *Book::descriptor());
    ASSERT_TRUE(predicate.ok()) << made.text;
    ++filters;
    Book partial;
    for (const Book& book : books) {
      const bool expected = made.holds(book);
      ASSERT_EQ((*filter)->Matches(book), expected)
          << made.text << " on " << book.ShortDebugString();
      ASSERT_EQ((*predicate)->Matches(book, Caller()), expected) << made.text;
      ASSERT_TRUE(
          (*filter)->fields().Parse(book.SerializeAsString(), &partial));
      ASSERT_EQ((*filter)->Matches(partial), expected)
          << made.text << " on what it looks at of " << book.ShortDebugString();
      matches += expected ? 1 : 0;
    }
  }
  // The comparison is worth something only when both answers occur.
  EXPECT_GT(matches, filters * 41 / 10);
  EXPECT_LT(matches, filters * 41 * 9 / 10);
}

TEST(FilterProperty, AnyTextIsReadOrRefused) {
  std::mt19937 random(7);
  const std::vector<std::string> pieces = {"AND",        " ",
                                           "OR",         "NOT",
                                           "(",          ")",
                                           "-",          "title",
                                           "pages",      "=",
                                           "!=",         "<",
                                           ":",          "*",
                                           "\"",         "'",
                                           ".",          "tags",
                                           "1",          "a",
                                           "ü",          "\\",
                                           ",",          "\xFF",
                                           "!",          "2020-01-01T00:00:00Z",
                                           "timestamp(", "labels",
                                           "origin",     "caller"};
  int read = 0;
  for (int i = 0; i < 50000; ++i) {
    std::string text;
    for (auto n = random() % 9; n > 0; --n) {
      text += pieces[random() % pieces.size()];
    }
    auto filter = Filter::Parse(text, *Book::descriptor());
    if (filter.ok()) {
      ++read;
      (*filter)->Matches(Book());
    } else {
      ASSERT_EQ(filter.status().code(), absl::StatusCode::kInvalidArgument);
    }
    (void)Predicate::Compile(text, *Book::descriptor());
  }
  EXPECT_GT(read, 5000);
}

}  // namespace
}  // namespace transparency::query
