// A filter that is read, written and read again is the same filter, and finds
// the same books.

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/fields/tests/library.pb.h"
#include "common/query/filter.h"
#include "common/query/filter_syntax.h"
#include "common/query/predicate.h"
#include "tests/fuzz/fuzz.h"

namespace {

namespace query = transparency::query;
using query::Filter;
using query::Predicate;
using query::filter_syntax::Comparator;
using query::filter_syntax::Expression;
using query::filter_syntax::ExpressionPtr;
using query::filter_syntax::Literal;
using query::filter_syntax::Segment;
using transparency::fuzz::Require;
using transparency::library::v1::Book;

std::string Quoted(absl::string_view text,
                   const std::vector<size_t>& stars = {}) {
  std::string quoted = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    const bool wildcard =
        std::find(stars.begin(), stars.end(), i) != stars.end();
    if (!wildcard &&
        absl::string_view("\"\\*").find(text[i]) != absl::string_view::npos) {
      quoted.push_back('\\');
    }
    quoted.push_back(text[i]);
  }
  return quoted + "\"";
}

std::string Written(const Literal& literal) {
  if (!literal.function.empty()) {
    return absl::StrCat(literal.function, "(", Quoted(literal.text), ")");
  }
  return literal.quoted ? Quoted(literal.text, literal.stars) : literal.text;
}

std::string Written(const std::vector<Segment>& member) {
  std::string text;
  for (const Segment& segment : member) {
    absl::StrAppend(&text, text.empty() ? "" : ".",
                    segment.quoted ? Quoted(segment.text) : segment.text);
  }
  return text;
}

// Without blanks: `AND:x` speaks of a field, `AND :x` begins with a keyword.
const char* Written(Comparator comparator) {
  switch (comparator) {
    case Comparator::kEq:
      return "=";
    case Comparator::kNe:
      return "!=";
    case Comparator::kLt:
      return "<";
    case Comparator::kLe:
      return "<=";
    case Comparator::kGt:
      return ">";
    case Comparator::kGe:
      return ">=";
    case Comparator::kHas:
      return ":";
  }
  return "";
}

// Operands in parentheses where they are made of others.
std::string Written(const Expression& expression) {
  const auto operand = [](const Expression& inner) {
    return inner.operands.empty() ? Written(inner)
                                  : absl::StrCat("(", Written(inner), ")");
  };
  std::string text;
  switch (expression.kind) {
    case Expression::kAnd:
    case Expression::kOr:
      for (const ExpressionPtr& inner : expression.operands) {
        const char* word =
            expression.kind == Expression::kAnd ? " AND " : " OR ";
        absl::StrAppend(&text, text.empty() ? "" : word, operand(*inner));
      }
      return text;
    case Expression::kNot:
      return absl::StrCat("NOT ", operand(*expression.operands[0]));
    case Expression::kRestriction:
      text = Written(expression.member);
      // `x! = y` is no `x != y`.
      return absl::StrCat(text, text.back() == '!' ? " " : "",
                          Written(expression.comparator),
                          operand(*expression.argument));
    case Expression::kLiteral:
      return Written(expression.literal);
  }
  return text;
}

const std::vector<Book>& Books() {
  static const auto* const books = [] {
    auto* made = new std::vector<Book>(3);
    Book& full = (*made)[1];
    full.set_name("shelves/a/books/b");
    full.set_title("Tidsskrift for \xC3\x85lesund");
    full.set_state(Book::OUT);
    full.set_owner("me");
    full.set_pages(-7);
    full.set_weight(7);
    full.set_rating(1.5);
    full.set_lent(true);
    full.add_tags("a");
    full.add_tags("*");
    full.add_marks(3);
    full.add_chapters()->set_heading("one");
    full.mutable_published()->set_year(2019);
    full.mutable_lent_time()->set_seconds(1700000000);
    full.mutable_reading_time()->set_seconds(90);
    full.mutable_origin()->set_city("Oslo");
    full.mutable_volume()->set_value(0);
    (*full.mutable_labels())["k"] = "v";
    (*made)[2].set_title("\"quoted\" \\ *");
    (*made)[2].mutable_published()->set_year(2020);
    (*made)[2].mutable_published()->set_month(2);
    return made;
  }();
  return *books;
}

template <class Parsed, class Ask>
void RequireSameAnswers(const Parsed& first, const Parsed& again,
                        const std::string& written, const Ask& ask) {
  Require(first.ok() == again.ok(), "what is written is read alike",
          absl::StrCat(written, "\n", again.status().ToString()));
  if (!first.ok()) return;
  for (const Book& book : Books()) {
    Require(ask(**first, book) == ask(**again, book),
            "what is written finds the same", written);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text = transparency::fuzz::Text(data, size);
  auto parsed = query::filter_syntax::Parse(text);
  const auto filter = Filter::Parse(text, *Book::descriptor());
  const auto predicate = Predicate::Compile(text, *Book::descriptor());
  if (!parsed.ok()) {
    Require(!filter.ok() && !predicate.ok(), "no grammar, no filter");
    return 0;
  }
  if (*parsed == nullptr) return 0;
  const std::string written = Written(**parsed);
  auto again = query::filter_syntax::Parse(written);
  // What is written with parentheses can pass the limits of what was read.
  if (!again.ok() && (absl::StrContains(again.status().message(), "longer") ||
                      absl::StrContains(again.status().message(), "deeper"))) {
    return 0;
  }
  Require(again.ok(), "what is written can be read",
          absl::StrCat(written, "\n", again.status().ToString()));
  Require(Written(**again) == written, "what is read again is the same",
          absl::StrCat(written, "\n", Written(**again)));
  RequireSameAnswers(
      filter, Filter::Parse(written, *Book::descriptor()), written,
      [](const Filter& f, const Book& book) { return f.Matches(book); });
  for (const auto& caller :
       {transparency::Caller{}, transparency::Caller{"me", {"staff"}}}) {
    RequireSameAnswers(predicate,
                       Predicate::Compile(written, *Book::descriptor()),
                       written, [&](const Predicate& p, const Book& book) {
                         return p.Matches(book, caller);
                       });
  }
  return 0;
}
