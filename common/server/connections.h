#pragma once

#include "absl/time/time.h"

namespace transparency::server {

// Ends our side (FIN) of every TCP connection that this process has accepted on
// `port`, then waits until the peers have ended theirs, until `deadline` at
// most. What is written already still arrives; were a socket closed while its
// peer sends, the peer would meet a reset and might not read what it was sent.
void EndConnections(int port, absl::Time deadline);

}  // namespace transparency::server
