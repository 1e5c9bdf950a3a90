#include "common/fields/formats.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/fields/countries.h"

namespace transparency::fields {
namespace {

bool IsAlpha(char c) {
  return absl::ascii_isalpha(static_cast<unsigned char>(c));
}
bool IsDigit(char c) {
  return absl::ascii_isdigit(static_cast<unsigned char>(c));
}
bool IsAlnum(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c));
}
bool IsHex(char c) {
  return absl::ascii_isxdigit(static_cast<unsigned char>(c));
}

template <class Predicate>
bool All(absl::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

bool IsCountry(absl::string_view text) {
  if (text.size() != 2) return false;
  for (size_t at = 0; at < kCountries.size(); at += 2) {
    if (kCountries.substr(at, 2) == text) return true;
  }
  return false;
}

// The subtags of a language tag after the language itself, RFC 5646: extended
// languages, script, region, variants, extensions, private use.
bool AreSubtags(const std::vector<absl::string_view>& tags, size_t at) {
  const auto is = [&](auto fits) { return at < tags.size() && fits(tags[at]); };
  const auto letters = [](size_t size) {
    return [size](auto t) { return t.size() == size && All(t, IsAlpha); };
  };
  for (int i = 0; i < 3 && is(letters(3)); ++i) ++at;
  if (is(letters(4))) ++at;
  if (is([](auto t) {
        return (t.size() == 2 && All(t, IsAlpha)) ||
               (t.size() == 3 && All(t, IsDigit));
      })) {
    ++at;
  }
  while (is([](auto t) {
    return t.size() >= 5 || (t.size() == 4 && IsDigit(t[0]));
  })) {
    ++at;
  }
  while (at < tags.size() && tags[at].size() == 1) {
    const bool is_private = tags[at] == "x" || tags[at] == "X";
    const size_t first = ++at;
    while (is([&](auto t) { return t.size() >= (is_private ? 1u : 2u); })) ++at;
    if (at == first) return false;
  }
  return at == tags.size();
}

bool IsLanguage(absl::string_view text) {
  const std::vector<absl::string_view> tags = absl::StrSplit(text, '-');
  for (absl::string_view tag : tags) {
    if (tag.empty() || tag.size() > 8 || !All(tag, IsAlnum)) return false;
  }
  const absl::string_view language = tags[0];
  if (language.size() < 2 || !All(language, IsAlpha)) return false;
  return AreSubtags(tags, 1);
}

// Whether the file of this zone is installed. Asked before absl, which keeps
// every name it was ever asked for, and reads any path.
bool ZoneIsInstalled(absl::string_view name) {
  const char* dir = std::getenv("TZDIR");  // NOLINT(concurrency-mt-unsafe)
  std::ifstream file(
      absl::StrCat(dir != nullptr ? dir : "/usr/share/zoneinfo", "/", name),
      std::ios::binary);
  char magic[4] = {};
  return file.read(magic, sizeof(magic)) &&
         absl::string_view(magic, sizeof(magic)) == "TZif";
}

bool IsTimeZone(absl::string_view text) {
  if (text.size() > 64) return false;
  for (absl::string_view part : absl::StrSplit(text, '/')) {
    if (part.empty() || !IsAlpha(part[0]) || !All(part, [](char c) {
          return IsAlnum(c) || c == '_' || c == '-' || c == '+';
        })) {
      return false;
    }
  }
  // Files of Debian's that are no names of the IANA database.
  if (absl::StartsWith(text, "posix/") || absl::StartsWith(text, "right/") ||
      text == "localtime" || text == "posixrules") {
    return false;
  }
  static absl::Mutex mutex(absl::kConstInit);
  static auto* const known = new absl::flat_hash_set<std::string>();
  {
    absl::ReaderMutexLock lock(&mutex);
    if (known->contains(text)) return true;
  }
  absl::TimeZone zone;
  if (!ZoneIsInstalled(text) || !absl::LoadTimeZone(text, &zone)) return false;
  absl::MutexLock lock(&mutex);
  known->insert(std::string(text));
  return true;
}

bool IsSha256(absl::string_view text) {
  return text.size() == 64 &&
         All(text, [](char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); });
}

// Characters of a URI, with every % before two hexadecimal digits.
bool AreUriCharacters(absl::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size() || !IsHex(text[i + 1]) || !IsHex(text[i + 2])) {
        return false;
      }
    } else if (!IsAlnum(text[i]) &&
               !absl::StrContains("-._~:/?#[]@!$&'()*+,;=", text[i])) {
      return false;
    }
  }
  return true;
}

bool IsHost(absl::string_view host) {
  if (absl::ConsumePrefix(&host, "[")) {
    return absl::ConsumeSuffix(&host, "]") && host.size() >= 2 &&
           All(host, [](char c) { return IsHex(c) || c == ':' || c == '.'; });
  }
  return !host.empty() && !absl::StartsWith(host, ".") &&
         !absl::StrContains(host, "..") && All(host, [](char c) {
           return IsAlnum(c) || absl::StrContains("-._~%!$&'()*+,;=", c);
         });
}

