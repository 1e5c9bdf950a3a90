#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/query/query_budget.h"
#include "common/resource/form.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"

namespace transparency::resource {

// What a page holds at most beside its size, and what it may look at.
inline constexpr size_t kMaxPageBytes = 2 << 20;
inline constexpr int kMaxExamined = 20000;

// A List call. What it refers to outlives the call of ListPage.
struct List {
  const Snapshot& snapshot;
  const Kind& kind;
  const Form& form;
  absl::string_view method;  // the full name: tokens are for one method
  absl::string_view parent;  // `-` stands for any id; empty for top-level kinds
  absl::string_view filter;
  absl::string_view order_by;
  int page_size = 0;  // as requested
  absl::string_view page_token;
  bool show_deleted = false;
  // Whether to count the resources of all pages.
  bool total_size = false;
  // What else the answer depends on, such as as_of.
  std::vector<std::string> more = {};
};

struct ListedPage {
  std::string next_page_token;  // empty at the end
  // How many resources the list has on all its pages together, in the caller's
  // form; where List::total_size asks for it.
  absl::optional<int64_t> total_size;
};

// Calls `emit` with the resources of one page, in order, in the caller's form.
// Looks `budget` up for each resource, and returns what that refuses with.
//
// In name order a page ends, and may be short or empty, after kMaxExamined
// resources that the caller sees, or when `budget` is spent for a page. In
// another order all of the kind are looked at, each time, since the first of a
// page can stand anywhere; so they are to be counted, unless nothing is left
// out and nothing hidden. Either is refused when it takes more than `budget`
// has: a page or a count is never wrong. A resource whose key stays put while a
// client pages is in exactly one page.
absl::StatusOr<ListedPage> ListPage(
    const List& list, query::QueryBudget* budget,
    absl::FunctionRef<void(const Item&, const std::string& bytes)> emit);

}  // namespace transparency::resource
