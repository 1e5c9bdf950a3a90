#include "common/journal/metrics.h"

#include <string>

namespace transparency::journal {
namespace {

using prometheus::Histogram;

Histogram& Buckets(prometheus::Registry* registry, const char* name,
                   const char* help,
                   const Histogram::BucketBoundaries& buckets) {
  return prometheus::BuildHistogram()
      .Name(name)
      .Help(help)
      .Register(*registry)
      .Add({}, buckets);
}

}  // namespace

prometheus::Gauge& AddGauge(prometheus::Registry* registry, const char* name,
                            const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(*registry).Add(
      {});
}

prometheus::Counter& AddCounter(prometheus::Registry* registry,
                                const char* name, const char* help) {
  return prometheus::BuildCounter()
      .Name(name)
      .Help(help)
      .Register(*registry)
      .Add({});
}

Metrics::Metrics(prometheus::Registry* r)
    : queue_length(AddGauge(r, "transparency_writer_queue_length",
                            "Commands that wait for the writer.")),
      batches(AddCounter(r, "transparency_writer_batches_total",
                         "Transactions committed by the writer.")),
      batch_size(Buckets(r, "transparency_writer_batch_commands",
                         "Commands of one transaction.",
                         {1, 2, 4, 8, 16, 32, 64})),
      commands(AddCounter(r, "transparency_writer_commands_total",
                          "Commands decided and answered.")),
      refused_commands(AddCounter(r, "transparency_writer_refused_total",
                                  "Commands that their rules refused.")),
      repeated_requests(
          AddCounter(r, "transparency_writer_repeated_requests_total",
                     "Commands answered from the record of their request_id.")),
      clock_entries(AddCounter(r, "transparency_writer_clock_entries_total",
                               "Changes of the clock written to the journal.")),
      commit_seconds(Buckets(
          r, "transparency_writer_transaction_seconds",
          "From taking the order lock to the end of COMMIT.",
          {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10})),
      failed_batches(AddCounter(r, "transparency_writer_failed_batches_total",
                                "Transactions that did not commit.")),
      unknown_outcomes(
          AddCounter(r, "transparency_writer_unknown_outcomes_total",
                     "COMMITs whose outcome had to be looked up.")),
      constraint_hits(AddCounter(r, "transparency_writer_constraint_hits_total",
                                 "Changes that a database constraint refused: "
                                 "defects of a rule.")),
      reconnects(
          AddCounter(r, "transparency_journal_reconnects_total",
                     "Database sessions that were lost and made again.")),
      reloads(AddCounter(r, "transparency_journal_reloads_total",
                         "Loads of the snapshot from the tables.")),
      revision(AddGauge(r, "transparency_journal_revision",
                        "Last journal entry applied.")),
      lag_entries(
          AddGauge(r, "transparency_journal_lag_entries",
                   "Journal entries not applied yet at the last poll.")),
      staleness_seconds(
          AddGauge(r, "transparency_journal_staleness_seconds",
                   "Age of the last proof that the snapshot is current.")),
      clock_offset_seconds(AddGauge(r, "transparency_clock_offset_seconds",
                                    "Database's clock less this machine's.")),
      resources(AddGauge(r, "transparency_snapshot_resources",
                         "Resources in the snapshot.")),
      integrity_problems(
          AddGauge(r, "transparency_integrity_problems",
                   "Rows and entries that do not fit the journal, as last "
                   "found at a load or by the running check; above 0 the "
                   "replica is NOT_SERVING.")),
      integrity_passes(AddCounter(r, "transparency_integrity_passes_total",
                                  "Passes of the running check over the whole "
                                  "database.")) {}

}  // namespace transparency::journal
