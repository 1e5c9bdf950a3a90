#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/resource/filter.h"
#include "common/resource/predicate.h"
#include "common/resource/tests/library.pb.h"
#include "gtest/gtest.h"

// Random filters over random books, against an evaluator that is written for
// these books alone and knows nothing of descriptors, grammar or trees.
namespace transparency::resource {
namespace {

using library::v1::Book;

// A filter as text, and what it means.
struct Made {
  std::string text;
  std::function<bool(const Book&)> holds;
};

class Maker {
 public:
  explicit Maker(uint32_t seed) : random_(seed) {}

  Made Expression(int depth) {
    switch (depth == 0 ? 0 : Pick(8)) {
      case 1:
        return And(depth, " AND ");
      case 2:
        return And(depth, "  ");
      case 3:
        return Or(depth);
      case 4:
        return Not(depth, "NOT ");
      case 5:
        return Not(depth, "-");
      case 6:
        return Wrapped(Expression(depth - 1));
      default:
        return Restriction();
    }
  }

  Book RandomBook() {
    Book book;
    if (Pick(3) > 0) book.set_title(Word());
    book.set_pages(Pick(4));
    book.set_lent(Pick(2) == 0);
    book.set_state(static_cast<Book::State>(Pick(4)));
    if (Pick(2) == 0) book.set_edition(Pick(3));
    if (Pick(2) == 0) {
      book.mutable_origin()->set_city(Pick(2) == 0 ? Word() : "");
      if (Pick(2) == 0) {
        book.mutable_origin()->mutable_preface()->set_pages(Pick(3));
      }
    }
    for (int i = Pick(3); i > 0; --i) book.add_tags(Word());
    for (int i = Pick(3); i > 0; --i) book.add_chapters()->set_pages(Pick(3));
    if (Pick(2) == 0) (*book.mutable_labels())["k"] = Word();
    return book;
  }

 private:
  int Pick(int choices) {
    return std::uniform_int_distribution<int>(0, choices - 1)(random_);
  }
  std::string Word() {
    constexpr const char* kWords[] = {"a", "b", "ab", "ba", "A"};
    return kWords[Pick(5)];
  }

  static Made Wrapped(const Made& inner) {
    return {absl::StrCat("(", inner.text, ")"), inner.holds};
  }
  Made And(int depth, const char* by) {
    Made a = Wrapped(Expression(depth - 1));
    Made b = Wrapped(Expression(depth - 1));
    return {absl::StrCat(a.text, by, b.text), [a, b](const Book& book) {
              return a.holds(book) && b.holds(book);
            }};
  }
  // Without parentheses around it: OR binds tighter than what stands beside.
  Made Or(int depth) {
    Made a = Wrapped(Expression(depth - 1));
    Made b = Restriction();
    Made c = Restriction();
    return {absl::StrCat(c.text, " ", a.text, " OR ", b.text),
            [a, b, c](const Book& book) {
              return c.holds(book) && (a.holds(book) || b.holds(book));
            }};
  }
  Made Not(int depth, const char* by) {
    Made a = Wrapped(Expression(depth - 1));
    return {absl::StrCat(by, a.text),
            [a](const Book& book) { return !a.holds(book); }};
  }

  // A comparison of a number that may not be there.
  Made Number(const std::string& field,
              std::function<bool(const Book&, int*)> get) {
    const int value = Pick(3);
    constexpr const char* kComparators[] = {
        "=", "!=", "<", "<=", ">", ">=", ":"};
    const int comparator = Pick(7);
    return {absl::StrCat(field, kComparators[comparator], value),
            [get, value, comparator](const Book& book) {
              int x = 0;
              if (!get(book, &x)) return false;
              switch (comparator) {
                case 1:
                  return x != value;
                case 2:
                  return x < value;
                case 3:
                  return x <= value;
                case 4:
                  return x > value;
                case 5:
                  return x >= value;
                default:
                  return x == value;
              }
            }};
  }

