#pragma once

#include <atomic>
#include <memory>

#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace transparency::journal {

// Registers a family without labels and gives its one member, which the
// registry owns.
prometheus::Gauge& AddGauge(prometheus::Registry* registry, const char* name,
                            const char* help);
prometheus::Counter& AddCounter(prometheus::Registry* registry,
                                const char* name, const char* help);

// What a replica's writer and follower count. Thread-safe.
class Metrics {
 public:
  // Registers the families; `registry` outlives this.
  explicit Metrics(prometheus::Registry* registry);

  prometheus::Gauge& queue_length;
  prometheus::Counter& batches;
  prometheus::Histogram& batch_size;
  prometheus::Counter& commands;
  prometheus::Counter& refused_commands;
  prometheus::Counter& repeated_requests;
  prometheus::Counter& clock_entries;
  prometheus::Histogram& commit_seconds;
  prometheus::Counter& failed_batches;
  prometheus::Counter& unknown_outcomes;
  // A call that reached a database constraint: a defect of a rule.
  prometheus::Counter& constraint_hits;
  prometheus::Counter& reconnects;
  prometheus::Counter& reloads;
  prometheus::Gauge& revision;
  // Entries that the database has and this replica has not applied.
  prometheus::Gauge& lag_entries;
  prometheus::Gauge& staleness_seconds;
  prometheus::Gauge& clock_offset_seconds;
  prometheus::Gauge& resources;
  // What does not fit the journal, as last found.
  prometheus::Gauge& integrity_problems;
  prometheus::Counter& integrity_passes;
};

}  // namespace transparency::journal
