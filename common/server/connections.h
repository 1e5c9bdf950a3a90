#pragma once

namespace transparency::server {

// Ends our side (FIN) of every TCP connection that this process has accepted on
// `port`; what is written already still arrives.
void EndConnections(int port);

}  // namespace transparency::server
