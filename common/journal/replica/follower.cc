#include "common/journal/replica/follower.h"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/journal/replay.h"
#include "common/journal/secrets.h"
#include "common/journal/table.h"
#include "common/postgres/session.h"
#include "common/status/status.h"
#include "spdlog/spdlog.h"

namespace transparency::journal {
namespace {

constexpr absl::Duration kMinBackoff = absl::Milliseconds(100);
constexpr absl::Duration kMaxBackoff = absl::Seconds(1);
// Tries to publish beside the writer before entries are simply read again.
constexpr int kPublishAttempts = 3;

}  // namespace

class Follower::Thread {
 public:
  Thread(FollowerOptions options, Store* store, Clock* clock, Metrics* metrics,
         Integrity* integrity)
      : options_(std::move(options)),
        store_(store),
        clock_(clock),
        metrics_(metrics),
        integrity_(integrity) {
    store_->SetPoke([this] { Poke(); });
  }

  ~Thread() { Stop(); }

  absl::Status Start() {
    absl::Status status = Connect();
    if (status.ok()) status = Load();
    if (status.ok()) status = Poll().status();
    if (!status.ok()) return status;
    thread_ = std::thread([this] { Loop(); });
    return absl::OkStatus();
  }

  void Stop() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

  void Poke() {
    absl::MutexLock lock(&mutex_);
    poked_ = true;
  }

 private:
  // False when the thread is to end.
  bool Wait(absl::Duration longest, bool pokes) {
    absl::MutexLock lock(&mutex_);
    const auto wake = [this, pokes]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return stopping_ || (pokes && poked_);
    };
    mutex_.AwaitWithTimeout(absl::Condition(&wake), longest);
    poked_ = false;
    return !stopping_;
  }

  void Loop() {
    absl::Duration backoff = kMinBackoff;
    bool caught_up = true;
    while (Wait(caught_up ? options_.poll_interval : absl::ZeroDuration(),
                /*pokes=*/true)) {
      absl::Status status = Step(&caught_up);
      // What nobody asks for would otherwise wait for the next reader.
      store_->Current();
      Measure();
      if (status.ok()) {
        backoff = kMinBackoff;
        continue;
      }
      spdlog::warn("follower: {}", std::string(status.message()));
      if (IsStale()) Serving(false);
      session_.reset();
      if (!Wait(backoff, /*pokes=*/false)) return;
      backoff = std::min(backoff * 2, kMaxBackoff);
    }
  }

  absl::Status Step(bool* caught_up) {
    *caught_up = true;
    absl::Status status;
    if (session_ == nullptr || !session_->usable()) {
      status = Connect();
      if (!status.ok()) return status;
    }
    if (!store_->loaded()) {
      Serving(false);
      status = Load();
      if (!status.ok()) return status;
    }
    if (!IsStale()) Serving(true);
    absl::StatusOr<bool> polled = Poll();
    if (!polled.ok()) return polled.status();
    *caught_up = *polled;
    return absl::OkStatus();
  }

  // Reads are refused, since the database has been away for too long.
  bool IsStale() const { return status::Reason(store_->Fresh()) == "STALE"; }

  void Serving(bool serving) {
    if (serving == serving_) return;
    serving_ = serving;
    if (options_.on_serving_change) options_.on_serving_change(serving);
  }

  absl::Status Connect() {
    postgres::SessionOptions session_options;
    session_options.conninfo = options_.conninfo;
    session_options.application_name = "transparency follower";
    auto session = postgres::Session::Connect(session_options);
    if (!session.ok()) return session.status();
    session_ = *std::move(session);
    if (connected_before_) metrics_->reconnects.Increment();
    connected_before_ = true;
    return absl::OkStatus();
  }

  absl::Status Load() {
    // Facts are computed for the database's time from the first moment on.
    absl::StatusOr<Head> measured = AskHead();
    if (!measured.ok()) return measured.status();
    const absl::Time begun = SteadyNow();
    const absl::Time deadline = absl::Now() + options_.load_timeout;
    auto secrets = ReadSecrets(session_.get(), deadline);
    if (!secrets.ok()) return secrets.status();
    store_->catalogue().etag_key().Set(std::move(secrets->etag_key));
    auto tables = ReadTables(session_.get(), store_->catalogue());
    if (!tables.ok()) return tables.status();
    auto loaded = LoadTables(session_.get(), store_->catalogue(), *tables,
                             *clock_, deadline);
    if (!loaded.ok()) return loaded.status();
    const int64_t revision = loaded->snapshot.revision();
    store_->Load(std::move(loaded->snapshot), loaded->marks);
    store_->Proven(revision, begun);
    metrics_->reloads.Increment();
    integrity_->Loaded(std::move(loaded->problems));
    spdlog::info("follower: loaded revision {} in {} ms", revision,
                 absl::ToInt64Milliseconds(SteadyNow() - begun));
    return absl::OkStatus();
  }

