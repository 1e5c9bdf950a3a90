#include "common/changes/journal_reader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "common/journal/metrics.h"
#include "common/status/refusals.h"
#include "common/status/status.h"
#include "spdlog/spdlog.h"

namespace transparency::changes {
namespace {

absl::Status Unreachable() {
  return status::StorageUnavailable(
      "The journal cannot be read at the moment.");
}

constexpr char kTimeRanOut[] =
    "The call's time ran out before the journal was read.";

}  // namespace

absl::Status ReadFailure(const absl::Status& status) {
  if (!status::Reason(status).empty()) return status;
  spdlog::warn("journal reader: {}", std::string(status.message()));
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
      return Unreachable();
    case absl::StatusCode::kDeadlineExceeded:
      return status::DeadlinePassed(kTimeRanOut);
    default:
      return status::Defect(
          "The journal could not be read. The failure is "
          "logged.");
  }
}

bool IsLost(const absl::Status& status,
            const absl::StatusOr<postgres::Session*>& session) {
  return !status.ok() && session.ok() && !(*session)->usable() &&
         !(*session)->silent();
}

JournalReader::JournalReader(JournalReaderOptions options,
                             prometheus::Registry* registry)
    : options_(std::move(options)),
      length_(
          journal::AddGauge(registry, "transparency_journal_read_queue_length",
                            "Reads of the journal that wait for a session")) {}

JournalReader::~JournalReader() { Stop(); }

void JournalReader::Start() {
  for (int i = 0; i < options_.sessions; ++i) {
    threads_.emplace_back([this] { Work(); });
  }
}

void JournalReader::Stop() {
  std::vector<Job> left;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    while (!calls_.empty()) left.push_back(calls_.Pop());
    while (!streams_.empty()) left.push_back(streams_.Pop());
  }
  for (const Job& job : left) job.run(status::Draining(), false);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void JournalReader::Submit(Job job) {
  absl::Status refusal;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) {
      refusal = status::Draining();
    } else if (!job.of_stream &&
               (calls_.size() >= options_.queue ||
                calls_.Of(job.caller) >=
                    std::max<size_t>(options_.queue / 4, 1))) {
      refusal =
          status::Overloaded("Too many reads of the journal wait already.");
    } else {
      const std::string caller = job.caller;
      (job.of_stream ? streams_ : calls_).Push(caller, std::move(job));
      length_.Set(static_cast<double>(calls_.size() + streams_.size()));
      return;
    }
  }
  job.run(refusal, false);
}

bool JournalReader::Take(Job* job) {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &JournalReader::HasWork));
  if (stopping_) return false;
  streams_turn_ = !streams_turn_;
  const bool of_stream = calls_.empty() || (streams_turn_ && !streams_.empty());
  *job = (of_stream ? streams_ : calls_).Pop();
  length_.Set(static_cast<double>(calls_.size() + streams_.size()));
  return true;
}

void JournalReader::Work() {
  std::unique_ptr<postgres::Session> session;
  Job job;
  while (Take(&job)) {
    Run(job, &session);
    job = Job();  // lets go of what waits for it
  }
}

void JournalReader::Run(const Job& job,
                        std::unique_ptr<postgres::Session>* session) {
  if (absl::Now() >= job.deadline) {
    job.run(status::DeadlinePassed(kTimeRanOut), false);
    return;
  }
  if (job.abandoned && job.abandoned()) {
    job.run(status::CallCancelled(), false);
    return;
  }
  const bool kept = *session != nullptr && (*session)->usable();
  if (kept && job.run(session->get(), /*again=*/true)) return;
  session->reset();
  postgres::SessionOptions options;
  options.conninfo = options_.conninfo;
  options.application_name = "transparency journal reader";
  auto connected = postgres::Session::Connect(options);
  if (!connected.ok()) {
    spdlog::warn("journal reader: {}",
                 std::string(connected.status().message()));
    job.run(Unreachable(), false);
    return;
  }
  *session = *std::move(connected);
  job.run(session->get(), /*again=*/false);
}

}  // namespace transparency::changes
