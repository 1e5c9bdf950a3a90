#include "common/changes/watch_metrics.h"

namespace transparency::changes {
namespace {

prometheus::Gauge& Gauge(prometheus::Registry* registry, const char* name,
                         const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(*registry).Add(
      {});
}

prometheus::Counter& Counter(prometheus::Registry* registry, const char* name,
                             const char* help) {
  return prometheus::BuildCounter()
      .Name(name)
      .Help(help)
      .Register(*registry)
      .Add({});
}

}  // namespace

WatchMetrics::WatchMetrics(prometheus::Registry* registry)
    : watches(Gauge(registry, "watches", "WatchChanges streams that are open")),
      events(Counter(registry, "watch_events_total",
                     "Events sent to watches, without bookmarks")),
      cut_off(Counter(registry, "watch_cut_off_total",
                      "Watches ended because they took events too slowly")),
      old_reads(Counter(registry, "watch_old_reads_total",
                        "Pages of the journal read for watches that resume "
                        "before what is in memory")),
      kept(Gauge(registry, "watch_kept_entries",
                 "Journal entries kept in memory for watches")),
      behind(Gauge(registry, "watch_behind_entries",
                   "Entries that the slowest watch has still to look at")) {}

}  // namespace transparency::changes
