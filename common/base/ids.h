#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

// Ids that nobody can guess, and UUIDs. Thread-safe.
namespace transparency::ids {

// A random id of 26 lower-case letters and digits, the first a letter: 134 bits
// of what `fill` gives, which fills memory with random bytes.
std::string RandomId(absl::FunctionRef<void(unsigned char*, size_t)> fill);
// From OpenSSL's generator.
std::string RandomId();

// Whether the text is a UUID of version 4 (RFC 9562, 5.4), in either case.
bool IsUuid4(absl::string_view text);

// A UUID of version 4 of 16 bytes, in lower case; 6 bits of them give way to
// version and variant.
std::string Uuid4Of(absl::string_view bytes);

}  // namespace transparency::ids
