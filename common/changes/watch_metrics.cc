#include "common/changes/watch_metrics.h"

#include "common/journal/metrics.h"

namespace transparency::changes {
using journal::AddCounter;
using journal::AddGauge;

WatchMetrics::WatchMetrics(prometheus::Registry* registry)
    : watches(AddGauge(registry, "transparency_watches",
                       "WatchChanges streams that are open")),
      events(AddCounter(registry, "transparency_watch_events_total",
                        "Events sent to watches, without bookmarks")),
      cut_off(AddCounter(registry, "transparency_watch_cut_off_total",
                         "Watches ended because they took events too slowly")),
      old_reads(AddCounter(registry, "transparency_watch_old_reads_total",
                           "Pages of the journal read for watches that resume "
                           "before what is in memory")),
      kept(AddGauge(registry, "transparency_watch_kept_entries",
                    "Journal entries kept in memory for watches")),
      behind(AddGauge(registry, "transparency_watch_behind_entries",
                      "Entries that the slowest watch has still to look at")) {}

}  // namespace transparency::changes
