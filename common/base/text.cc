#include "common/base/text.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace transparency::text {
namespace {

bool IsAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c & 0x80) == 0; });
}

const utf8proc_uint8_t* Bytes(const char* text) {
  return reinterpret_cast<const utf8proc_uint8_t*>(text);
}

// Bytes that continue a code point.
bool Continues(char c) { return (c & 0xC0) == 0x80; }

// Without a table or a branch, so that compilers do many at once.
char LowerAscii(char c) {
  const bool upper = static_cast<unsigned char>(c - 'A') < 26;
  return static_cast<char>(c | (upper << 5));
}

// Most code points that one folds to.
constexpr int kMostFolded = 16;

}  // namespace

bool IsUtf8(absl::string_view text) {
  if (IsAscii(text)) return true;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end) {
    utf8proc_int32_t point = 0;
    const auto length = utf8proc_iterate(Bytes(at), end - at, &point);
    if (length <= 0) return false;
    at += length;
  }
  return true;
}

size_t CodePoints(absl::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return !Continues(c); }));
}

bool NormalizeNfc(std::string* text) {
  if (IsAscii(*text)) return true;
  utf8proc_uint8_t* mapped = nullptr;
  const auto length = utf8proc_map(
      Bytes(text->data()), static_cast<utf8proc_ssize_t>(text->size()), &mapped,
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owned(
      mapped, &std::free);
  if (length < 0) return false;
  text->assign(reinterpret_cast<const char*>(mapped),
               static_cast<size_t>(length));
  return true;
}

void FoldCase(absl::string_view text, std::string* folded) {
  folded->clear();
  AppendFolded(text, folded);
}

void AppendFolded(absl::string_view text, std::string* folded) {
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end) {
    const char* other =
        std::find_if(at, end, [](char c) { return (c & 0x80) != 0; });
    if (other != at) {
      const size_t from = folded->size();
      folded->append(at, other);
      std::transform(
          folded->begin() + static_cast<ptrdiff_t>(from), folded->end(),
          folded->begin() + static_cast<ptrdiff_t>(from), LowerAscii);
      at = other;
      continue;
    }
    utf8proc_int32_t point = 0;
    const auto length = utf8proc_iterate(Bytes(at), end - at, &point);
    if (length <= 0) {
      folded->push_back(*at++);
      continue;
    }
    at += length;
    utf8proc_int32_t points[kMostFolded];
    int boundary = 0;
    const auto count = utf8proc_decompose_char(point, points, kMostFolded,
                                               UTF8PROC_CASEFOLD, &boundary);
    for (utf8proc_ssize_t i = 0;
         i < std::min<utf8proc_ssize_t>(count, kMostFolded); ++i) {
      utf8proc_uint8_t encoded[4];
      const auto size = utf8proc_encode_char(points[i], encoded);
      folded->append(reinterpret_cast<const char*>(encoded),
                     static_cast<size_t>(size));
    }
  }
}

size_t FindText(absl::string_view text, absl::string_view part) {
  // glibc's memmem is linear for long parts, and for those of up to 256 bytes
  // compares at most that many at a place.
  const void* found =
      memmem(text.data(), text.size(), part.data(), part.size());
  return found == nullptr ? absl::string_view::npos
                          : static_cast<size_t>(
                                static_cast<const char*>(found) - text.data());
}

std::string Excerpt(absl::string_view text, size_t bytes) {
  if (!IsUtf8(text)) {
    return Excerpt(absl::CHexEscape(text.substr(0, bytes)), bytes);
  }
  if (text.size() <= bytes) return std::string(text);
  while (bytes > 0 && Continues(text[bytes])) --bytes;
  return absl::StrCat(text.substr(0, bytes), "…");
}

}  // namespace transparency::text
