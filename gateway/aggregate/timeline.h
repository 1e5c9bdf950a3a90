#pragma once

#include <vector>

#include "common/rpc/method_table.h"
#include "gateway/invoker/invoker.h"
#include "gateway/invoker/owners.h"
#include "google/protobuf/descriptor.h"

namespace transparency::gateway {

// Adds GatewayService.ListTimeline over the ListEvents of the owners' services
// among `known`. All outlive the server.
void AddTimeline(
    const Owners* owners, Invoker* invoker,
    const std::vector<const google::protobuf::ServiceDescriptor*>& known,
    rpc::ServiceRows* rows);

}  // namespace transparency::gateway
