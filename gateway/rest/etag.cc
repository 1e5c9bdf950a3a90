#include "gateway/rest/etag.h"

#include <openssl/evp.h>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gateway/rest/error_answer.h"

namespace transparency::gateway::rest {
namespace {

constexpr size_t kDigestDigits = 16;
constexpr char kCompressed[] = "-gzip";

bool IsOpaque(absl::string_view text) {
  for (char c : text) {
    if (c <= 0x20 || c == '"' || c == 0x7F) return false;
  }
  return true;
}

// The next tag of a list without W/ and quotes; false at the end or at what is
// no tag, which `broken` tells.
bool NextTag(absl::string_view* list, absl::string_view* tag, bool* broken) {
  *list = absl::StripLeadingAsciiWhitespace(*list);
  while (absl::ConsumePrefix(list, ",")) {
    *list = absl::StripLeadingAsciiWhitespace(*list);
  }
  if (list->empty()) return false;
  absl::ConsumePrefix(list, "W/");
  const size_t close =
      (*list)[0] == '"' ? list->find('"', 1) : absl::string_view::npos;
  if (close == absl::string_view::npos) {
    *broken = true;
    return false;
  }
  *tag = list->substr(1, close - 1);
  list->remove_prefix(close + 1);
  return true;
}

}  // namespace

std::string Sha256Hex(absl::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), size));
}

std::string HttpEtag(absl::string_view resource_etag, absl::string_view body) {
  absl::ConsumePrefix(&resource_etag, "W/");
  absl::ConsumePrefix(&resource_etag, "\"");
  absl::ConsumeSuffix(&resource_etag, "\"");
  if (!IsOpaque(resource_etag)) resource_etag = "";
  return absl::StrCat("\"", resource_etag, ".",
                      Sha256Hex(body).substr(0, kDigestDigits), "\"");
}

std::string CompressedEtag(absl::string_view etag) {
  absl::ConsumeSuffix(&etag, "\"");
  return absl::StrCat(etag, kCompressed, "\"");
}

bool NoneMatchLists(absl::string_view if_none_match, absl::string_view etag) {
  if (absl::StripAsciiWhitespace(if_none_match) == "*") return true;
  absl::ConsumePrefix(&etag, "\"");
  absl::ConsumeSuffix(&etag, "\"");
  absl::string_view tag;
  bool broken = false;
  while (NextTag(&if_none_match, &tag, &broken)) {
    absl::ConsumeSuffix(&tag, kCompressed);
    if (tag == etag) return true;
  }
  return false;
}

std::string KeptEtag(absl::string_view if_none_match, absl::string_view etag) {
  std::string compressed = CompressedEtag(etag);
  return absl::StrContains(if_none_match, compressed) ? compressed
                                                      : std::string(etag);
}

absl::StatusOr<std::string> ResourceEtagOf(absl::string_view if_match) {
  if (absl::StripAsciiWhitespace(if_match) == "*") return std::string();
  absl::string_view tag, other;
  bool broken = false;
  if (!NextTag(&if_match, &tag, &broken) ||
      NextTag(&if_match, &other, &broken) || broken) {
    return InvalidHeader("If-Match",
                         "expected one entity tag in double quotes, or *");
  }
  absl::ConsumeSuffix(&tag, kCompressed);
  const size_t dot = tag.rfind('.');
  if (dot != absl::string_view::npos && tag.size() - dot - 1 == kDigestDigits &&
      tag.substr(dot + 1).find_first_not_of("0123456789abcdef") ==
          absl::string_view::npos) {
    tag = tag.substr(0, dot);
  }
  if (tag.empty()) {
    return InvalidHeader("If-Match",
                         "this tag is of an answer that is no resource");
  }
  return absl::StrCat("\"", tag, "\"");
}

}  // namespace transparency::gateway::rest
