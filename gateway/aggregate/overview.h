#pragma once

#include "common/rpc/method_table.h"
#include "gateway/invoker/invoker.h"
#include "gateway/invoker/owners.h"

namespace transparency::gateway {

// Adds GatewayService.GetOverview. Both outlive the server.
void AddOverview(const Owners* owners, Invoker* invoker,
                 rpc::ServiceRows* rows);

}  // namespace transparency::gateway
