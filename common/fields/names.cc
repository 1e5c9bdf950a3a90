#include "common/fields/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/text.h"
#include "common/status/status.h"

namespace transparency::fields {
namespace {

constexpr size_t kMaxIdLength = 63;

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Collections are in lowerCamelCase (AIP-122).
bool IsCollection(absl::string_view text) {
  return !text.empty() && IsLower(text[0]) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c));
         });
}

bool IsIdOrAny(absl::string_view id, AnyIds any) {
  return IsId(id) || (any == AnyIds::kAllow && id == kAnyId);
}

// Takes the text up to the next slash off `rest`. False when nothing is left.
bool NextSegment(absl::string_view* rest, absl::string_view* segment) {
  if (rest->data() == nullptr) return false;
  const size_t slash = rest->find('/');
  if (slash == absl::string_view::npos) {
    *segment = *rest;
    *rest = absl::string_view();
  } else {
    *segment = rest->substr(0, slash);
    *rest = rest->substr(slash + 1);
  }
  return true;
}

}  // namespace

bool IsId(absl::string_view id) {
  return !id.empty() && id.size() <= kMaxIdLength && IsLower(id[0]) &&
         id.back() != '-' && std::all_of(id.begin(), id.end(), [](char c) {
           return IsLower(c) || IsDigit(c) || c == '-';
         });
}

std::string WhyNoId(absl::string_view text) {
  return absl::StrCat("\"", text::Excerpt(text),
                      "\" is no id: 1 to 63 of a-z, 0-9 and -, beginning with "
                      "a letter, not ending with -");
}

absl::Status CheckId(absl::string_view field, absl::string_view id) {
  if (IsId(id)) return absl::OkStatus();
  return status::InvalidField(field, WhyNoId(id));
}

bool HasPattern(absl::string_view name, absl::string_view pattern, AnyIds any) {
  absl::string_view segment;
  absl::string_view expected;
  while (NextSegment(&pattern, &expected)) {
    if (!NextSegment(&name, &segment)) return false;
    const bool fits = absl::StartsWith(expected, "{") ? IsIdOrAny(segment, any)
                                                      : segment == expected;
    if (!fits) return false;
  }
  return name.data() == nullptr;
}

bool IsName(absl::string_view name, AnyIds any) {
  absl::string_view collection;
  absl::string_view id;
  if (name.empty()) return false;
  while (NextSegment(&name, &collection)) {
    if (!IsCollection(collection) || !NextSegment(&name, &id) ||
        !IsIdOrAny(id, any)) {
      return false;
    }
  }
  return true;
}

absl::string_view IdOf(absl::string_view name) {
  const size_t slash = name.rfind('/');
  return slash == absl::string_view::npos ? name : name.substr(slash + 1);
}

absl::string_view ParentOf(absl::string_view name) {
  for (int i = 0; i < 2; ++i) {
    const size_t slash = name.rfind('/');
    if (slash == absl::string_view::npos) return "";
    name = name.substr(0, slash);
  }
  return name;
}

std::string MakeName(absl::string_view parent, absl::string_view collection,
                     absl::string_view id) {
  return absl::StrCat(parent, parent.empty() ? "" : "/", collection, "/", id);
}

bool ParentMatches(absl::string_view parent, absl::string_view pattern) {
  absl::string_view segment;
  absl::string_view expected;
  if (parent.empty() || pattern.empty()) return parent == pattern;
  while (NextSegment(&pattern, &expected)) {
    if (!NextSegment(&parent, &segment) ||
        (segment != expected && expected != kAnyId)) {
      return false;
    }
  }
  return parent.data() == nullptr;
}

bool SplitFullName(absl::string_view full, absl::string_view* domain,
                   absl::string_view* name) {
  if (!absl::ConsumePrefix(&full, "//")) return false;
  const size_t slash = full.find('/');
  if (slash == 0 || slash == absl::string_view::npos) return false;
  *domain = full.substr(0, slash);
  *name = full.substr(slash + 1);
  return true;
}

}  // namespace transparency::fields
