#include "common/query/query_budget.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace transparency::query {
namespace {

// A look at the CPU clock is a system call; at this distance it costs a
// thousandth.
constexpr absl::Duration kBetweenChecks = absl::Microseconds(500);

}  // namespace

QueryBudget::QueryBudget(const QueryLimits& limits,
                         std::function<absl::Status()> still_wanted,
                         std::function<absl::Duration()> cpu_time)
    : limits_(limits),
      still_wanted_(std::move(still_wanted)),
      cpu_time_(std::move(cpu_time)),
      begun_(cpu_time_()),
      stride_(limits.first_check),
      until_check_(limits.first_check) {}

absl::Status QueryBudget::Check(bool whole) {
  const absl::Duration used = cpu_time_() - begun_;
  const absl::Duration step = used - used_;
  used_ = used;
  if (step > 2 * kBetweenChecks) {
    stride_ = std::max(stride_ / 2, 1);
  } else if (step < kBetweenChecks / 2) {
    stride_ = std::min(stride_ * 2, kCheckEvery);
  }
  until_check_ = stride_;
  page_spent_ = used >= limits_.page;
  return whole && used >= limits_.whole ? TooDear() : still_wanted_();
}

absl::Status QueryBudget::TooDear() const {
  const std::string limit = absl::FormatDuration(limits_.whole);
  return status::Refuse(
      absl::StatusCode::kResourceExhausted, "QUERY_TOO_DEAR",
      absl::StrCat("The query has looked at ", looked_, " resources with ",
                   terms_, " terms and used the ", limit,
                   " of CPU time that it may: ask below one parent, with fewer "
                   "terms, or without order and total size."),
      {{"limit", limit},
       {"resources", absl::StrCat(looked_)},
       {"terms", absl::StrCat(terms_)}});
}

}  // namespace transparency::query
