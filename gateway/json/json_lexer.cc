#include "gateway/json/json_lexer.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace transparency::gateway::json {
namespace {

void AppendUtf8(unsigned point, std::string* text) {
  const auto byte = [text](unsigned value) {
    text->push_back(static_cast<char>(value));
  };
  if (point < 0x80) {
    byte(point);
  } else if (point < 0x800) {
    byte(0xC0 | (point >> 6));
    byte(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    byte(0xE0 | (point >> 12));
    byte(0x80 | ((point >> 6) & 0x3F));
    byte(0x80 | (point & 0x3F));
  } else {
    byte(0xF0 | (point >> 18));
    byte(0x80 | ((point >> 12) & 0x3F));
    byte(0x80 | ((point >> 6) & 0x3F));
    byte(0x80 | (point & 0x3F));
  }
}

}  // namespace

void JsonLexer::SkipBlanks() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' ||
                                text_[at_] == '\r' || text_[at_] == '\t')) {
    ++at_;
  }
}

char JsonLexer::Peek() {
  SkipBlanks();
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool JsonLexer::CountValue() {
  return --values_left_ >= 0 || Fail("there are too many names and values");
}

bool JsonLexer::TryTake(char c) {
  if (failed() || Peek() != c || at_ == text_.size()) return false;
  ++at_;
  return (c != '{' && c != '[') || CountValue();
}

bool JsonLexer::Take(char c, absl::string_view expected) {
  if (TryTake(c)) return true;
  return Fail(absl::StrCat("expected ", expected));
}

bool JsonLexer::Fail(absl::string_view error) {
  if (failed()) return false;
  error_ = at_ >= text_.size() ? absl::StrCat(error, ", but the body ends here")
                               : std::string(error);
  return false;
}

int JsonLexer::line() const {
  return 1 + static_cast<int>(std::count(
                 text_.begin(), text_.begin() + static_cast<long>(at_), '\n'));
}

int JsonLexer::column() const {
  const size_t newline = text_.substr(0, at_).rfind('\n');
  return static_cast<int>(newline == absl::string_view::npos ? at_ + 1
                                                             : at_ - newline);
}

bool JsonLexer::ReadString(absl::string_view* value) {
  if (!Take('"', "a string in double quotes") || !CountValue()) return false;
  const size_t start = at_;
  bool escaped = false;
  for (; at_ < text_.size(); ++at_) {
    const char c = text_[at_];
    if (c == '"') {
      *value = escaped ? absl::string_view(unescaped_)
                       : text_.substr(start, at_ - start);
      ++at_;
      return true;
    }
    if (static_cast<unsigned char>(c) < 0x20) {
      return Fail("control characters in a string must be escaped");
    }
    if (c == '\\') {
      if (!escaped) unescaped_.assign(text_.data() + start, at_ - start);
      escaped = true;
      if (!ReadEscape()) return false;
    } else if (escaped) {
      unescaped_.push_back(c);
    }
  }
  return Fail("a string is not closed");
}

// Leaves at_ on the escape's last byte.
bool JsonLexer::ReadEscape() {
  if (++at_ >= text_.size()) return Fail("an escape is not complete");
  switch (text_[at_]) {
    case '"':
    case '\\':
    case '/':
      unescaped_.push_back(text_[at_]);
      return true;
    case 'b':
      unescaped_.push_back('\b');
      return true;
    case 'f':
      unescaped_.push_back('\f');
      return true;
    case 'n':
      unescaped_.push_back('\n');
      return true;
    case 'r':
      unescaped_.push_back('\r');
      return true;
    case 't':
      unescaped_.push_back('\t');
      return true;
    case 'u':
      break;
    default:
      return Fail("no such escape in a string");
  }
  unsigned point = 0;
  if (!ReadHex4(&point)) return false;
  if (point >= 0xDC00 && point <= 0xDFFF) {
    return Fail("a low surrogate without its high surrogate");
  }
  if (point >= 0xD800 && point <= 0xDBFF) {
    unsigned low = 0;
    if (at_ + 2 >= text_.size() || text_[at_ + 1] != '\\' ||
        text_[at_ + 2] != 'u') {
      return Fail("a high surrogate without its low surrogate");
    }
    at_ += 2;
    if (!ReadHex4(&low)) return false;
    if (low < 0xDC00 || low > 0xDFFF) {
      return Fail("a high surrogate without its low surrogate");
    }
    point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
  }
  AppendUtf8(point, &unescaped_);
  return true;
}

bool JsonLexer::ReadHex4(unsigned* unit) {
  *unit = 0;
  for (int i = 0; i < 4; ++i) {
    if (++at_ >= text_.size() || !absl::ascii_isxdigit(text_[at_])) {
      return Fail("\\u takes four hexadecimal digits");
    }
    const char c = absl::ascii_tolower(text_[at_]);
    *unit =
        *unit * 16 + static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return true;
}

bool JsonLexer::ReadNumber(absl::string_view* value) {
  SkipBlanks();
  const size_t start = at_;
  const auto digits = [this] {
    const size_t first = at_;
    while (at_ < text_.size() && absl::ascii_isdigit(text_[at_])) ++at_;
    return at_ - first;
  };
  const auto take = [this](absl::string_view any) {
    if (at_ >= text_.size() ||
        any.find(text_[at_]) == absl::string_view::npos) {
      return false;
    }
    ++at_;
    return true;
  };
  take("-");
  const size_t whole = at_;
  const size_t count = digits();
  if (count == 0) return Fail("expected a value");
  if (count > 1 && text_[whole] == '0') {
    return Fail("a number does not begin with 0");
  }
  if (take(".") && digits() == 0) return Fail("expected a digit");
  if (take("eE")) {
    take("+-");
    if (digits() == 0) return Fail("expected a digit");
  }
  *value = text_.substr(start, at_ - start);
  return CountValue();
}

bool JsonLexer::ReadWord(absl::string_view word) {
  SkipBlanks();
  if (text_.substr(at_, word.size()) != word) return Fail("expected a value");
  at_ += word.size();
  if (at_ < text_.size() &&
      (absl::ascii_isalnum(text_[at_]) || text_[at_] == '_')) {
    return Fail("expected a value");
  }
  return CountValue();
}

bool JsonLexer::SkipValue(int depth) {
  absl::string_view ignored;
  switch (Peek()) {
    case '{':
      return SkipContainer('}', depth);
    case '[':
      return SkipContainer(']', depth);
    case '"':
      return ReadString(&ignored);
    case 't':
      return ReadWord("true");
    case 'f':
      return ReadWord("false");
    case 'n':
      return ReadWord("null");
    default:
      return ReadNumber(&ignored);
  }
}

bool JsonLexer::SkipContainer(char close, int depth) {
  if (depth <= 0) return Fail("objects and arrays are nested too deep");
  ++at_;
  if (!CountValue()) return false;
  if (TryTake(close)) return true;
  do {
    absl::string_view key;
    if (close == '}' &&
        (!ReadString(&key) || !Take(':', "':' after the name"))) {
      return false;
    }
    if (!SkipValue(depth - 1)) return false;
  } while (TryTake(','));
  return Take(close, close == '}' ? "',' or '}'" : "',' or ']'");
}

}  // namespace transparency::gateway::json
