#include "common/query/filter_syntax.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/text.h"
#include "common/query/query_error.h"

namespace transparency::query::filter_syntax {
namespace {

constexpr char kField[] = "filter";

bool IsSpace(char c) {
  return absl::ascii_isspace(static_cast<unsigned char>(c));
}

// Whether `text` begins with a date and the T before a time.
bool BeginsInstant(absl::string_view text) {
  constexpr absl::string_view kShape = "dddd-dd-ddT";
  if (text.size() < kShape.size()) return false;
  for (size_t i = 0; i < kShape.size(); ++i) {
    const char c = text[i];
    const bool fits = kShape[i] == 'd'
                          ? absl::ascii_isdigit(static_cast<unsigned char>(c))
                      : kShape[i] == 'T' ? c == 'T' || c == 't'
                                         : c == kShape[i];
    if (!fits) return false;
  }
  return true;
}

ExpressionPtr Make(Expression::Kind kind, size_t offset) {
  auto made = std::make_unique<Expression>();
  made->kind = kind;
  made->offset = offset;
  return made;
}

// Recursive descent. The first error is kept and ends the parse: every function
// returns null once there is one.
class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  absl::StatusOr<ExpressionPtr> Run() {
    SkipSpace();
    if (AtEnd()) return ExpressionPtr();
    ExpressionPtr parsed = ParseExpression(Place::kFilter);
    // Only a parenthesis ends an expression before the filter ends.
    if (error_.ok() && !AtEnd()) Fail(at_, "no `(` stands before this `)`");
    if (!error_.ok()) return error_;
    return parsed;
  }

 private:
  // Whether terms are restrictions, or values in parentheses after a
  // comparator.
  enum class Place { kFilter, kArgument };

  bool AtEnd() const { return at_ >= text_.size(); }
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  void SkipSpace() {
    while (!AtEnd() && IsSpace(text_[at_])) ++at_;
  }
  // The rest of the filter from here, for a message.
  std::string Here() const {
    return AtEnd()
               ? "the end of the filter"
               : absl::StrCat("`", text::Excerpt(text_.substr(at_), 20), "`");
  }
  ExpressionPtr Fail(size_t offset, absl::string_view what) {
    if (error_.ok()) error_ = QueryInvalid(kField, text_, offset, what);
    return nullptr;
  }

  // Whether the keyword stands here as a word of its own.
  bool AtKeyword(absl::string_view keyword) const {
    if (!absl::StartsWith(text_.substr(at_), keyword)) return false;
    const char after = Peek(keyword.size());
    return at_ + keyword.size() >= text_.size() || IsSpace(after) ||
           after == '(' || after == ')';
  }
  bool AtAnyKeyword() const {
    return AtKeyword("AND") || AtKeyword("OR") || AtKeyword("NOT");
  }
  bool AtComparator() const {
    const char c = Peek();
    return c == '=' || c == '<' || c == '>' || c == ':' ||
           (c == '!' && Peek(1) == '=');
  }
  // A character of unquoted text; dots are not.
  bool AtText() const {
    const char c = Peek();
    return !AtEnd() && !IsSpace(c) && !AtComparator() && c != '(' && c != ')' &&
           c != '"' && c != '\'' && c != ',' && c != '.';
  }

  // What stands here begins no comparison and is no word.
  ExpressionPtr FailTerm() {
    return Fail(at_, absl::StrCat(AtComparator()
                                      ? "expected a field, not "
                                      : "expected a comparison or a word, not ",
                                  Here(), KeywordHint()));
  }
  ExpressionPtr FailValue() {
    return Fail(at_,
                absl::StrCat("expected a value, not ", Here(), KeywordHint()));
  }
  const char* KeywordHint() const {
    return AtAnyKeyword() ? "; a text that is a keyword is quoted" : "";
  }

  ExpressionPtr ParseExpression(Place place);
  ExpressionPtr ParseSequence(Place place);
  ExpressionPtr ParseFactor(Place place);
  ExpressionPtr ParseTerm(Place place);
  ExpressionPtr ParseSimple(Place place);
  ExpressionPtr ParseRestriction();
  ExpressionPtr ParseLiteral(Place place);
  ExpressionPtr ParseArgument();
  ExpressionPtr ParseValue();
  ExpressionPtr ParseFunction(size_t start);
  bool ParseMember(std::vector<Segment>* member);
  bool ParseString(std::string* text, std::vector<size_t>* stars);
  Comparator TakeComparator();
  void TakeRun();

