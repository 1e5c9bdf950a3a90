#include "common/query/search_query.h"

#include <utf8proc.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/text.h"
#include "common/status/status.h"

namespace transparency::query {
namespace {

// A match of the beginning of a word counts this much of one of a whole word.
constexpr double kBeginning = 0.75;
// A match counts this much whatever else its text holds; the rest by its share
// of the text.
constexpr double kAnywhere = 0.6;

constexpr char kEllipsis[] = "…";
// How much text a snippet holds before what was found.
constexpr size_t kBefore = 40;

bool Continues(char c) { return (c & 0xC0) == 0x80; }

// The code point that begins at `at`; 0 for what is none.
utf8proc_int32_t PointAt(absl::string_view text, size_t at) {
  if ((text[at] & 0x80) == 0) return text[at];
  utf8proc_int32_t point = 0;
  const auto read = utf8proc_iterate(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
      static_cast<utf8proc_ssize_t>(text.size() - at), &point);
  return read > 0 ? point : 0;
}

enum class Sort { kNone, kLetter, kIdeograph };

Sort SortOf(utf8proc_int32_t point) {
  if (point < 0x80) {
    return absl::ascii_isalnum(static_cast<unsigned char>(point))
               ? Sort::kLetter
               : Sort::kNone;
  }
  const utf8proc_category_t category = utf8proc_category(point);
  if (category < UTF8PROC_CATEGORY_LU || category > UTF8PROC_CATEGORY_NO) {
    return Sort::kNone;
  }
  return category == UTF8PROC_CATEGORY_LO && utf8proc_charwidth(point) == 2
             ? Sort::kIdeograph
             : Sort::kLetter;
}

// Whether a word can end before `at` and another one begin there.
bool IsBoundary(absl::string_view text, size_t at) {
  if (at == 0 || at == text.size()) return true;
  size_t before = at - 1;
  while (before > 0 && Continues(text[before])) --before;
  return SortOf(PointAt(text, before)) != Sort::kLetter ||
         SortOf(PointAt(text, at)) != Sort::kLetter;
}

struct Fit {
  double quality = 0;  // 0: not found
  size_t at = 0;
};

// Where a word fits best in a text, both without case.
Fit Find(absl::string_view text, absl::string_view word) {
  Fit best;
  size_t from = 0;
  while (true) {
    const size_t found = text::FindText(text.substr(from), word);
    if (found == absl::string_view::npos) break;
    const size_t at = from + found;
    from = at + 1;
    if (!IsBoundary(text, at)) continue;
    const bool whole = IsBoundary(text, at + word.size());
    const double share =
        static_cast<double>(word.size()) / static_cast<double>(text.size());
    const double quality =
        (whole ? 1.0 : kBeginning) * (kAnywhere + (1.0 - kAnywhere) * share);
    if (quality > best.quality) best = {quality, at};
    if (whole) break;
  }
  return best;
}

bool IsSpace(utf8proc_int32_t point) {
  return point == '\t' || point == '\n' ||
         utf8proc_category(point) == UTF8PROC_CATEGORY_ZS;
}

// The words of a query as they were written; false when a quote is left open.
bool Split(absl::string_view text, std::vector<std::string>* words) {
  std::string word;
  bool quoted = false;
  const auto end_word = [&] {
    const std::string trimmed(absl::StripAsciiWhitespace(word));
    if (!trimmed.empty()) words->push_back(trimmed);
    word.clear();
  };
  for (size_t at = 0; at < text.size();) {
    size_t next = at + 1;
    while (next < text.size() && Continues(text[next])) ++next;
    if (text[at] == '"') {
      end_word();
      quoted = !quoted;
    } else if (!quoted && IsSpace(PointAt(text, at))) {
      end_word();
    } else {
      absl::StrAppend(&word, text.substr(at, next - at));
    }
    at = next;
  }
  end_word();
  return !quoted;
}

// Byte offsets at which the code points of `text` begin, and its end.
std::vector<size_t> Beginnings(absl::string_view text) {
  std::vector<size_t> beginnings;
  for (size_t at = 0; at < text.size(); ++at) {
    if (!Continues(text[at])) beginnings.push_back(at);
  }
  beginnings.push_back(text.size());
  return beginnings;
}

}  // namespace

absl::StatusOr<SearchQuery> SearchQuery::Parse(absl::string_view text) {
  std::vector<std::string> written;
  if (!Split(text, &written)) {
    return status::InvalidField(
        "query", "has a double quote that is not closed: expected pairs");
  }
  SearchQuery query;
  for (const std::string& word : written) {
    std::string folded;
    text::FoldCase(word, &folded);
    if (std::find(query.words_.begin(), query.words_.end(), folded) ==
        query.words_.end()) {
      query.words_.push_back(std::move(folded));
    }
  }
  if (query.words_.empty()) {
    return status::InvalidField("query", "has no word to look for");
  }
  if (query.words_.size() > kMaxWords) {
    return status::InvalidField(
        "query", absl::StrCat("has ", query.words_.size(),
                              " words: expected at most ", kMaxWords));
  }
  if (query.words_.size() > 1) {
    query.together_ = absl::StrJoin(query.words_, " ");
  }
  return query;
}

std::string SearchQuery::Snippet(absl::string_view text, size_t length) const {
  const std::vector<size_t> beginnings = Beginnings(text);
  const size_t points = beginnings.size() - 1;
  if (points <= length) return std::string(text);

  std::string folded;
  text::FoldCase(text, &folded);
  Fit best = together_.empty() ? Fit{} : Find(folded, together_);
  for (const std::string& word : words_) {
    const Fit fit = Find(folded, word);
    if (fit.quality > best.quality) best = fit;
  }
  // The code point of the text that what was found begins with: folding goes by
  // code points, so it is the first by whose end that much has been folded.
  size_t found = 0;
  std::string point;
  for (size_t done = 0; found < points; ++found) {
    text::FoldCase(text.substr(beginnings[found],
                               beginnings[found + 1] - beginnings[found]),
                   &point);
    done += point.size();
    if (done > best.at) break;
  }
  // One code point on either side may be an ellipsis.
  const size_t room = length - 2;
  size_t first = found > kBefore ? found - kBefore : 0;
  first = std::min(first, points - room);
  const size_t last = first + room;
  return absl::StrCat(
      first > 0 ? kEllipsis : "",
      text.substr(beginnings[first], beginnings[last] - beginnings[first]),
      last < points ? kEllipsis : "");
}

void SearchScore::Clear() {
  std::fill(found_.begin(), found_.end(), 0.0);
  together_ = 0;
  best_ = 0;
}

bool SearchScore::Add(absl::string_view text, double weight) {
  if (text.empty()) return false;
  text::FoldCase(text, &folded_);
  double here = 0;
  const std::vector<std::string>& words = query_.words();
  for (size_t i = 0; i < words.size(); ++i) {
    const double quality = weight * Find(folded_, words[i]).quality;
    found_[i] = std::max(found_[i], quality);
    here = std::max(here, quality);
  }
  if (here > 0 && !query_.together().empty()) {
    const double quality = weight * Find(folded_, query_.together()).quality;
    together_ = std::max(together_, quality);
    here = std::max(here, quality);
  }
  if (here <= best_) return false;
  best_ = here;
  return true;
}

uint32_t SearchScore::Total() const {
  double sum = 0;
  for (const double quality : found_) {
    if (quality == 0) return 0;
    sum += quality;
  }
  const double mean = sum / static_cast<double>(found_.size());
  const double millionths =
      std::round(std::max(mean, together_) * double{kPerfect});
  return std::max(uint32_t{1}, static_cast<uint32_t>(millionths));
}

}  // namespace transparency::query
