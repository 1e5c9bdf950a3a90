#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace transparency::gateway::http {

// Whether an Accept-Encoding header allows gzip (RFC 9110, 12.5.3).
bool AcceptsGzip(absl::string_view accept_encoding);

// Compresses answers, keeping zlib's quarter of a megabyte between them. Not
// thread-safe.
class Gzip {
 public:
  Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  ~Gzip();

  // False, with `compressed` unspecified, when it would not be shorter.
  bool Compress(absl::string_view text, std::string* compressed);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace transparency::gateway::http
