#include "gateway/rest/media_type.h"

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace transparency::gateway::rest {

namespace {

// One range of an Accept header: "text/*;q=0.5".
struct Range {
  std::string type;
  double weight = 1;
};

std::vector<Range> RangesOf(absl::string_view accept) {
  std::vector<Range> ranges;
  for (absl::string_view item : absl::StrSplit(accept, ',')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(item, ';');
    Range range;
    range.type = absl::AsciiStrToLower(absl::StripAsciiWhitespace(parts[0]));
    if (range.type.empty()) continue;
    for (size_t i = 1; i < parts.size(); ++i) {
      absl::string_view parameter = absl::StripAsciiWhitespace(parts[i]);
      if (absl::ConsumePrefix(&parameter, "q=") &&
          !absl::SimpleAtod(parameter, &range.weight)) {
        range.weight = 1;
      }
    }
    ranges.push_back(std::move(range));
  }
  return ranges;
}

// How closely a range names a type: 3 by its name, 0 not at all.
int Closeness(absl::string_view range, absl::string_view type) {
  if (range == type) return 3;
  if (range == "*/*") return 1;
  return absl::ConsumeSuffix(&range, "/*") &&
                 type.substr(0, type.find('/')) == range
             ? 2
             : 0;
}

}  // namespace

int Preferred(absl::string_view accept,
              const std::vector<absl::string_view>& offered) {
  std::vector<Range> ranges = RangesOf(accept);
  if (ranges.empty()) ranges.push_back({"*/*"});
  int best = -1;
  std::tuple<double, int, int> best_rank;
  for (size_t i = 0; i < offered.size(); ++i) {
    // The range that names it most closely says its weight.
    int closeness = 0;
    size_t at = 0;
    for (size_t j = 0; j < ranges.size(); ++j) {
      const int close = Closeness(ranges[j].type, offered[i]);
      if (close > closeness) {
        closeness = close;
        at = j;
      }
    }
    if (closeness == 0 || ranges[at].weight <= 0) continue;
    const std::tuple<double, int, int> rank = {ranges[at].weight, closeness,
                                               -static_cast<int>(at)};
    if (best < 0 || rank > best_rank) {
      best = static_cast<int>(i);
      best_rank = rank;
    }
  }
  return best;
}

bool AcceptsJson(absl::string_view accept) {
  return Preferred(accept, {"application/json"}) >= 0;
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

}  // namespace transparency::gateway::rest
