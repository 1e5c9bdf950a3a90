#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace transparency::gateway::json {

// RFC 8259 tokens of one text, which must be UTF-8. The first syntax error
// ends everything: each function then returns false, and error() and position
// tell what and where. Not thread-safe.
class JsonLexer {
 public:
  // More than `max_values` names and values, those that are skipped too, are an
  // error: reading them costs far more than sending them.
  JsonLexer(absl::string_view text, int max_values)
      : text_(text), values_left_(max_values) {}

  // First byte of the next token, blanks skipped; 0 at the end.
  char Peek();
  // Whether all is read; Peek's 0 may also be a byte of the text.
  bool AtEnd() const { return at_ == text_.size(); }
  // Consumes `c` if it is the next token.
  bool TryTake(char c);
  // Consumes `c`, or fails naming what was expected.
  bool Take(char c, absl::string_view expected);

  // A string; `value` stays valid until the next ReadString.
  bool ReadString(absl::string_view* value);
  // A number as written.
  bool ReadNumber(absl::string_view* value);
  // true, false or null.
  bool ReadWord(absl::string_view word);

  // Skips one value of any kind, `depth` levels deep at most.
  bool SkipValue(int depth);

  // Fails at the present position. Returns false.
  bool Fail(absl::string_view error);

  // The present position, for reading a value twice.
  size_t offset() const { return at_; }
  void Rewind(size_t offset) { at_ = offset; }

  // Whether what failed is the number of names and values.
  bool too_many() const { return values_left_ < 0; }
  bool failed() const { return !error_.empty(); }
  const std::string& error() const { return error_; }
  // Both from 1; a column counts bytes.
  int line() const;
  int column() const;

 private:
  void SkipBlanks();
  // False when there are too many.
  bool CountValue();
  bool ReadEscape();
  bool ReadHex4(unsigned* unit);
  bool SkipContainer(char close, int depth);

  const absl::string_view text_;
  size_t at_ = 0;
  int values_left_;
  std::string unescaped_;
  std::string error_;
};

}  // namespace transparency::gateway::json
