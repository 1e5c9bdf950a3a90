#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace transparency::gateway::rest {

// A path template of google.api.http, read:
//   Template = "/" Segments [ ":" LITERAL ];
//   Segments = Segment { "/" Segment };
//   Segment  = "*" | "**" | LITERAL | "{" FieldPath [ "=" Segments ] "}";
struct PathTemplate {
  struct Variable {
    std::string field_path;  // as written
    // The segments that it captures.
    size_t begin = 0;
    size_t end = 0;
    // Captured by more than a single `*`: an escaped slash stays escaped.
    bool multi_segment = false;
  };
  std::vector<std::string> segments;  // "*", "**" or a literal
  std::string verb;                   // without the colon; empty: none
  std::vector<Variable> variables;
};

// INVALID_ARGUMENT that quotes the template and says what is wrong with it.
absl::StatusOr<PathTemplate> ParsePathTemplate(absl::string_view text);

// Undoes RFC 3986's percent-encoding; with `keep_slash`, "%2F" stays as it is.
// False when a "%" is not followed by two hexadecimal digits.
bool PercentDecode(absl::string_view text, bool keep_slash,
                   std::string* decoded);

}  // namespace transparency::gateway::rest
