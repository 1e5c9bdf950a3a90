#pragma once

#include "grpcpp/server_builder.h"

namespace transparency::rpc {

// What every gRPC server of the suite takes from a client at most, and how it
// treats its connections. `max_message_bytes` holds in either direction, for
// messages as they are: compressed requests are UNIMPLEMENTED, since gRPC 1.51
// inflates them before it looks at a limit.
void SetServerArguments(int max_message_bytes, grpc::ServerBuilder* builder);

}  // namespace transparency::rpc
