#include "common/rpc/server/health.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/status/status.h"
#include "grpc/health/v1/health.pb.h"

namespace transparency::rpc {
namespace {

using ::grpc::health::v1::HealthCheckRequest;
using ::grpc::health::v1::HealthCheckResponse;

class HealthService final : public Health {
 public:
  void AddRows(MethodTable* table) override;
  void Set(absl::string_view service, bool serving) override;
  void Drain() override;
  bool serving(absl::string_view service) const override;

 private:
  // One Watch call. A state that comes while a message is under way is sent
  // after it; what lies between is not.
  struct Watcher {
    std::string service;
    std::weak_ptr<AnswerWriter> writer;
    HealthCheckResponse::ServingStatus sent = HealthCheckResponse::UNKNOWN;
  };

  std::shared_ptr<HealthService> self() {
    return std::static_pointer_cast<HealthService>(shared_from_this());
  }
  absl::Status Watch(const std::shared_ptr<Call>& call,
                     const HealthCheckRequest& request,
                     const std::shared_ptr<AnswerWriter>& writer);
  void Tell(const std::shared_ptr<Watcher>& watcher);
  void TellLocked(Watcher* watcher) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HealthCheckResponse::ServingStatus StateOf(absl::string_view service) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, bool> states_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
};

HealthCheckResponse::ServingStatus HealthService::StateOf(
    absl::string_view service) const {
  const auto found = states_.find(service);
  if (found == states_.end()) return HealthCheckResponse::SERVICE_UNKNOWN;
  return found->second && !draining_ ? HealthCheckResponse::SERVING
                                     : HealthCheckResponse::NOT_SERVING;
}

void HealthService::AddRows(MethodTable* table) {
  table->AddBuiltIn("/grpc.health.v1.Health/Check")->direct =
      [health = self()](
          Call&,
          google::protobuf::Message& message) -> absl::StatusOr<std::string> {
    const auto& request = static_cast<const HealthCheckRequest&>(message);
    absl::ReaderMutexLock lock(&health->mutex_);
    HealthCheckResponse response;
    response.set_status(health->StateOf(request.service()));
    if (response.status() == HealthCheckResponse::SERVICE_UNKNOWN) {
      return status::Refuse(absl::StatusCode::kNotFound, "RESOURCE_NOT_FOUND",
                            "no such service is served here");
    }
    return response.SerializeAsString();
  };
  table->AddBuiltIn("/grpc.health.v1.Health/Watch")->server_stream =
      [health = self()](std::shared_ptr<Call> call,
                        std::unique_ptr<google::protobuf::Message> request,
                        std::shared_ptr<AnswerWriter> writer) {
        return health->Watch(
            call, static_cast<const HealthCheckRequest&>(*request), writer);
      };
}

absl::Status HealthService::Watch(const std::shared_ptr<Call>& call,
                                  const HealthCheckRequest& request,
                                  const std::shared_ptr<AnswerWriter>& writer) {
  auto watcher = std::make_shared<Watcher>();
  watcher->service = request.service();
  watcher->writer = writer;
  writer->OnReady([health = self(), watcher] { health->Tell(watcher); });
  {
    absl::MutexLock lock(&mutex_);
    watchers_.push_back(watcher);
    TellLocked(watcher.get());
  }
  call->OnAbandoned([health = self(), watcher] {
    absl::MutexLock lock(&health->mutex_);
    auto& all = health->watchers_;
    all.erase(std::remove(all.begin(), all.end(), watcher), all.end());
  });
  return absl::OkStatus();
}

void HealthService::Tell(const std::shared_ptr<Watcher>& watcher) {
  absl::MutexLock lock(&mutex_);
  TellLocked(watcher.get());
}

void HealthService::TellLocked(Watcher* watcher) {
  const auto writer = watcher->writer.lock();
  const auto state = StateOf(watcher->service);
  if (writer == nullptr || state == watcher->sent) return;
  HealthCheckResponse response;
  response.set_status(state);
  if (writer->Write(response)) watcher->sent = state;
}

void HealthService::TellAll() {
  watchers_.erase(std::remove_if(watchers_.begin(), watchers_.end(),
                                 [](const auto& watcher) {
                                   return watcher->writer.expired();
                                 }),
                  watchers_.end());
  for (const auto& watcher : watchers_) TellLocked(watcher.get());
}

void HealthService::Set(absl::string_view service, bool serving) {
  absl::MutexLock lock(&mutex_);
  states_[service] = serving;
  TellAll();
}

void HealthService::Drain() {
  absl::MutexLock lock(&mutex_);
  draining_ = true;
  TellAll();
}

bool HealthService::serving(absl::string_view service) const {
  absl::ReaderMutexLock lock(&mutex_);
  return StateOf(service) == HealthCheckResponse::SERVING;
}

}  // namespace

std::shared_ptr<Health> Health::Create() {
  return std::make_shared<HealthService>();
}

}  // namespace transparency::rpc
