#include "gateway/http/traffic.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "common/log/log.h"
#include "common/rpc/status_mapping.h"

namespace transparency::gateway::http {
namespace {

constexpr int kClientError = 400;
constexpr int kServerError = 500;

// Of each kind that anybody can cause at will.
constexpr double kLinesPerSecond = 10;

const prometheus::Histogram::BucketBoundaries& StreamBoundaries() {
  static const auto* const kBoundaries =
      new prometheus::Histogram::BucketBoundaries{1,   10,   60,   300,
                                                  900, 3600, 14400};
  return *kBoundaries;
}

const prometheus::Histogram::BucketBoundaries& Boundaries() {
  static const auto* const kBoundaries =
      new prometheus::Histogram::BucketBoundaries{
          0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30};
  return *kBoundaries;
}

}  // namespace

Traffic::Traffic(prometheus::Registry* registry)
    : requests_(prometheus::BuildCounter()
                    .Name("http_requests_total")
                    .Help("HTTP requests answered, by method and HTTP status")
                    .Register(*registry)),
      seconds_(prometheus::BuildHistogram()
                   .Name("http_request_seconds")
                   .Help("Time from a request's last byte to its answer's")
                   .Register(*registry)),
      cut_offs_(prometheus::BuildCounter()
                    .Name("http_cut_offs_total")
                    .Help("Connections cut off or refused, by cause")
                    .Register(*registry)),
      stream_seconds_(prometheus::BuildHistogram()
                          .Name("http_stream_seconds")
                          .Help("How long streams of answers lasted")
                          .Register(*registry)),
      connections_(prometheus::BuildGauge()
                       .Name("http_connections")
                       .Help("Connections open now")
                       .Register(*registry)
                       .Add({})),
      streams_(prometheus::BuildGauge()
                   .Name("http_streams")
                   .Help("Streams of answers open now")
                   .Register(*registry)
                   .Add({})) {}

Traffic::Series& Traffic::Of(absl::string_view rpc, int http_status,
                             bool streamed) {
  absl::MutexLock lock(&mutex_);
  auto [found, added] =
      series_.try_emplace({std::string(rpc), http_status}, Series{});
  if (added) {
    const prometheus::Labels labels = {{"method", std::string(rpc)},
                                       {"status", std::to_string(http_status)}};
    // A method is one or the other, but a stream may be refused.
    found->second = {&requests_.Add(labels),
                     streamed ? &stream_seconds_.Add(labels, StreamBoundaries())
                              : &seconds_.Add(labels, Boundaries())};
  }
  return found->second;
}

void Traffic::OnFinished(const rest::Finished& finished) {
  Series& series = Of(finished.rpc, finished.http_status, finished.streamed);
  series.requests->Increment();
  series.seconds->Observe(absl::ToDoubleSeconds(finished.latency));
  const bool read = finished.http_method == "GET" ||
                    finished.http_method == "HEAD" ||
                    finished.http_method == "OPTIONS";
  if (read && finished.http_status < kServerError) return;
  int64_t left_out = 0;
  // Whoever has no token, or none that is known.
  const bool nobody =
      finished.anonymous || finished.code == absl::StatusCode::kUnauthenticated;
  const bool refused = finished.http_status >= kClientError;
  if (nobody && refused &&
      !Allow(absl::StrCat(finished.http_status), &left_out)) {
    return;
  }
  log::LogLine line(finished.http_status < kServerError ? spdlog::level::info
                                                        : spdlog::level::warn,
                    "http request");
  line.Text("http_method", finished.http_method)
      .Text("route", finished.route)
      .Text("method", finished.rpc)
      .Text("request_id", finished.request_id)
      .Text("trace_id", absl::ClippedSubstr(finished.traceparent, 3, 32))
      .Number("http_status", finished.http_status)
      .Text("code", rpc::CodeName(static_cast<int>(finished.code)))
      .Number("ms", absl::ToDoubleMilliseconds(finished.latency))
      .Text("client_address", finished.client_address);
  if (left_out > 0) {
    line.Number("lines_left_out", static_cast<double>(left_out));
  }
}

bool Traffic::Allow(const std::string& kind, int64_t* left_out) {
  absl::MutexLock lock(&mutex_);
  auto& sampler = samplers_[kind];
  if (sampler == nullptr) {
    sampler = std::make_unique<log::LogSampler>(kLinesPerSecond);
  }
  return sampler->Allow(absl::Now(), left_out);
}

void Traffic::OnConnections(int open) { connections_.Set(open); }

void Traffic::OnStreams(int open) { streams_.Set(open); }

void Traffic::OnCutOff(absl::string_view why, absl::string_view address) {
  cut_offs_.Add({{"cause", std::string(why)}}).Increment();
  int64_t left_out = 0;
  if (!Allow(absl::StrCat("cut off: ", why), &left_out)) return;
  log::LogLine line(spdlog::level::info, "http connection cut off");
  line.Text("cause", why).Text("client_address", address);
  if (left_out > 0) {
    line.Number("lines_left_out", static_cast<double>(left_out));
  }
}

}  // namespace transparency::gateway::http
