// The ceiling of WatchChanges: the suite's own reactor with nothing behind it
// but a clock. Once so many clients listen, it tells all of them the same
// change at a steady pace, only its record time anew.

#include <deque>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/changes/outbox.h"
#include "common/fields/request_check.h"
#include "common/rpc/server/embedded_descriptors.h"
#include "common/server/process.h"
#include "common/server/program.h"
#include "transparency/journal/v1/journal.pb.h"

ABSL_FLAG(std::string, event, "", "file with a WatchChangesResponse");
ABSL_FLAG(int, watchers, 1, "that are awaited before the first change");
ABSL_FLAG(int, changes, 1, "how many each of them is told");
ABSL_FLAG(double, rate, 100, "changes per second");

namespace transparency::bench {
namespace {

using journal::v1::WatchChangesRequest;
using journal::v1::WatchChangesResponse;

constexpr char kService[] =
    "transparency.certification.v1.CertificationJournalService";

// One client.
struct Listener {
  explicit Listener(const std::shared_ptr<rpc::AnswerWriter>& writer)
      : outbox(writer) {}

  void Tell(const changes::Outbox::Message& event) {
    absl::MutexLock lock(&mutex);
    due.push_back(event);
    PutDue();
  }
  void OnReady() {
    if (!outbox.OnReady()) return;
    absl::MutexLock lock(&mutex);
    full = false;
    PutDue();
  }
  void PutDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    while (!full && !due.empty()) {
      full = !outbox.Put(std::move(due.front()));
      due.pop_front();
    }
  }

  changes::Outbox outbox;
  absl::Mutex mutex;
  std::deque<changes::Outbox::Message> due ABSL_GUARDED_BY(mutex);
  bool full ABSL_GUARDED_BY(mutex) = false;
};

class Feed {
 public:
  explicit Feed(WatchChangesResponse event)
      : event_(std::move(event)), thread_([this] { Run(); }) {}
  ~Feed() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    thread_.join();
  }

  void Add(const std::shared_ptr<rpc::AnswerWriter>& writer) {
    auto listener = std::make_shared<Listener>(writer);
    writer->OnReady([listener] { listener->OnReady(); });
    writer->SendHeaders();
    absl::MutexLock lock(&mutex_);
    listeners_.push_back(std::move(listener));
  }

 private:
  void Run() {
    const auto count = static_cast<size_t>(absl::GetFlag(FLAGS_watchers));
    const auto all = [this, count]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return stopping_ || listeners_.size() >= count;
    };
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&all));
    absl::Time due = absl::Now();
    for (int i = absl::GetFlag(FLAGS_changes); i > 0; --i) {
      due += absl::Seconds(1) / absl::GetFlag(FLAGS_rate);
      mutex_.AwaitWithDeadline(absl::Condition(&stopping_), due);
      if (stopping_) return;
      const int64_t micros = absl::ToUnixMicros(absl::Now());
      event_.mutable_record_time()->set_seconds(micros / 1'000'000);
      event_.mutable_record_time()->set_nanos(
          static_cast<int32_t>(micros % 1'000'000 * 1000));
      const auto event =
          std::make_shared<const std::string>(event_.SerializeAsString());
      for (const auto& listener : listeners_) listener->Tell(event);
    }
  }

  WatchChangesResponse event_;
  absl::Mutex mutex_;
  std::vector<std::shared_ptr<Listener>> listeners_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

absl::Status Serve() {
  std::ifstream in(absl::GetFlag(FLAGS_event), std::ios::binary);
  WatchChangesResponse event;
  if (!in || !event.ParseFromIstream(&in)) {
    return absl::NotFoundError(
        absl::StrCat("no event in ", absl::GetFlag(FLAGS_event)));
  }
  server::ProcessOptions options = server::OptionsFromFlags();
  options.descriptor_set = EmbeddedDescriptorSet();
  options.service.domain = "certification.transparency";
  options.service.check_request = [](google::protobuf::Message& request) {
    return fields::CheckRequest(&request);
  };
  Feed feed(std::move(event));
  server::Process process(std::move(options));
  rpc::ServiceRows rows = process.methods().Service(kService);
  for (const char* other : {"ListChanges", "GetResourceAt"}) {
    rows.UnaryDirect(
        other, rpc::Place::kInline,
        [](rpc::Call&,
           google::protobuf::Message&) -> absl::StatusOr<std::string> {
          return absl::UnimplementedError("not here");
        });
  }
  rows.ServerStream<WatchChangesRequest>(
      "WatchChanges",
      [&feed](const std::shared_ptr<rpc::Call>&, const WatchChangesRequest&,
              const std::shared_ptr<rpc::AnswerWriter>& writer) {
        feed.Add(writer);
        return absl::OkStatus();
      });
  return process.Run();
}

}  // namespace
}  // namespace transparency::bench

int main(int argc, char** argv) {
  transparency::server::Program program;
  program.name = "bench-feed";
  program.summary =
      "Tells the clients of WatchChanges one event again and again.";
  program.listen = "127.0.0.1:0";
  program.metrics_listen = "127.0.0.1:0";
  program.subcommands = {
      {"serve", "Serves until SIGTERM.", [](const std::vector<std::string>&) {
         return transparency::bench::Serve();
       }}};
  return transparency::server::Main(argc, argv, program);
}
