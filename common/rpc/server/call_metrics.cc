#include "common/rpc/server/call_metrics.h"

#include <map>

#include "common/rpc/status_mapping.h"

namespace transparency::rpc {
namespace {

// Upper bounds in seconds: a read from memory takes some 20 µs, a scan 100 ms,
// a write up to its deadline.
const prometheus::Histogram::BucketBoundaries& Boundaries() {
  static const auto* const kBoundaries =
      new prometheus::Histogram::BucketBoundaries{
          0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30};
  return *kBoundaries;
}

}  // namespace

CallMetrics::CallMetrics(prometheus::Registry* registry)
    : calls_(prometheus::BuildCounter()
                 .Name("rpc_calls_total")
                 .Help("Calls answered, by method and status code")
                 .Register(*registry)),
      seconds_(prometheus::BuildHistogram()
                   .Name("rpc_call_seconds")
                   .Help("Time from a call's arrival to its status")
                   .Register(*registry)),
      running_(prometheus::BuildGauge()
                   .Name("rpc_calls_running")
                   .Help("Calls that were let in and are not over")
                   .Register(*registry)
                   .Add({})) {}

std::unique_ptr<MethodMetrics> CallMetrics::ForMethod(
    absl::string_view method) {
  return std::make_unique<MethodMetrics>(this, std::string(method));
}

void MethodMetrics::Count(int code, absl::Duration duration) {
  const size_t index = code >= 0 && code < 17 ? static_cast<size_t>(code) : 2;
  const Series* series = by_code_[index].load(std::memory_order_acquire);
  if (series == nullptr) {
    absl::MutexLock lock(&mutex_);
    const std::map<std::string, std::string> labels = {
        {"method", method_},
        {"code", std::string(CodeName(static_cast<int>(index)))}};
    series_[index] = {&metrics_->calls_.Add(labels),
                      &metrics_->seconds_.Add(labels, Boundaries())};
    series = &series_[index];
    by_code_[index].store(series, std::memory_order_release);
  }
  series->calls->Increment();
  series->seconds->Observe(absl::ToDoubleSeconds(duration));
}

}  // namespace transparency::rpc
