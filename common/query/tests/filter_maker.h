#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "common/fields/tests/library.pb.h"

namespace transparency::query {

// A filter, or a part of one, as text, and what it means.
struct Made {
  std::string text;
  std::function<bool(const library::v1::Book&)> holds;
};

// Makes random filters over books with the whole grammar of AIP-160, and random
// books. The meaning is put together from what AIP-160 says of each form, for
// these books alone: it knows nothing of descriptors, parsers or trees.
class FilterMaker {
 public:
  explicit FilterMaker(uint32_t seed) : random_(seed) {}

  Made Filter();
  library::v1::Book RandomBook();

 private:
  using Book = library::v1::Book;
  using Leaf = std::function<Made()>;
  // Parts of a text value: what stands there, and wildcards between.
  using Pattern = std::vector<std::string>;

  int Pick(int choices) {
    return std::uniform_int_distribution<int>(0, choices - 1)(random_);
  }
  bool Chance(int of) { return Pick(of) == 0; }
  template <class T>
  T OneOf(const std::vector<T>& choices) {
    return choices[static_cast<size_t>(Pick(static_cast<int>(choices.size())))];
  }

  // The grammar: expression, sequence, factor, term, simple over leaves, which
  // are restrictions, or values in parentheses.
  Made Expression(int depth, const Leaf& leaf);
  Made Sequence(int depth, const Leaf& leaf);
  Made Factor(int depth, const Leaf& leaf);
  Made Term(int depth, const Leaf& leaf);
  Made Simple(int depth, const Leaf& leaf);
  std::string Space();
  std::string MaybeSpace() { return Chance(3) ? Space() : ""; }
  int Few(int most);

  Made Restriction();
  // `member comparator value`, where the value may be an expression of values.
  Made WithValue(const std::string& before, const Leaf& value);
  std::string Compared(const std::string& member, const std::string& by);

  Made Number();
  Made Flag();
  Made State();
  Made Text();
  Made Instant();
  Made Duration();
  Made Published();
  Made Repeated();
  Made Part();
  Made Present();
  Made BareWord();

  std::string Word();
  Pattern RandomPattern();
  // As it stands in a filter: quoted, with escapes, where it must be, and
  // sometimes where it need not.
  std::string Write(const Pattern& pattern);
  library::v1::Book::Chapter RandomChapter(int depth);
  google::type::Date RandomDate();

  std::mt19937 random_;
  int terms_left_ = 0;
};

}  // namespace transparency::query
