#include "gateway/rest/path_template.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace transparency::gateway::rest {
namespace {

bool IsLiteral(absl::string_view text) {
  if (text.empty()) return false;
  for (char c : text) {
    if (!absl::ascii_isalnum(c) &&
        absl::string_view("-_.~").find(c) == absl::string_view::npos) {
      return false;
    }
  }
  return true;
}

bool IsFieldPath(absl::string_view text) {
  for (absl::string_view name : absl::StrSplit(text, '.')) {
    if (name.empty() || absl::ascii_isdigit(name[0])) return false;
    for (char c : name) {
      if (!absl::ascii_isalnum(c) && c != '_') return false;
    }
  }
  return true;
}

class TemplateParser {
 public:
  explicit TemplateParser(absl::string_view text) : text_(text) {}

  absl::StatusOr<PathTemplate> Parse() {
    if (text_.empty() || text_[0] != '/') return Wrong("it begins with '/'");
    absl::string_view rest = text_.substr(1);
    const size_t colon = rest.rfind(':');
    const size_t brace = rest.rfind('}');
    if (colon != absl::string_view::npos &&
        (brace == absl::string_view::npos || colon > brace)) {
      template_.verb = std::string(rest.substr(colon + 1));
      if (!IsLiteral(template_.verb)) return Wrong("its verb is no literal");
      rest = rest.substr(0, colon);
    }
    absl::Status status = ParseSegments(rest);
    if (!status.ok()) return status;
    for (size_t i = 0; i + 1 < template_.segments.size(); ++i) {
      if (template_.segments[i] == "**") {
        return Wrong("'**' stands last, before the verb only");
      }
    }
    return std::move(template_);
  }

 private:
  absl::Status Wrong(absl::string_view problem) const {
    return absl::InvalidArgumentError(
        absl::StrCat("Path template \"", text_, "\": ", problem, "."));
  }

  absl::Status ParseSegments(absl::string_view rest) {
    while (true) {
      if (!rest.empty() && rest[0] == '{') {
        const size_t close = rest.find('}');
        if (close == absl::string_view::npos) return Wrong("'}' is missing");
        absl::Status status = ParseVariable(rest.substr(1, close - 1));
        if (!status.ok()) return status;
        rest = rest.substr(close + 1);
      } else {
        const absl::string_view segment = rest.substr(0, rest.find('/'));
        absl::Status status = AddSegment(segment);
        if (!status.ok()) return status;
        rest = rest.substr(segment.size());
      }
      if (rest.empty()) return absl::OkStatus();
      if (rest[0] != '/') return Wrong("'/' is expected after a variable");
      rest = rest.substr(1);
    }
  }

  absl::Status ParseVariable(absl::string_view text) {
    const size_t equals = text.find('=');
    PathTemplate::Variable variable;
    variable.field_path = std::string(text.substr(0, equals));
    if (!IsFieldPath(variable.field_path)) {
      return Wrong("a variable begins with a field path");
    }
    const absl::string_view pattern =
        equals == absl::string_view::npos ? "*" : text.substr(equals + 1);
    variable.begin = template_.segments.size();
    for (absl::string_view segment : absl::StrSplit(pattern, '/')) {
      absl::Status status = AddSegment(segment);
      if (!status.ok()) return status;
    }
    variable.end = template_.segments.size();
    variable.multi_segment = pattern != "*";
    for (const PathTemplate::Variable& other : template_.variables) {
      if (other.field_path == variable.field_path) {
        return Wrong(absl::StrCat(other.field_path, " is captured twice"));
      }
    }
    template_.variables.push_back(std::move(variable));
    return absl::OkStatus();
  }

  absl::Status AddSegment(absl::string_view segment) {
    if (segment != "*" && segment != "**" && !IsLiteral(segment)) {
      return Wrong(absl::StrCat("\"", segment, "\" is no segment"));
    }
    template_.segments.emplace_back(segment);
    return absl::OkStatus();
  }

  const absl::string_view text_;
  PathTemplate template_;
};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

absl::StatusOr<PathTemplate> ParsePathTemplate(absl::string_view text) {
  return TemplateParser(text).Parse();
}

bool PercentDecode(absl::string_view text, bool keep_slash,
                   std::string* decoded) {
  decoded->clear();
  decoded->reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded->push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return false;
    const int high = HexDigit(text[i + 1]);
    const int low = HexDigit(text[i + 2]);
    if (high < 0 || low < 0) return false;
    const char byte = static_cast<char>(high * 16 + low);
    if (byte == '/' && keep_slash) {
      decoded->append(text.data() + i, 3);
    } else {
      decoded->push_back(byte);
    }
    i += 2;
  }
  return true;
}

}  // namespace transparency::gateway::rest
