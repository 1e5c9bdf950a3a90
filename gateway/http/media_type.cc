#include "gateway/http/media_type.h"

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace transparency::gateway::http {

bool AcceptsJson(absl::string_view accept) {
  bool any = false;
  for (absl::string_view range : absl::StrSplit(accept, ',')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(range, ';');
    const std::string type =
        absl::AsciiStrToLower(absl::StripAsciiWhitespace(parts[0]));
    if (type.empty()) continue;
    any = true;
    bool refused = false;
    for (size_t i = 1; i < parts.size(); ++i) {
      absl::string_view parameter = absl::StripAsciiWhitespace(parts[i]);
      double weight = 1;
      refused |= absl::ConsumePrefix(&parameter, "q=") &&
                 absl::SimpleAtod(parameter, &weight) && weight <= 0;
    }
    if (!refused && (type == "*/*" || type == "application/*" ||
                     type == "application/json")) {
      return true;
    }
  }
  return !any;
}

bool IsJson(absl::string_view content_type) {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(content_type, ';');
  if (!absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(parts[0]),
                              "application/json")) {
    return false;
  }
  for (size_t i = 1; i < parts.size(); ++i) {
    const std::string parameter =
        absl::AsciiStrToLower(absl::StripAsciiWhitespace(parts[i]));
    if (absl::StartsWith(parameter, "charset=") &&
        parameter != "charset=utf-8" && parameter != "charset=\"utf-8\"") {
      return false;
    }
  }
  return true;
}

}  // namespace transparency::gateway::http
