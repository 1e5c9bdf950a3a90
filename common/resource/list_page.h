#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/resource/form.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"

namespace transparency::resource {

// What a page holds at most beside its size, and what it may cost.
inline constexpr size_t kMaxPageBytes = 2 << 20;
inline constexpr int kMaxExamined = 20000;
inline constexpr int kAskEvery = 256;

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
  // What else the answer depends on, such as as_of.
  std::vector<std::string> more = {};
};

// Calls `emit` with the resources of one page, in order, in the caller's form;
// returns the token of the next page, empty at the end. `still_wanted` is asked
// every kAskEvery resources; what it refuses with is returned.
//
// In name order a page ends, and may be short or empty, after kMaxExamined
// resources that the caller sees. In another order all of the kind are looked
// at, each time: the first of a page can stand anywhere. A resource whose key
// stays put while a client pages is in exactly one page.
absl::StatusOr<std::string> ListPage(
    const List& list, absl::FunctionRef<absl::Status()> still_wanted,
    absl::FunctionRef<void(const Item&, const std::string& bytes)> emit);

// How many resources the list has on all its pages together, in the caller's
// form; the page size and the token are not looked at. Costs a look at each
// resource below the parent, unless nothing is left out and nothing hidden.
absl::StatusOr<int64_t> CountListed(
    const List& list, absl::FunctionRef<absl::Status()> still_wanted);

}  // namespace transparency::resource
