#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/log/log_sampler.h"
#include "gateway/rest/exchange.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace transparency::gateway::http {

// Counts and logs what the HTTP port serves: requests and latencies by method
// and HTTP status, connections, cut-offs. A line for what went wrong on our
// side and for what may have changed something; none for a successful read. Of
// what anybody can cause without a token, some lines a second, which say how
// many were left out. Thread-safe.
class Traffic : public rest::Observer {
 public:
  // `registry` outlives this.
  explicit Traffic(prometheus::Registry* registry);

  void OnFinished(const rest::Finished& finished) override;
  void OnConnections(int open) override;
  void OnStreams(int open) override;
  void OnCutOff(absl::string_view why, absl::string_view address) override;

 private:
  struct Series {
    prometheus::Counter* requests;
    prometheus::Histogram* seconds;
  };
  // Whether a line of this kind may be written now, and how many could not
  // since the last. Kinds are few.
  bool Allow(const std::string& kind, int64_t* left_out);
  Series& Of(absl::string_view rpc, int http_status, bool streamed);

  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& seconds_;
  prometheus::Family<prometheus::Counter>& cut_offs_;
  prometheus::Family<prometheus::Histogram>& stream_seconds_;
  prometheus::Gauge& connections_;
  prometheus::Gauge& streams_;

  absl::Mutex mutex_;
  std::map<std::pair<std::string, int>, Series> series_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::unique_ptr<log::LogSampler>> samplers_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace transparency::gateway::http
