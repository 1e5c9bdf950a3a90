#pragma once

#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"

namespace transparency::changes {

// What the watches of a replica count. Thread-safe.
struct WatchMetrics {
  // Registers the families; `registry` outlives this.
  explicit WatchMetrics(prometheus::Registry* registry);

  prometheus::Gauge& watches;
  prometheus::Counter& events;
  prometheus::Counter& cut_off;
  prometheus::Counter& old_reads;
  prometheus::Gauge& kept;
  prometheus::Gauge& behind;
};

}  // namespace transparency::changes