  const absl::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
  int terms_ = 0;
  int searches_ = 0;
  absl::Status error_;
};

// expression: sequence {WS AND WS sequence}
ExpressionPtr Parser::ParseExpression(Place place) {
  ExpressionPtr all = Make(Expression::kAnd, at_);
  while (true) {
    ExpressionPtr next = ParseSequence(place);
    if (next == nullptr) return nullptr;
    all->operands.push_back(std::move(next));
    if (!AtKeyword("AND")) break;
    at_ += 3;
    SkipSpace();
  }
  return all->operands.size() == 1 ? std::move(all->operands[0])
                                   : std::move(all);
}

// sequence: factor {WS factor}
ExpressionPtr Parser::ParseSequence(Place place) {
  ExpressionPtr all = Make(Expression::kAnd, at_);
  while (true) {
    ExpressionPtr next = ParseFactor(place);
    if (next == nullptr) return nullptr;
    all->operands.push_back(std::move(next));
    if (AtEnd() || Peek() == ')' || AtKeyword("AND")) break;
    if (!IsSpace(text_[at_ - 1])) {
      return Fail(at_, absl::StrCat("expected white space before ", Here()));
    }
  }
  return all->operands.size() == 1 ? std::move(all->operands[0])
                                   : std::move(all);
}

// factor: term {WS OR WS term}
ExpressionPtr Parser::ParseFactor(Place place) {
  ExpressionPtr any = Make(Expression::kOr, at_);
  while (true) {
    ExpressionPtr next = ParseTerm(place);
    if (next == nullptr) return nullptr;
    any->operands.push_back(std::move(next));
    SkipSpace();
    if (!AtKeyword("OR")) break;
    at_ += 2;
    SkipSpace();
  }
  return any->operands.size() == 1 ? std::move(any->operands[0])
                                   : std::move(any);
}

// term: [(NOT WS | MINUS)] simple
ExpressionPtr Parser::ParseTerm(Place place) {
  const size_t start = at_;
  bool negated = false;
  if (AtKeyword("NOT")) {
    at_ += 3;
    SkipSpace();
    negated = true;
  } else if (Peek() == '-' &&
             (place == Place::kFilter ||
              !absl::ascii_isdigit(static_cast<unsigned char>(Peek(1))))) {
    ++at_;
    negated = true;
  }
  ExpressionPtr simple = ParseSimple(place);
  if (simple == nullptr || !negated) return simple;
  ExpressionPtr term = Make(Expression::kNot, start);
  term->operands.push_back(std::move(simple));
  return term;
}

// simple: restriction | composite
ExpressionPtr Parser::ParseSimple(Place place) {
  if (place == Place::kFilter && AtAnyKeyword()) return FailTerm();
  if (Peek() != '(') {
    if (++terms_ > kMaxTerms) {
      return Fail(at_, absl::StrCat("more than ", kMaxTerms, " terms"));
    }
    return place == Place::kFilter ? ParseRestriction() : ParseValue();
  }
  if (++depth_ > kMaxDepth) {
    return Fail(at_, absl::StrCat("nested deeper than ", kMaxDepth));
  }
  ++at_;
  SkipSpace();
  ExpressionPtr inner = ParseExpression(place);
  if (inner == nullptr) return nullptr;
  --depth_;
  if (Peek() != ')') {
    return Fail(at_, absl::StrCat("expected `)`, not ", Here()));
  }
  ++at_;
  return inner;
}

// restriction: comparable [comparator arg]
ExpressionPtr Parser::ParseRestriction() {
  const size_t start = at_;
  ExpressionPtr made = Make(Expression::kRestriction, start);
  const bool path = ParseMember(&made->member);
  if (!error_.ok()) return nullptr;
  if (path && Peek() == '(') {
    return Fail(start, "a function can only stand right of a comparator");
  }
  if (path) SkipSpace();
  if (!path || !AtComparator()) {
    at_ = start;
    return ParseLiteral(Place::kFilter);
  }
  made->comparator = TakeComparator();
  SkipSpace();
  made->argument = ParseArgument();
  return made->argument == nullptr ? nullptr : std::move(made);
}

// member: value {DOT field}
bool Parser::ParseMember(std::vector<Segment>* member) {
  while (true) {
    Segment segment;
    segment.offset = at_;
    if (Peek() == '"' || Peek() == '\'') {
      segment.quoted = true;
      std::vector<size_t> stars;
      if (!ParseString(&segment.text, &stars)) return false;
    } else {
      while (AtText()) segment.text.push_back(text_[at_++]);
      if (segment.text.empty()) return false;
    }
    member->push_back(std::move(segment));
    if (Peek() != '.') return true;
    ++at_;
  }
}

// A word to search for, or a value: one string in quotes, or a run of text.
ExpressionPtr Parser::ParseLiteral(Place place) {
  const size_t start = at_;
  ExpressionPtr word = Make(Expression::kLiteral, start);
  Literal& literal = word->literal;
  literal.offset = start;
  if (Peek() == '"' || Peek() == '\'') {
    literal.quoted = true;
    if (!ParseString(&literal.text, &literal.stars)) return nullptr;
  } else {
    TakeRun();
    literal.text = std::string(text_.substr(start, at_ - start));
    for (size_t i = 0; i < literal.text.size(); ++i) {
      if (literal.text[i] == '*') literal.stars.push_back(i);
    }
  }
  if (literal.text.empty() && !literal.quoted) {
    return place == Place::kFilter ? FailTerm() : FailValue();
  }
  if (literal.text.empty() && place == Place::kFilter) {
    return Fail(start, "expected text to search for between these quotes");
  }
  if (!AtEnd() && !IsSpace(Peek()) && Peek() != ')') {
    return Fail(at_, absl::StrCat("unexpected ", Here(),
                                  "; a text that holds it is quoted"));
  }
  if ((place == Place::kFilter || literal.stars.size() > 1) &&
      ++searches_ > kMaxSearches) {
    return Fail(start, absl::StrCat("more than ", kMaxSearches,
                                    " terms that search through text: words, "
                                    "and values with several `*`"));
  }
  return word;
}

// arg: comparable | composite
ExpressionPtr Parser::ParseArgument() {
  return Peek() == '(' ? ParseSimple(Place::kArgument) : ParseValue();
}

ExpressionPtr Parser::ParseValue() {
  if (AtEnd() || Peek() == ')' || AtAnyKeyword()) return FailValue();
  const size_t start = at_;
  if (Peek() != '"' && Peek() != '\'') {
    TakeRun();
    if (Peek() == '(' && at_ > start) return ParseFunction(start);
    at_ = start;
  }
  return ParseLiteral(Place::kArgument);
}

// function: name {DOT name} LPAREN [argList] RPAREN. All functions there are
// take one text.
ExpressionPtr Parser::ParseFunction(size_t start) {
  std::string name(text_.substr(start, at_ - start));
  ++at_;
  SkipSpace();
  ExpressionPtr call = Make(Expression::kLiteral, start);
  call->literal.function = std::move(name);
  call->literal.offset = start;
  if (Peek() == '"' || Peek() == '\'') {
    std::vector<size_t> stars;
    if (!ParseString(&call->literal.text, &stars)) return nullptr;
  } else {
    const size_t from = at_;
    TakeRun();
    call->literal.text = std::string(text_.substr(from, at_ - from));
  }
  SkipSpace();
  if (Peek() != ')') {
    return Fail(at_, absl::StrCat("expected `)` after one argument of ",
                                  text::Excerpt(call->literal.function, 20),
                                  ", not ", Here()));
  }
  ++at_;
  return call;
}

bool Parser::ParseString(std::string* text, std::vector<size_t>* stars) {
  const size_t start = at_;
  const char quote = text_[at_++];
  while (!AtEnd() && Peek() != quote) {
    if (Peek() == '*') stars->push_back(text->size());
    if (Peek() == '\\') {
      ++at_;
      if (AtEnd()) break;
      if (!absl::StrContains("\"'\\*", Peek())) {
        Fail(
            at_ - 1,
            "a backslash comes before \", ', \\ or * only; write \\\\ for one");
        return false;
      }
    }
    text->push_back(text_[at_++]);
  }
  if (AtEnd()) {
    Fail(start, "this quote is not closed");
    return false;
  }
  ++at_;
  return true;
}

Comparator Parser::TakeComparator() {
  const char first = text_[at_++];
  const bool with_equals = first != '=' && first != ':' && Peek() == '=';
  if (with_equals) ++at_;
  switch (first) {
    case '=':
      return Comparator::kEq;
    case '!':
      return Comparator::kNe;
    case '<':
      return with_equals ? Comparator::kLe : Comparator::kLt;
    case '>':
      return with_equals ? Comparator::kGe : Comparator::kGt;
    default:
      return Comparator::kHas;
  }
}

// Unquoted text with its dots, or an RFC 3339 instant.
void Parser::TakeRun() {
  if (BeginsInstant(text_.substr(at_))) {
    while (absl::ascii_isalnum(static_cast<unsigned char>(Peek())) ||
           (Peek() != '\0' && absl::StrContains(":.+-", Peek()))) {
      ++at_;
    }
    return;
  }
  while (AtText() || Peek() == '.') ++at_;
}

}  // namespace

absl::StatusOr<ExpressionPtr> Parse(absl::string_view text) {
  if (!text::IsUtf8(text)) return QueryInvalid(kField, "", 0, "is no UTF-8");
  if (text::CodePoints(text) > kMaxLength) {
    return QueryInvalid(
        kField, text, text.size(),
        absl::StrCat("longer than ", kMaxLength, " characters"));
  }
  return Parser(text).Run();
}

}  // namespace transparency::query::filter_syntax
