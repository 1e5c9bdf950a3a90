#pragma once

#include <string>

#include "absl/time/time.h"
#include "gateway/contract/reasons.h"

namespace transparency::gateway::contract {

struct ServiceConfigOptions {
  // Of every unary call that has no deadline of its own; zero: none.
  absl::Duration unary_timeout = absl::ZeroDuration();
  // Spread calls over all addresses of a name, and leave out those whose health
  // check does not say SERVING.
  bool balance_by_health = false;
};

// gRPC's service config for clients of `services`, in JSON. Methods declared
// NO_SIDE_EFFECTS or IDEMPOTENT are tried again on UNAVAILABLE, three times in
// all, within a budget: half of the tokens gone, no more until successes refill
// them. Empty when it would say nothing.
std::string ServiceConfig(const ServiceList& services,
                          const ServiceConfigOptions& options);

}  // namespace transparency::gateway::contract
