#pragma once

#include <vector>

#include "common/rpc/method_table.h"
#include "gateway/invoker/invoker.h"
#include "gateway/invoker/owners.h"
#include "google/protobuf/descriptor.h"

namespace transparency::gateway {

// Adds GatewayService.WatchUpdates. The owners' services are found among
// `known`, those of owners without an address too: the one that has a
// WatchChanges and the resource types there are. All outlive the server.
void AddUpdates(
    const Owners* owners, Invoker* invoker,
    const std::vector<const google::protobuf::ServiceDescriptor*>& known,
    rpc::ServiceRows* rows);

}  // namespace transparency::gateway
