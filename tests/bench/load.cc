// Calls one unary method of a gRPC server again and again, and prints one line
// of JSON: calls, seconds, codes, bytes and latencies.
//
// Requests come from a file of messages, each after its length (32 bits,
// big-endian), in turn. Either a fixed number of callers each wait for an
// answer before they ask again, or (--rate) calls start at a steady pace
// whatever the answers do, and a latency counts from the instant at which the
// call was due.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/rpc/stream.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "transparency/certification/v1/certificate.pb.h"

ABSL_FLAG(std::string, target, "", "host:port");
ABSL_FLAG(std::string, method, "", "/package.Service/Method");
ABSL_FLAG(std::string, requests, "", "file of requests");
ABSL_FLAG(std::string, token, "", "bearer token; empty: as the public");
ABSL_FLAG(int, connections, 2, "");
ABSL_FLAG(int, callers, 32, "calls under way at once (without --rate)");
ABSL_FLAG(double, rate, 0, "calls started per second; 0: as --callers allow");
ABSL_FLAG(int64_t, calls, 0, "how many in all; 0: as many as --seconds allow");
ABSL_FLAG(double, seconds, 0, "for how long; 0: until --calls");
ABSL_FLAG(bool, pages, false,
          "the method is ListCertificates: follow the pages to the end, then "
          "begin again");
ABSL_FLAG(
    int64_t, serial, -1,
    "unless negative: each ######## in a request becomes this number, one "
    "more with each call");

namespace transparency::bench {
namespace {

constexpr char kPlaceholder[] = "########";
constexpr absl::Duration kCallTime = absl::Seconds(25);

std::vector<std::string> ReadRequests(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string all(std::istreambuf_iterator<char>(in), {});
  std::vector<std::string> requests;
  for (size_t at = 0; at + 4 <= all.size();) {
    size_t length = 0;
    for (int i = 0; i < 4; ++i) {
      length = length << 8 | static_cast<unsigned char>(all[at++]);
    }
    requests.push_back(all.substr(at, length));
    at += length;
  }
  return requests;
}

// What one caller has seen.
struct Tally {
  std::map<int, int64_t> codes;
  int64_t bytes = 0;
  int64_t scans = 0;
  std::vector<int32_t> micros;  // of answered calls

  void Add(const Tally& other) {
    for (const auto& [code, count] : other.codes) codes[code] += count;
    bytes += other.bytes;
    scans += other.scans;
    micros.insert(micros.end(), other.micros.begin(), other.micros.end());
  }
};

// What all callers share. Thread-safe.
class Run {
 public:
  Run()
      : requests_(ReadRequests(absl::GetFlag(FLAGS_requests))),
        method_(absl::GetFlag(FLAGS_method)),
        token_(absl::GetFlag(FLAGS_token)),
        limit_(absl::GetFlag(FLAGS_calls)),
        serial_(absl::GetFlag(FLAGS_serial)),
        begun_(absl::Now()),
        end_(absl::GetFlag(FLAGS_seconds) > 0
                 ? begun_ + absl::Seconds(absl::GetFlag(FLAGS_seconds))
                 : absl::InfiniteFuture()) {}

  bool valid() const {
    return !requests_.empty() && !method_.empty() &&
           (limit_ > 0 || end_ < absl::InfiniteFuture());
  }
  const std::string& method() const { return method_; }
  const std::string& token() const { return token_; }
  absl::Time begun() const { return begun_; }
  absl::Time end() const { return end_; }

  // False when the run is over; else the next request.
  bool Next(std::string* request) {
    const int64_t number = started_.fetch_add(1);
    if ((limit_ > 0 && number >= limit_) || absl::Now() >= end_) return false;
    *request = requests_[static_cast<size_t>(number) % requests_.size()];
    if (serial_ >= 0) {
      *request = absl::StrReplaceAll(
          *request,
          {{kPlaceholder, absl::StrFormat("%08d", serial_ + number)}});
    }
    return true;
  }

 private:
  const std::vector<std::string> requests_;
  const std::string method_;
  const std::string token_;
  const int64_t limit_;
  const int64_t serial_;
  const absl::Time begun_;
  const absl::Time end_;
  std::atomic<int64_t> started_{0};
};

// One call after the other. Its tally may be read once it is idle.
class Caller {
 public:
  Caller(Run* run, std::shared_ptr<grpc::Channel> channel)
      : run_(run), stub_(std::move(channel)) {}

  // Until the run is over.
  void Loop(std::function<void()> ended) {
    ended_ = std::move(ended);
    Again();
  }
  void Once(absl::Time due, const std::string& request,
            std::function<void()> ended) {
    ended_ = std::move(ended);
    Start(due, request);
  }
  const Tally& tally() const { return tally_; }

 private:
  void Again() {
    std::string request;
    if (!run_->Next(&request)) return End();
    if (!page_token_.empty()) {
      certification::v1::ListCertificatesRequest list;
      list.ParseFromString(request);
      list.set_page_token(page_token_);
      list.SerializeToString(&request);
    }
    Start(absl::Now(), request);
  }

  void Start(absl::Time due, const std::string& request) {
    due_ = due;
    context_ = std::make_unique<grpc::ClientContext>();
    context_->set_deadline(absl::ToChronoTime(absl::Now() + kCallTime));
    if (!run_->token().empty()) {
      context_->AddMetadata("authorization",
                            absl::StrCat("Bearer ", run_->token()));
    }
    request_ = rpc::ToByteBuffer(request);
    answer_.Clear();
    stub_.UnaryCall(context_.get(), run_->method(), grpc::StubOptions(),
                    &request_, &answer_,
                    [this](const grpc::Status& status) { Done(status); });
  }