  // Measures the clock as well.
  absl::StatusOr<Head> AskHead() {
    const absl::Time sent = SteadyNow();
    auto row =
        session_->Query(kSelectHead, {}, absl::Now() + options_.poll_timeout);
    if (!row.ok()) return row.status();
    const Head head = ParseHead(*row);
    clock_->Measured(head.database_time, sent, SteadyNow());
    return head;
  }

  // Asks for the head and applies what is new. False when there is more.
  absl::StatusOr<bool> Poll() {
    // Taken before the question: what the writer publishes meanwhile is newer
    // than the answer.
    std::shared_ptr<const resource::Snapshot> base = store_->Base();
    const absl::Time asked = SteadyNow();
    const absl::StatusOr<Head> answered = AskHead();
    if (!answered.ok()) return answered.status();
    const Head& head = *answered;
    if (head.revision < base->revision() ||
        (head.revision == base->revision() && head.digest != base->digest())) {
      return Changed(head.revision, base->revision());
    }
    head_ = head.revision;
    for (int i = 0; i < kPublishAttempts; ++i) {
      if (head.revision <= base->revision()) break;
      absl::Status status = Apply(*base);
      if (absl::IsDataLoss(status)) {
        return Changed(head.revision, base->revision());
      }
      if (!status.ok()) return status;
      base = store_->Base();
    }
    store_->Proven(head.revision, asked);
    return base->revision() >= head.revision;
  }

  // Builds on `base` beside the writer; whoever is first publishes. All that is
  // new at once: personal fields come as they are by now, which is ahead of an
  // entry that others of the same resource follow.
  absl::Status Apply(const resource::Snapshot& base) {
    resource::SnapshotBuilder builder(base);
    std::vector<Store::Mark> marks = {{base.revision(), base.digest()}};
    bool more = true;
    while (more) {
      auto entries =
          ReadEntries(session_.get(), builder.view().revision(), kReplayLimit,
                      absl::Now() + options_.poll_timeout);
      if (!entries.ok()) return entries.status();
      absl::Status status = Replay(*entries, clock_->Now(), &builder, &marks);
      if (!status.ok()) return status;
      more = static_cast<int64_t>(entries->size()) == kReplayLimit;
    }
    store_->Publish(std::move(builder).Build(), marks);
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Changed(int64_t head, int64_t applied) {
    spdlog::error(
        "follower: the database's history (head {}) is not the one applied up "
        "to {}; loading again",
        head, applied);
    store_->Invalidate();
    Serving(false);
    return false;
  }

  void Measure() {
    const std::shared_ptr<const resource::Snapshot> snapshot = store_->Base();
    metrics_->revision.Set(static_cast<double>(snapshot->revision()));
    metrics_->lag_entries.Set(static_cast<double>(
        std::max<int64_t>(0, head_ - snapshot->revision())));
    metrics_->staleness_seconds.Set(absl::ToDoubleSeconds(store_->staleness()));
    metrics_->clock_offset_seconds.Set(absl::ToDoubleSeconds(clock_->offset()));
    size_t resources = 0;
    for (const auto& kind : store_->catalogue().kinds()) {
      resources += snapshot->Count(*kind);
    }
    metrics_->resources.Set(static_cast<double>(resources));
  }

  const FollowerOptions options_;
  Store* const store_;
  Clock* const clock_;
  Metrics* const metrics_;
  Integrity* const integrity_;
  std::unique_ptr<postgres::Session> session_;
  bool connected_before_ = false;
  bool serving_ = true;
  int64_t head_ = -1;  // as last told

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool poked_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

Follower::Follower(FollowerOptions options, Store* store, Clock* clock,
                   Metrics* metrics, Integrity* integrity)
    : thread_(std::make_unique<Thread>(std::move(options), store, clock,
                                       metrics, integrity)) {}

Follower::~Follower() = default;
absl::Status Follower::Start() { return thread_->Start(); }
void Follower::Stop() { thread_->Stop(); }
void Follower::Poke() { thread_->Poke(); }

}  // namespace transparency::journal
