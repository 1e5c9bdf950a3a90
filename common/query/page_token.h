#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Paging (AIP-158).
namespace transparency::query {

inline constexpr int kDefaultPageSize = 50;
inline constexpr int kMaxPageSize = 1000;

// How many a page holds for the `page_size` of a request; INVALID_ARGUMENT when
// it is negative.
absl::StatusOr<int> PageSize(int64_t requested);

// Where a list goes on: after this resource.
struct Position {
  std::string name;
  // What the list is sorted by before the name; empty when by name alone.
  std::string key;
};

// Opaque, URL-safe, at most 1,000 characters for names and keys of the sizes
// that there are. `query` is everything that the pages of one list have in
// common: method, parent, filter, order, form, as_of.
//
// The token is not secret and not signed: it holds what the caller has been
// shown, and one made up tells nobody more than a filter would, as every page
// is computed in the caller's form. A digest over query and position keeps it
// from being used with another query or after damage.
std::string MakePageToken(const std::vector<std::string>& query,
                          const Position& position);

// INVALID_ARGUMENT, reason PAGE_TOKEN_INVALID, when the token is not one that
// was made for this query.
absl::StatusOr<Position> ReadPageToken(const std::vector<std::string>& query,
                                       absl::string_view token);

}  // namespace transparency::query
