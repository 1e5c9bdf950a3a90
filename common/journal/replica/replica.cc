#include "common/journal/replica/replica.h"

#include <utility>

namespace transparency::journal {
namespace {

template <class Options>
Options WithConninfo(Options options, const std::string& conninfo) {
  options.conninfo = conninfo;
  return options;
}

FollowerOptions Telling(FollowerOptions options,
                        std::function<void(bool)> reaction) {
  options.on_serving_change = std::move(reaction);
  return options;
}

}  // namespace

Replica::Replica(const ReplicaOptions& options,
                 const resource::Catalogue* catalogue, Clock* clock,
                 prometheus::Registry* registry)
    : on_serving_change_(options.follower.on_serving_change),
      metrics_(registry),
      integrity_(&metrics_),
      store_(catalogue, clock, options.store),
      follower_(Telling(WithConninfo(options.follower, options.conninfo),
                        [this](bool serving) {
                          Tell(&Replica::following_, serving);
                        }),
                &store_, clock, &metrics_, &integrity_),
      writer_(WithConninfo(options.writer, options.conninfo), &store_, clock,
              &metrics_),
      auditor_(WithConninfo(options.auditor, options.conninfo), catalogue,
               &integrity_, [this] { store_.Invalidate(); }) {
  integrity_.OnChange([this](bool sound) { Tell(&Replica::sound_, sound); });
}

Replica::~Replica() { Stop(); }

void Replica::Tell(bool Replica::*part, bool serving) {
  absl::MutexLock lock(&mutex_);
  const bool before = following_ && sound_;
  this->*part = serving;
  const bool after = following_ && sound_;
  if (after != before && on_serving_change_) on_serving_change_(after);
}

absl::Status Replica::Start() {
  absl::Status status = follower_.Start();
  if (status.ok()) status = writer_.Start();
  if (status.ok()) auditor_.Start();
  return status;
}

void Replica::Stop() {
  auditor_.Stop();
  writer_.Stop();
  follower_.Stop();
  store_.Stop();
}

}  // namespace transparency::journal
