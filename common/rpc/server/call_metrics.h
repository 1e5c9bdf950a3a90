#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace transparency::rpc {

class CallMetrics;

// Counts one method's calls; looks labels up once per code. Thread-safe.
class MethodMetrics {
 public:
  MethodMetrics(CallMetrics* metrics, std::string method)
      : metrics_(metrics), method_(std::move(method)) {}

  // `code`: a canonical code, 0 to 16.
  void Count(int code, absl::Duration duration);

 private:
  struct Series {
    prometheus::Counter* calls;
    prometheus::Histogram* seconds;
  };

  CallMetrics* metrics_;
  const std::string method_;
  std::array<std::atomic<const Series*>, 17> by_code_{};
  absl::Mutex mutex_;
  std::array<Series, 17> series_ ABSL_GUARDED_BY(mutex_){};
};

// The families rpc_calls_total and rpc_call_seconds, by method and code, and
// rpc_calls_running.
class CallMetrics {
 public:
  explicit CallMetrics(prometheus::Registry* registry);

  // `method` is a full name, without leading slash: of a bounded set.
  std::unique_ptr<MethodMetrics> ForMethod(absl::string_view method);
  prometheus::Gauge& running() { return running_; }

 private:
  friend class MethodMetrics;

  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Family<prometheus::Histogram>& seconds_;
  prometheus::Gauge& running_;
};

}  // namespace transparency::rpc
