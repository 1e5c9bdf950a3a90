#include "common/journal/replica.h"

#include <utility>

namespace transparency::journal {
namespace {

WriterOptions WithConninfo(WriterOptions options, const std::string& conninfo) {
  options.conninfo = conninfo;
  return options;
}

FollowerOptions WithConninfo(FollowerOptions options,
                             const std::string& conninfo) {
  options.conninfo = conninfo;
  return options;
}

}  // namespace

Replica::Replica(const ReplicaOptions& options,
                 const resource::Catalogue* catalogue, Clock* clock,
                 prometheus::Registry* registry)
    : metrics_(registry),
      store_(catalogue, clock, options.store),
      follower_(WithConninfo(options.follower, options.conninfo), &store_,
                clock, &metrics_),
      writer_(WithConninfo(options.writer, options.conninfo), &store_, clock,
              &metrics_) {}

Replica::~Replica() { Stop(); }

absl::Status Replica::Start() {
  absl::Status status = follower_.Start();
  if (status.ok()) status = writer_.Start();
  return status;
}

void Replica::Stop() {
  writer_.Stop();
  follower_.Stop();
  store_.Stop();
}

}  // namespace transparency::journal