// No user information: it says nothing of a source, and misleads readers.
bool IsUri(absl::string_view text) {
  if (!AreUriCharacters(text)) return false;
  const size_t scheme = text.find("://");
  if (scheme == absl::string_view::npos ||
      (!absl::EqualsIgnoreCase(text.substr(0, scheme), "http") &&
       !absl::EqualsIgnoreCase(text.substr(0, scheme), "https"))) {
    return false;
  }
  absl::string_view rest = text.substr(scheme + 3);
  const size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  absl::string_view authority = rest.substr(0, end);
  rest = rest.substr(end);
  const size_t fragment = rest.find('#');
  if (rest.find_first_of("[]") != absl::string_view::npos ||
      (fragment != absl::string_view::npos &&
       absl::StrContains(rest.substr(fragment + 1), '#'))) {
    return false;
  }
  const size_t colon = authority.rfind(':');
  if (colon != absl::string_view::npos &&
      !absl::StrContains(authority.substr(colon), ']')) {
    const absl::string_view port = authority.substr(colon + 1);
    int number = 0;
    if (!All(port, IsDigit) || port.size() > 5 ||
        (!port.empty() &&
         (!absl::SimpleAtoi(port, &number) || number > 65535))) {
      return false;
    }
    authority = authority.substr(0, colon);
  }
  return IsHost(authority);
}

bool IsDotAtom(absl::string_view text) {
  for (absl::string_view atom : absl::StrSplit(text, '.')) {
    if (atom.empty() || !All(atom, [](char c) {
          return IsAlnum(c) || absl::StrContains("!#$%&'*+-/=?^_`{|}~", c);
        })) {
      return false;
    }
  }
  return true;
}

bool IsQuotedLocal(absl::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') {
    return false;
  }
  text = text.substr(1, text.size() - 2);
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escaped = text[i] == '\\';
    if (escaped && ++i == text.size()) return false;
    if (text[i] < ' ' || text[i] > '~' || (text[i] == '"' && !escaped)) {
      return false;
    }
  }
  return true;
}

// Lengths as in RFC 5321.
bool IsEmail(absl::string_view text) {
  const size_t at = text.rfind('@');
  if (text.size() > 254 || at == absl::string_view::npos || at > 64) {
    return false;
  }
  const absl::string_view local = text.substr(0, at);
  const absl::string_view domain = text.substr(at + 1);
  if (!IsDotAtom(local) && !IsQuotedLocal(local)) return false;
  if (domain.size() > 2 && domain.front() == '[' && domain.back() == ']') {
    return All(domain.substr(1, domain.size() - 2), [](char c) {
      return c >= '!' && c <= '~' && c != '[' && c != ']' && c != '\\';
    });
  }
  return IsDotAtom(domain);
}

bool IsRestrictedName(absl::string_view text) {
  return !text.empty() && text.size() <= 127 && IsAlnum(text[0]) &&
         All(text, [](char c) {
           return IsAlnum(c) || absl::StrContains("!#$&-^_.+", c);
         });
}

bool IsMediaType(absl::string_view text) {
  const size_t slash = text.find('/');
  return slash != absl::string_view::npos &&
         IsRestrictedName(text.substr(0, slash)) &&
         IsRestrictedName(text.substr(slash + 1));
}

}  // namespace

bool HasFormat(absl::string_view text, type::v1::Format format) {
  switch (format) {
    case type::v1::COUNTRY:
      return IsCountry(text);
    case type::v1::LANGUAGE:
      return IsLanguage(text);
    case type::v1::TIME_ZONE:
      return IsTimeZone(text);
    case type::v1::SHA256:
      return IsSha256(text);
    case type::v1::URI:
      return IsUri(text);
    case type::v1::UUID4:
      return ids::IsUuid4(text);
    case type::v1::EMAIL:
      return IsEmail(text);
    case type::v1::MEDIA_TYPE:
      return IsMediaType(text);
    default:
      return true;
  }
}

absl::string_view DescribeFormat(type::v1::Format format) {
  switch (format) {
    case type::v1::COUNTRY:
      return "a country, ISO 3166-1 alpha-2, such as BE";
    case type::v1::LANGUAGE:
      return "a language tag, BCP 47, such as en or zh-Hans";
    case type::v1::TIME_ZONE:
      return "a time zone of the IANA database, such as Europe/Brussels";
    case type::v1::SHA256:
      return "a SHA-256 digest, 64 lower-case hexadecimal digits";
    case type::v1::URI:
      return "an absolute http or https URI without user information";
    case type::v1::UUID4:
      return "a UUID of version 4";
    case type::v1::EMAIL:
      return "an e-mail address";
    case type::v1::MEDIA_TYPE:
      return "a media type such as application/pdf";
    default:
      return "a text";
  }
}

}  // namespace transparency::fields
