#pragma once

#include "common/query/query_budget.h"
#include "common/rpc/call.h"

namespace transparency::methods {

// What this process lets a query cost: --query_page_cpu and --query_cpu.
query::QueryLimits LimitsOfQueries();

// The budget of a query that answers `call`, which outlives it: it ends when
// nobody waits for the answer, and gives way to the reads of other callers.
query::QueryBudget BudgetFor(const rpc::Call& call);

}  // namespace transparency::methods
