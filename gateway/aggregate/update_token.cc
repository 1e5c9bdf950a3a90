#include "gateway/aggregate/update_token.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"

namespace transparency::gateway {
namespace {

bool IsName(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c));
  });
}

bool IsPosition(absl::string_view position) {
  return !position.empty() &&
         std::all_of(position.begin(), position.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  c == '.' || c == '_' || c == '-';
         });
}

}  // namespace

std::string FormatUpdateToken(const UpdatePositions& positions) {
  return absl::StrJoin(positions, "~", absl::PairFormatter("-"));
}

absl::StatusOr<UpdatePositions> ParseUpdateToken(absl::string_view token) {
  UpdatePositions positions;
  if (token.empty()) return positions;
  for (absl::string_view part : absl::StrSplit(token, '~')) {
    const std::pair<absl::string_view, absl::string_view> named =
        absl::StrSplit(part, absl::MaxSplits('-', 1));
    if (!IsName(named.first) || !IsPosition(named.second) ||
        !positions.emplace(std::string(named.first), std::string(named.second))
             .second) {
      return status::InvalidField(
          "resume_token",
          "expected the resume_token of an event of this stream");
    }
  }
  return positions;
}

}  // namespace transparency::gateway
