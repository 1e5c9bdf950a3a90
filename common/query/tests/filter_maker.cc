// The grammar of AIP-160, and random books.
#include "common/query/tests/filter_maker.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace transparency::query {

using library::v1::Book;
using Chapter = Book::Chapter;

Made FilterMaker::Filter() {
  terms_left_ = 1 + Pick(20);
  return Expression(3, [this] { return Restriction(); });
}

std::string FilterMaker::Space() {
  return OneOf<std::string>({" ", " ", " ", "  ", "\t", "\n", " \n "});
}

// How many parts, of those that the filter may still have.
int FilterMaker::Few(int most) {
  const int count = std::min(1 + Pick(most), 1 + std::max(0, terms_left_));
  terms_left_ -= count - 1;
  return count;
}

Made FilterMaker::Expression(int depth, const Leaf& leaf) {
  Made made = Sequence(depth, leaf);
  for (int i = Few(2); i > 1; --i) {
    Made next = Sequence(depth, leaf);
    // No white space is needed before a parenthesis.
    const bool close = absl::StartsWith(next.text, "(") && Chance(2);
    made = {absl::StrCat(made.text, Space(), "AND", close ? "" : Space(),
                         next.text),
            [a = made.holds, b = next.holds](const Book& book) {
              return a(book) && b(book);
            }};
  }
  return made;
}

// OR binds tighter than AND, and than what stands side by side.
Made FilterMaker::Sequence(int depth, const Leaf& leaf) {
  Made made = Factor(depth, leaf);
  for (int i = Few(3); i > 1; --i) {
    Made next = Factor(depth, leaf);
    made = {absl::StrCat(made.text, Space(), next.text),
            [a = made.holds, b = next.holds](const Book& book) {
              return a(book) && b(book);
            }};
  }
  return made;
}

Made FilterMaker::Factor(int depth, const Leaf& leaf) {
  Made made = Term(depth, leaf);
  for (int i = Few(3); i > 1; --i) {
    Made next = Term(depth, leaf);
    made = {absl::StrCat(made.text, Space(), "OR", Space(), next.text),
            [a = made.holds, b = next.holds](const Book& book) {
              return a(book) || b(book);
            }};
  }
  return made;
}

Made FilterMaker::Term(int depth, const Leaf& leaf) {
  Made made = Simple(depth, leaf);
  if (!Chance(4)) return made;
  // A minus before a digit would be the number's.
  const char first = made.text[0];
  const bool minus = first != '-' && !absl::ascii_isdigit(first) && Chance(2);
  return {absl::StrCat(minus ? "-" : absl::StrCat("NOT", Space()), made.text),
          [holds = made.holds](const Book& book) { return !holds(book); }};
}

Made FilterMaker::Simple(int depth, const Leaf& leaf) {
  if (depth == 0 || !Chance(4)) return leaf();
  Made inner = Expression(depth - 1, leaf);
  inner.text = absl::StrCat("(", MaybeSpace(), inner.text, MaybeSpace(), ")");
  return inner;
}

std::string FilterMaker::Word() {
  return OneOf<std::string>({"a", "b", "ab", "ba", "A", "b a", "ü", "Ü", "a*b",
                             "a\"b", "a'", "b\\", "a,b", "OR", "(a", "a=b",
                             "-a", "1"});
}

FilterMaker::Pattern FilterMaker::RandomPattern() {
  Pattern pattern = {Word()};
  if (Chance(4)) pattern.push_back(Chance(2) ? "" : Word());
  if (Chance(6)) pattern.insert(pattern.begin(), "");
  if (Chance(20)) pattern.front() = "";
  return pattern;
}

std::string FilterMaker::Write(const Pattern& pattern) {
  bool plain = pattern.size() > 1 || !pattern[0].empty();
  for (const std::string& part : pattern) {
    plain = plain && part != "OR" && part[0] != '-' &&
            part.find_first_of("*\"'\\,(= ") == std::string::npos;
  }
  if (plain && !Chance(3)) return absl::StrJoin(pattern, "*");
  const std::string quote = Chance(2) ? "\"" : "'";
  const bool both = Chance(2);  // the other quote may be escaped as well
  std::vector<std::string> written;
  for (const std::string& part : pattern) {
    std::string escaped;
    for (const char c : part) {
      const bool is_quote = c == '"' || c == '\'';
      if (c == '\\' || c == '*' || (is_quote && (both || quote[0] == c))) {
        escaped.push_back('\\');
      }
      escaped.push_back(c);
    }
    written.push_back(escaped);
  }
  return absl::StrCat(quote, absl::StrJoin(written, "*"), quote);
}

google::type::Date FilterMaker::RandomDate() {
  google::type::Date date;
  date.set_year(2019 + Pick(2));
  if (Chance(4)) return date;
  date.set_month(OneOf<int>({2, 12}));
  if (!Chance(3)) date.set_day(OneOf<int>({1, 28}));
  return date;
}

Book::Chapter FilterMaker::RandomChapter(int depth) {
  Chapter chapter;
  if (Chance(2)) chapter.set_heading(Word());
  chapter.set_pages(Pick(3));
  if (Chance(2)) *chapter.mutable_written() = RandomDate();
  for (int i = Pick(3); depth > 0 && i > 0; --i) {
    *chapter.add_parts() = RandomChapter(depth - 1);
  }
  return chapter;
}

Book FilterMaker::RandomBook() {
  Book book;
  if (!Chance(3)) book.set_title(Word());
  book.set_pages(Pick(5) - 2);
  book.set_copies(Pick(5) - 2);
  book.set_floor(static_cast<uint32_t>(Pick(3)));
  book.set_weight(static_cast<uint64_t>(Pick(3)));
  book.set_rating(static_cast<float>(Pick(5) - 2) / 2);
  book.set_price((Pick(5) - 2) / 2.0);
  book.set_lent(Chance(2));
  book.set_state(static_cast<Book::State>(Pick(4)));
  if (Chance(2)) book.set_cover("bytes");
  if (Chance(2)) book.set_edition(Pick(3));
  if (Chance(2)) book.mutable_volume()->set_value(Pick(3));
  if (Chance(3)) book.set_room(Chance(3) ? "" : Word());
  if (!book.has_room() && Chance(2)) book.set_crate(Pick(3));
  if (Chance(2)) book.mutable_lent_time()->set_seconds(Pick(3));
  if (Chance(2)) {
    const int halves = Pick(5) - 2;
    book.mutable_reading_time()->set_seconds(halves / 2);
    book.mutable_reading_time()->set_nanos(halves % 2 * 500'000'000);
  }
  if (Chance(2)) *book.mutable_published() = RandomDate();
  if (Chance(2)) {
    book.mutable_origin()->set_city(Chance(2) ? Word() : "");
    if (Chance(2)) *book.mutable_origin()->mutable_preface() = RandomChapter(0);
  }
  for (int i = Pick(3); i > 0; --i) book.add_tags(Word());
  for (int i = Pick(3); i > 0; --i) book.add_marks(Pick(5) - 2);
  for (int i = Pick(3); i > 0; --i) {
    book.add_states(static_cast<Book::State>(Pick(4)));
  }
  for (int i = Pick(3); i > 0; --i) *book.add_chapters() = RandomChapter(2);
  if (Chance(2)) (*book.mutable_labels())["k"] = Chance(4) ? "" : Word();
  if (Chance(2)) (*book.mutable_labels())["a.b"] = Word();
  if (Chance(2)) (*book.mutable_numbered())[Pick(2)] = RandomChapter(0);
  return book;
}

}  // namespace transparency::query
