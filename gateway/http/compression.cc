#include "gateway/http/compression.h"

#include <zlib.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace transparency::gateway::http {

struct Gzip::State {
  z_stream stream{};
  bool usable = false;
};

Gzip::Gzip() : state_(std::make_unique<State>()) {
  constexpr int kGzipFormat = 16;
  // The fastest level: JSON shrinks to a fifth, and the gateway's time is
  // dearer than the rest.
  state_->usable =
      deflateInit2(&state_->stream, Z_BEST_SPEED, Z_DEFLATED,
                   MAX_WBITS + kGzipFormat, 8, Z_DEFAULT_STRATEGY) == Z_OK;
}

Gzip::~Gzip() {
  if (state_->usable) deflateEnd(&state_->stream);
}

bool Gzip::Compress(absl::string_view text, std::string* compressed) {
  z_stream& stream = state_->stream;
  if (!state_->usable || deflateReset(&stream) != Z_OK) return false;
  compressed->resize(text.size());
  // zlib does not write through next_in, whatever its type says.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(&(*compressed)[0]);
  stream.avail_out = static_cast<uInt>(compressed->size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) return false;
  compressed->resize(compressed->size() - stream.avail_out);
  return true;
}

bool AcceptsGzip(absl::string_view accept_encoding) {
  bool any = false;
  for (absl::string_view item : absl::StrSplit(accept_encoding, ',')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(item, absl::MaxSplits(';', 1));
    const absl::string_view coding = absl::StripAsciiWhitespace(parts.first);
    absl::string_view parameter = absl::StripAsciiWhitespace(parts.second);
    double weight = 1;
    if (absl::ConsumePrefix(&parameter, "q=") &&
        !absl::SimpleAtod(parameter, &weight)) {
      weight = 0;
    }
    if (absl::EqualsIgnoreCase(coding, "gzip")) return weight > 0;
    any |= coding == "*" && weight > 0;
  }
  return any;
}

}  // namespace transparency::gateway::http
