// Many clients of WatchChanges at once. Prints `ready` when all of them are
// listening. Then reads how many changes there are, waits until each client has
// been told as many, and prints one line of JSON: how many they were told
// together, and how long after its record time each change came.

#include <algorithm>
#include <atomic>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/rpc/stream.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "grpcpp/support/client_callback.h"
#include "transparency/journal/v1/journal.pb.h"

ABSL_FLAG(std::string, target, "", "host:port");
ABSL_FLAG(std::string, service, "", "package.Service");
ABSL_FLAG(int, watchers, 1, "");
ABSL_FLAG(int, connections, 10, "that the watchers share");

namespace transparency::bench {
namespace {

using journal::v1::WatchChangesResponse;

// As long as all is still to be told.
constexpr absl::Duration kPatience = absl::Minutes(1);

// How many watchers are there, what they were told, how many have ended.
class Counts {
 public:
  void Told() {
    absl::MutexLock lock(&mutex_);
    ++told_;
  }
  // Also when one has ended, or the patience.
  void AwaitTold(int64_t count) {
    const auto all = [this, count]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return told_ >= count || ended_ > 0;
    };
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&all), kPatience);
  }
  void Listening() {
    absl::MutexLock lock(&mutex_);
    ++listening_;
  }
  void Ended() {
    absl::MutexLock lock(&mutex_);
    ++ended_;
  }
  bool AwaitListening(int count) {
    const auto all = [this, count] { return listening_ >= count; };
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&all), absl::Minutes(1)) &&
           ended_ == 0;
  }
  void AwaitEnded(int count) {
    const auto all = [this, count] { return ended_ >= count; };
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&all));
  }
  int ended() {
    absl::MutexLock lock(&mutex_);
    return ended_;
  }

 private:
  absl::Mutex mutex_;
  int64_t told_ = 0;
  int listening_ = 0;
  int ended_ = 0;
};

// One stream. What it has seen may be read once it has ended.
class Watcher
    : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  Watcher(const std::shared_ptr<grpc::Channel>& channel,
          const std::string& method, Counts* counts)
      : stub_(channel), counts_(counts) {
    request_ = rpc::ToByteBuffer(
        journal::v1::WatchChangesRequest().SerializeAsString());
    stub_.PrepareBidiStreamingCall(&context_, method, grpc::StubOptions(),
                                   this);
    StartWriteLast(&request_, grpc::WriteOptions());
    StartRead(&answer_);
    StartCall();
  }
  void Cancel() { context_.TryCancel(); }
  const std::vector<int32_t>& micros() const { return micros_; }

  void OnReadInitialMetadataDone(bool ok) override {
    if (ok) Hear();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    Hear();
    WatchChangesResponse told;
    told.ParseFromString(rpc::ToString(answer_));
    if (told.type() != WatchChangesResponse::BOOKMARK) {
      const absl::Time recorded =
          absl::FromUnixSeconds(told.record_time().seconds()) +
          absl::Nanoseconds(told.record_time().nanos());
      micros_.push_back(static_cast<int32_t>(
          absl::ToInt64Microseconds(absl::Now() - recorded)));
      counts_->Told();
    }
    StartRead(&answer_);
  }
  void OnDone(const grpc::Status&) override { counts_->Ended(); }

 private:
  void Hear() {
    if (!heard_.exchange(true)) counts_->Listening();
  }

  grpc::GenericStub stub_;
  Counts* const counts_;
  grpc::ClientContext context_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer answer_;
  std::atomic<bool> heard_{false};  // gRPC tells of both at once
  std::vector<int32_t> micros_;
};

std::vector<std::shared_ptr<grpc::Channel>> Open() {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < absl::GetFlag(FLAGS_connections); ++i) {
    grpc::ChannelArguments arguments;
    // Channels of equal arguments would share one connection.
    arguments.SetInt("bench.connection", i);
    channels.push_back(grpc::CreateCustomChannel(
        absl::GetFlag(FLAGS_target), grpc::InsecureChannelCredentials(),
        arguments));
  }
  return channels;
}

int Main() {
  const auto channels = Open();
  const std::string method =
      "/" + absl::GetFlag(FLAGS_service) + "/WatchChanges";
  const int count = absl::GetFlag(FLAGS_watchers);
  Counts counts;
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < count; ++i) {
    watchers.push_back(std::make_unique<Watcher>(
        channels[static_cast<size_t>(i) % channels.size()], method, &counts));
  }
  const bool listening = counts.AwaitListening(count);
  std::cout << (listening ? "ready" : "not all are let in") << std::endl;
  int64_t changes = 0;
  if (listening && std::cin >> changes) counts.AwaitTold(changes * count);
  const int lost = counts.ended();
  for (const auto& watcher : watchers) watcher->Cancel();
  counts.AwaitEnded(count);
  std::vector<int32_t> micros;
  for (const auto& watcher : watchers) {
    micros.insert(micros.end(), watcher->micros().begin(),
                  watcher->micros().end());
  }
  std::sort(micros.begin(), micros.end());
  const auto quantile = [&micros](double share) {
    if (micros.empty()) return 0;
    const auto at =
        static_cast<size_t>(share * static_cast<double>(micros.size()));
    return micros[std::min(at, micros.size() - 1)];
  };
  std::cout << absl::StrFormat(
      "{\"told\":%d,\"lost\":%d,\"p50_us\":%d,\"p99_us\":%d}\n", micros.size(),
      lost, quantile(0.5), quantile(0.99));
  return listening ? 0 : 1;
}

}  // namespace
}  // namespace transparency::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return transparency::bench::Main();
}
