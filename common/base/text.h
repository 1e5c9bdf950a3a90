#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

// UTF-8 text as people write it.
namespace transparency::text {

bool IsUtf8(absl::string_view text);

// Unicode code points; of text that is no UTF-8, bytes that begin one.
size_t CodePoints(absl::string_view text);

// Brings `text` to Normalization Form C. False when it is no UTF-8, or would
// be longer than any text here may be; it is then unchanged.
bool NormalizeNfc(std::string* text);

// Unicode's full case folding, for comparing without regard to case. Replaces
// `folded`, whose memory is used again.
void FoldCase(absl::string_view text, std::string* folded);
// The same behind what `folded` holds already.
void AppendFolded(absl::string_view text, std::string* folded);

// Where `part` first stands in `text`; npos when nowhere. Takes time in
// proportion to the text, whatever both hold: the find of strings takes that
// times the part's length where the text repeats itself.
size_t FindText(absl::string_view text, absl::string_view part);

// The beginning of `text`, at most `bytes` long, cut between code points, with
// `…` where something was cut off, escaped where it is no UTF-8: for messages.
std::string Excerpt(absl::string_view text, size_t bytes = 100);

}  // namespace transparency::text
