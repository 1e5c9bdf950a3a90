#include "common/methods/query_limits.h"

#include "absl/flags/flag.h"
#include "common/methods/reader.h"

ABSL_FLAG(absl::Duration, query_page_cpu,
          transparency::query::QueryLimits().page,
          "CPU time after which a list by name ends its page, short or empty, "
          "with a token for the next");
ABSL_FLAG(absl::Duration, query_cpu, transparency::query::QueryLimits().whole,
          "CPU time after which a read that has to look at everything (another "
          "order, a total size, a search, a timeline, a summary) is refused "
          "with QUERY_TOO_DEAR");

namespace transparency::methods {

query::QueryLimits LimitsOfQueries() {
  query::QueryLimits limits;
  limits.page = absl::GetFlag(FLAGS_query_page_cpu);
  limits.whole = absl::GetFlag(FLAGS_query_cpu);
  return limits;
}

query::QueryBudget BudgetFor(const rpc::Call& call) {
  return query::QueryBudget(LimitsOfQueries(),
                            [&call] { return StillWanted(call); });
}

}  // namespace transparency::methods