  Made Text(const std::string& field,
            std::function<bool(const Book&, std::string*)> get) {
    const std::string word = Word();
    const bool prefix = Pick(3) == 0;
    const bool negated = Pick(3) == 0;
    return {
        absl::StrCat(field, negated ? " != " : " = ", word, prefix ? "*" : ""),
        [=](const Book& book) {
          std::string x;
          if (!get(book, &x)) return false;
          return (prefix ? absl::StartsWith(x, word) : x == word) != negated;
        }};
  }

  Made Restriction() {
    switch (Pick(10)) {
      case 0:
        return Number("pages", [](const Book& book, int* x) {
          *x = book.pages();
          return true;
        });
      case 1:
        return Number("edition", [](const Book& book, int* x) {
          *x = book.edition();
          return book.has_edition();
        });
      case 2:
        return Number("origin.preface.pages", [](const Book& book, int* x) {
          *x = book.origin().preface().pages();
          return book.has_origin() && book.origin().has_preface();
        });
      case 3:
        return Text("title", [](const Book& book, std::string* x) {
          *x = book.title();
          return true;
        });
      case 4:
        return Text("origin.city", [](const Book& book, std::string* x) {
          *x = book.origin().city();
          return book.has_origin();
        });
      case 5:
        return Text("labels.k", [](const Book& book, std::string* x) {
          const auto found = book.labels().find("k");
          if (found == book.labels().end()) return false;
          *x = found->second;
          return true;
        });
      case 6: {
        const std::string word = Word();
        return {absl::StrCat("tags:", word), [word](const Book& book) {
                  return std::count(book.tags().begin(), book.tags().end(),
                                    word) > 0;
                }};
      }
      case 7: {
        const int pages = Pick(3);
        return {
            absl::StrCat("chapters.pages:", pages), [pages](const Book& book) {
              return std::any_of(book.chapters().begin(), book.chapters().end(),
                                 [&](const Book::Chapter& chapter) {
                                   return chapter.pages() == pages;
                                 });
            }};
      }
      case 8: {
        const auto state = static_cast<Book::State>(Pick(4));
        return {absl::StrCat("state=", Book::State_Name(state)),
                [state](const Book& book) { return book.state() == state; }};
      }
      default:
        return BareWord();
    }
  }

  Made BareWord() {
    const std::string word = Word();
    return {word, [word](const Book& book) {
              const auto in = [&](const std::string& text) {
                return absl::StrContains(absl::AsciiStrToLower(text),
                                         absl::AsciiStrToLower(word));
              };
              return in(book.title()) || in(book.origin().city()) ||
                     std::any_of(book.tags().begin(), book.tags().end(), in) ||
                     std::any_of(book.labels().begin(), book.labels().end(),
                                 [&](const auto& entry) {
                                   return in(entry.first) || in(entry.second);
                                 });
            }};
  }

  std::mt19937 random_;
};

TEST(FilterProperty, AgreesWithANaiveEvaluator) {
  Maker maker(20261123);
  std::vector<Book> books;
  books.reserve(61);
  for (int i = 0; i < 60; ++i) books.push_back(maker.RandomBook());
  books.emplace_back();
  int matches = 0;
  int filters = 0;
  for (int i = 0; i < 3000; ++i) {
    const Made made = maker.Expression(3);
    auto filter = Filter::Parse(made.text, *Book::descriptor());
    ASSERT_TRUE(filter.ok()) << made.text << ": " << filter.status();
    auto predicate = Predicate::Compile(made.text, *Book::descriptor());
    ASSERT_TRUE(predicate.ok()) << made.text;
    ++filters;
    for (const Book& book : books) {
      const bool expected = made.holds(book);
      ASSERT_EQ((*filter)->Matches(book), expected)
          << made.text << " on " << book.ShortDebugString();
      ASSERT_EQ((*predicate)->Matches(book, Caller()), expected) << made.text;
      matches += expected ? 1 : 0;
    }
  }
  // The comparison is worth something only when both answers occur.
  EXPECT_GT(matches, filters * 61 / 10);
  EXPECT_LT(matches, filters * 61 * 9 / 10);
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
}  // namespace transparency::resource
