#include "common/changes/watch.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"

namespace transparency::changes {
namespace {

// Hexadecimal digits of a digest in a token.
constexpr size_t kDigestDigits = 8;

}  // namespace

absl::StatusOr<Place> ParseResumeToken(absl::string_view token) {
  const std::vector<absl::string_view> parts = absl::StrSplit(token, '.');
  Place place;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &place.revision) ||
      place.revision < -1 || parts[1].size() != kDigestDigits ||
      !std::all_of(parts[1].begin(), parts[1].end(), [](char c) {
        return absl::ascii_isxdigit(static_cast<unsigned char>(c));
      })) {
    return status::InvalidField(
        "resume_token",
        "is not the resume_token of an event, such as 1234.9f86d081");
  }
  place.digest = absl::AsciiStrToLower(parts[1]);
  return place;
}

}  // namespace transparency::changes
