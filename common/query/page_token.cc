#include "common/query/page_token.h"

#include <openssl/sha.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::query {
namespace {

// The first byte of every token: another form of tokens gets another number.
constexpr char kVersion = '\1';
constexpr size_t kDigestBytes = 12;

std::string Digest(const std::vector<std::string>& query,
                   absl::string_view body) {
  std::string bytes;
  for (const std::string& part : query) {
    absl::StrAppend(&bytes, part.size(), ":", part);
  }
  absl::StrAppend(&bytes, "|", body);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         digest);
  return std::string(reinterpret_cast<const char*>(digest), kDigestBytes);
}

absl::Status NoToken() {
  constexpr char kWhy[] =
      "is not a token of this list: send the next_page_token of the page "
      "before, with the rest of the request unchanged";
  absl::Status status = status::Refuse(
      absl::StatusCode::kInvalidArgument, "PAGE_TOKEN_INVALID",
      absl::StrCat("page_token: ", kWhy), {{"field", "page_token"}});
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field("page_token");
  violation->set_description(kWhy);
  status::AddDetail(&status, bad);
  return status;
}

}  // namespace

absl::StatusOr<int> PageSize(int64_t requested) {
  if (requested < 0) {
    return status::InvalidField(
        "page_size",
        "is negative: expected 0 for the default, or the most to answer");
  }
  if (requested == 0) return kDefaultPageSize;
  return static_cast<int>(std::min<int64_t>(requested, kMaxPageSize));
}

std::string MakePageToken(const std::vector<std::string>& query,
                          const Position& position) {
  std::string body;
  body.push_back(kVersion);
  body.push_back(static_cast<char>(position.name.size() >> 8));
  body.push_back(static_cast<char>(position.name.size() & 0xFF));
  absl::StrAppend(&body, position.name, position.key);
  return absl::WebSafeBase64Escape(absl::StrCat(Digest(query, body), body));
}

absl::StatusOr<Position> ReadPageToken(const std::vector<std::string>& query,
                                       absl::string_view token) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(token, &bytes) ||
      bytes.size() < kDigestBytes + 3) {
    return NoToken();
  }
  const absl::string_view body = absl::string_view(bytes).substr(kDigestBytes);
  const size_t size = static_cast<size_t>(static_cast<uint8_t>(body[1])) << 8 |
                      static_cast<uint8_t>(body[2]);
  if (!absl::StartsWith(bytes, Digest(query, body)) || body[0] != kVersion ||
      body.size() < 3 + size) {
    return NoToken();
  }
  return Position{std::string(body.substr(3, size)),
                  std::string(body.substr(3 + size))};
}

}  // namespace transparency::query
