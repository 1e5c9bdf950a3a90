#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

// Digests, keyed ones and random bytes, all of OpenSSL. Thread-safe.
namespace transparency::digest {

// A digest has so many bytes.
inline constexpr size_t kBytes = 32;

std::string Sha256(absl::string_view bytes);
// Digests one text followed by the other.
std::string Sha256(absl::string_view first, absl::string_view second);

// HMAC-SHA-256 (RFC 2104): tells nothing of `bytes` to whoever lacks the key.
std::string Hmac(absl::string_view key, absl::string_view bytes);

// Not to be guessed.
std::string RandomBytes(size_t count);

}  // namespace transparency::digest