  void Done(const grpc::Status& status) {
    ++tally_.codes[status.error_code()];
    if (status.ok()) {
      tally_.micros.push_back(
          static_cast<int32_t>(absl::ToInt64Microseconds(absl::Now() - due_)));
      tally_.bytes += static_cast<int64_t>(answer_.Length());
      if (absl::GetFlag(FLAGS_pages)) TurnPage();
    }
    if (absl::GetFlag(FLAGS_rate) > 0) return End();
    Again();
  }

  // From then on the next call may begin, on another thread.
  void End() {
    const std::function<void()> ended = std::move(ended_);
    ended();
  }

  void TurnPage() {
    certification::v1::ListCertificatesResponse page;
    page.ParseFromString(rpc::ToString(answer_));
    page_token_ = page.next_page_token();
    if (page_token_.empty()) ++tally_.scans;
  }

  Run* const run_;
  grpc::GenericStub stub_;
  std::function<void()> ended_;
  absl::Time due_;
  std::unique_ptr<grpc::ClientContext> context_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer answer_;
  std::string page_token_;
  Tally tally_;
};

// Counts calls or callers down; waits for the last.
class Pending {
 public:
  void Add() {
    absl::MutexLock lock(&mutex_);
    ++count_;
  }
  void Done() {
    absl::MutexLock lock(&mutex_);
    --count_;
  }
  void Wait() {
    const auto none = [this] { return count_ == 0; };
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&none));
  }

 private:
  absl::Mutex mutex_;
  int count_ = 0;
};

using Channels = std::vector<std::shared_ptr<grpc::Channel>>;

Tally InTurn(Run* run, const Channels& channels) {
  std::vector<std::unique_ptr<Caller>> callers;
  Pending pending;
  for (int i = 0; i < absl::GetFlag(FLAGS_callers); ++i) {
    callers.push_back(std::make_unique<Caller>(
        run, channels[static_cast<size_t>(i) % channels.size()]));
    pending.Add();
  }
  for (auto& caller : callers) caller->Loop([&pending] { pending.Done(); });
  pending.Wait();
  Tally tally;
  for (const auto& caller : callers) tally.Add(caller->tally());
  return tally;
}

Tally AtAPace(Run* run, const Channels& channels) {
  const absl::Duration interval = absl::Seconds(1) / absl::GetFlag(FLAGS_rate);
  std::vector<std::unique_ptr<Caller>> all;
  std::vector<Caller*> idle;
  absl::Mutex mutex;
  Pending pending;
  std::string request;
  absl::Time due = run->begun();
  while (due < run->end() && run->Next(&request)) {
    absl::SleepFor(due - absl::Now());
    Caller* caller = nullptr;
    {
      absl::MutexLock lock(&mutex);
      if (!idle.empty()) {
        caller = idle.back();
        idle.pop_back();
      }
    }
    if (caller == nullptr) {
      all.push_back(std::make_unique<Caller>(
          run, channels[all.size() % channels.size()]));
      caller = all.back().get();
    }
    pending.Add();
    caller->Once(due, request, [&, caller] {
      {
        absl::MutexLock lock(&mutex);
        idle.push_back(caller);
      }
      pending.Done();
    });
    due += interval;
  }
  pending.Wait();
  Tally tally;
  for (const auto& caller : all) tally.Add(caller->tally());
  return tally;
}

Channels Open() {
  Channels channels;
  for (int i = 0; i < absl::GetFlag(FLAGS_connections); ++i) {
    grpc::ChannelArguments arguments;
    // Channels of equal arguments would share one connection.
    arguments.SetInt("bench.connection", i);
    arguments.SetMaxReceiveMessageSize(-1);
    channels.push_back(grpc::CreateCustomChannel(
        absl::GetFlag(FLAGS_target), grpc::InsecureChannelCredentials(),
        arguments));
  }
  for (const auto& channel : channels) {
    channel->WaitForConnected(
        absl::ToChronoTime(absl::Now() + absl::Seconds(10)));
  }
  return channels;
}

void Print(Tally tally, absl::Duration time) {
  std::sort(tally.micros.begin(), tally.micros.end());
  const auto quantile = [&tally](double share) {
    if (tally.micros.empty()) return 0;
    const auto at =
        static_cast<size_t>(share * static_cast<double>(tally.micros.size()));
    return tally.micros[std::min(at, tally.micros.size() - 1)];
  };
  int64_t calls = 0;
  std::vector<std::string> codes;
  for (const auto& [code, count] : tally.codes) {
    calls += count;
    codes.push_back(absl::StrCat("\"", code, "\":", count));
  }
  std::cout << absl::StrFormat(
      "{\"calls\":%d,\"seconds\":%.6f,\"codes\":{%s},\"bytes\":%d,"
      "\"scans\":%d,\"p50_us\":%d,\"p90_us\":%d,\"p99_us\":%d,\"max_us\":%d}\n",
      calls, absl::ToDoubleSeconds(time), absl::StrJoin(codes, ","),
      tally.bytes, tally.scans, quantile(0.5), quantile(0.9), quantile(0.99),
      quantile(1));
}

int Main() {
  const Channels channels = Open();
  Run run;
  if (!run.valid()) {
    std::cerr << "needs --method, --requests, and --calls or --seconds\n";
    return 2;
  }
  Tally tally = absl::GetFlag(FLAGS_rate) > 0 ? AtAPace(&run, channels)
                                              : InTurn(&run, channels);
  Print(std::move(tally), absl::Now() - run.begun());
  return 0;
}

}  // namespace
}  // namespace transparency::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return transparency::bench::Main();
}
