#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/cpu_time.h"

namespace transparency::query {

// What one query may cost, in CPU time of the thread that runs it.
struct QueryLimits {
  // After which a page ends, short or empty, where the next one can go on.
  absl::Duration page = absl::Milliseconds(150);
  // After which a query that has to look at everything is refused.
  absl::Duration whole = absl::Seconds(2);
  // How many resources are looked at before the first look at the clock.
  int first_check = 32;
};

// What a query has cost so far. Made when the query begins, on the thread that
// runs it. Not thread-safe.
class QueryBudget {
 public:
  // Resources between two looks at the clock, at most; where resources are dear
  // they come some half a millisecond after each other.
  static constexpr int kCheckEvery = 256;

  // `still_wanted` is asked at each look at the clock; it may give way to other
  // work, as that is not CPU time of this thread.
  QueryBudget(const QueryLimits& limits,
              std::function<absl::Status()> still_wanted,
              std::function<absl::Duration()> cpu_time = ThreadCpuTime);

  // Called before each resource that is looked at. Not OK: the query ends with
  // what `still_wanted` says, or with RESOURCE_EXHAUSTED, QUERY_TOO_DEAR, which
  // names how much was looked at and with how many terms.
  absl::Status Look() { return Count(/*whole=*/true); }
  // The same for a page that can end early: never too dear, see page_spent.
  absl::Status LookForPage() { return Count(/*whole=*/false); }

  // Whether a page that another one can follow should end here.
  bool page_spent() const { return page_spent_; }

  // What each resource is judged by: terms of a filter, words of a search.
  void set_terms(int terms) { terms_ = terms; }

 private:
  absl::Status Count(bool whole) {
    ++looked_;
    return --until_check_ > 0 ? absl::OkStatus() : Check(whole);
  }
  absl::Status Check(bool whole);
  absl::Status TooDear() const;

  const QueryLimits limits_;
  const std::function<absl::Status()> still_wanted_;
  const std::function<absl::Duration()> cpu_time_;
  const absl::Duration begun_;
  absl::Duration used_;
  int64_t looked_ = 0;
  int stride_;
  int until_check_;
  int terms_ = 0;
  bool page_spent_ = false;
};

}  // namespace transparency::query
