#pragma once

namespace transparency::server {

// Raises the soft limit of this process's descriptors to the hard one and
// returns it.
int RaiseDescriptorLimit();

// How many connections a port may have at most with this limit: a quarter of
// what is left once a reserve for journal, log, health and files is set aside.
// A gRPC connection takes two descriptors, so that a gRPC and an HTTP port
// together leave a quarter more than the reserve. At least 16.
int MostConnections(int descriptor_limit);

}  // namespace transparency::server
