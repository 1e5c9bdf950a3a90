#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// The grammar of AIP-160, without knowing any field: text to tree.
//
// Decisions where the AIP leaves them:
//   * AND, OR and NOT may be followed by a parenthesis without white space.
//   * A value after a comparator is a run of text up to white space or a
//     parenthesis; an RFC 3339 instant may hold its colons. Other text with
//     one of ( ) " ' , < > = : in it is quoted.
//   * In quotes \" \' \\ and \* stand for the character itself; another
//     backslash is an error. `*` elsewhere is a wildcard.
//   * A value may be an expression of values in parentheses:
//     `state = (ISSUED OR SUSPENDED)`.
namespace transparency::query::filter_syntax {

// Unicode code points of a filter, terms of it, and nesting.
inline constexpr size_t kMaxLength = 2000;
inline constexpr int kMaxTerms = 100;
inline constexpr int kMaxDepth = 32;
// Terms that search through text and not only compare it: words, and values
// with something between wildcards.
inline constexpr int kMaxSearches = 10;

enum class Comparator { kEq, kNe, kLt, kLe, kGt, kGe, kHas };

// What stands on the right of a comparator, or alone.
struct Literal {
  size_t offset = 0;
  std::string text;  // without quotes and escapes
  bool quoted = false;
  std::vector<size_t> stars;  // offsets in `text` of wildcards
  std::string function;  // of timestamp("…"): the name; `text` the argument
};

// One part of a path such as `labels."a.b".size`.
struct Segment {
  size_t offset = 0;
  std::string text;
  bool quoted = false;
};

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Expression {
  enum Kind { kAnd, kOr, kNot, kRestriction, kLiteral };

  Kind kind = kAnd;
  size_t offset = 0;
  std::vector<ExpressionPtr> operands;  // of kAnd, kOr, kNot

  // Of kRestriction; `argument` holds kLiteral and, in parentheses, kAnd, kOr
  // and kNot of them.
  std::vector<Segment> member;
  Comparator comparator = Comparator::kEq;
  ExpressionPtr argument;

  // Of kLiteral: a bare word, or a value.
  Literal literal;
};

// Reads a filter; null for one that is empty. QUERY_INVALID otherwise.
absl::StatusOr<ExpressionPtr> Parse(absl::string_view text);

}  // namespace transparency::query::filter_syntax
