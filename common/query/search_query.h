#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Finding resources by words in their text.
namespace transparency::query {

// What a search looks for: words and phrases, all of which must be found. Text
// is compared in NFC, which requests and resources are in, and without regard
// to case. A word is found where it begins a word of the text; between
// characters of writing without spaces (Chinese, Japanese, Korean) words may
// begin anywhere. Immutable, thread-safe.
class SearchQuery {
 public:
  static constexpr size_t kMaxWords = 20;

  // Words stand apart by spaces; "a phrase" in double quotes is one word.
  // INVALID_ARGUMENT over `query`: no word, too many, a quote that is not
  // closed.
  static absl::StatusOr<SearchQuery> Parse(absl::string_view text);

  // Without regard to case, each once.
  const std::vector<std::string>& words() const { return words_; }
  // All words with a space between, as one; empty when there is but one.
  const std::string& together() const { return together_; }

  // The part of `text` in which the query is found best, at most `length` code
  // points, with an ellipsis where text was left out; its beginning when
  // nothing is found.
  std::string Snippet(absl::string_view text, size_t length) const;

 private:
  std::vector<std::string> words_;
  std::string together_;
};

// How well one resource matches. Fed with its texts one after another; to be
// used again for the next resource. Not thread-safe.
class SearchScore {
 public:
  // The score of a perfect match.
  static constexpr uint32_t kPerfect = 1000000;

  // `query` outlives this.
  explicit SearchScore(const SearchQuery& query)
      : query_(query), found_(query.words().size()) {}

  void Clear();
  // Looks for the query in a text that counts as `weight`, in (0, 1]. True when
  // no text before it matches as well.
  bool Add(absl::string_view text, double weight);
  // 0 when a word was in no text; else 1 to kPerfect.
  uint32_t Total() const;

 private:
  const SearchQuery& query_;
  std::vector<double> found_;  // of each word, the best so far
  double together_ = 0;
  double best_ = 0;
  std::string folded_;
};

}  // namespace transparency::query
