#include "common/base/ids.h"

#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/digest.h"

namespace transparency::ids {
namespace {

constexpr size_t kRandomIdLength = 26;

}  // namespace

std::string RandomId(absl::FunctionRef<void(unsigned char*, size_t)> fill) {
  constexpr absl::string_view kAlphabet =
      "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr unsigned kLetters = 26;
  std::string id;
  unsigned char bytes[2 * kRandomIdLength];
  while (id.size() < kRandomIdLength) {
    fill(bytes, sizeof(bytes));
    for (unsigned char byte : bytes) {
      const unsigned choices =
          id.empty() ? kLetters : static_cast<unsigned>(kAlphabet.size());
      // The bytes beyond the last full round would favour the first letters.
      if (byte >= 256 / choices * choices) continue;
      id.push_back(kAlphabet[byte % choices]);
      if (id.size() == kRandomIdLength) break;
    }
  }
  return id;
}

std::string RandomId() {
  return RandomId([](unsigned char* bytes, size_t size) {
    std::memcpy(bytes, digest::RandomBytes(size).data(), size);
  });
}

bool IsUuid4(absl::string_view text) {
  constexpr absl::string_view kShape = "xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx";
  if (text.size() != kShape.size()) return false;
  for (size_t i = 0; i < kShape.size(); ++i) {
    const char shape = kShape[i];
    const char c = text[i];
    const bool fits =
        shape == 'x' ? absl::ascii_isxdigit(static_cast<unsigned char>(c)) != 0
        : shape == 'v' ? absl::StrContains("89abAB", c)
                       : c == shape;
    if (!fits) return false;
  }
  return true;
}

std::string Uuid4Of(absl::string_view bytes) {
  std::string version(bytes.substr(0, 16));
  version[6] = static_cast<char>((version[6] & 0x0F) | 0x40);
  version[8] = static_cast<char>((version[8] & 0x3F) | 0x80);
  const std::string hex = absl::BytesToHexString(version);
  const absl::string_view digits = hex;
  return absl::StrCat(digits.substr(0, 8), "-", digits.substr(8, 4), "-",
                      digits.substr(12, 4), "-", digits.substr(16, 4), "-",
                      digits.substr(20));
}

}  // namespace transparency::ids
