#include "common/rpc/generic_service.h"

#include <utility>

#include "common/rpc/service_core.h"

namespace transparency::rpc {

GenericService::GenericService(const MethodTable* table, ServiceOptions options,
                               prometheus::Registry* registry)
    : core_(std::make_unique<Core>(table, std::move(options), registry)) {}

GenericService::~GenericService() = default;

grpc::ServerGenericBidiReactor* GenericService::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  const Served* served = core_->Find(context->method());
  Arrival arrival;
  // Before it is let in: whoever waits for the last call then sees this one, or
  // this one sees that the process drains.
  core_->Enter();
  const absl::Status admitted = core_->Admit(*served, *context, &arrival);
  if (!admitted.ok()) {
    core_->Leave();
    core_->HoldRefusal(context->peer(), &arrival);
    return StartRefused(core_.get(), served, context, std::move(arrival),
                        admitted);
  }
  const Row* row = served->row;
  if (row == nullptr) {
    return StartStream(core_.get(), served, context, std::move(arrival),
                       core_->table().pass_through());
  }
  if (row->stream) {
    return StartStream(core_.get(), served, context, std::move(arrival),
                       row->stream);
  }
  if (row->server_stream) {
    return StartStream(core_.get(), served, context, std::move(arrival),
                       OneRequestManyAnswers(core_.get(), row));
  }
  return StartUnary(core_.get(), served, context, std::move(arrival));
}

void GenericService::StartDraining() { core_->StartDraining(); }

int GenericService::running() const { return core_->running(); }

bool GenericService::WaitUntilIdle(absl::Time deadline) const {
  return core_->WaitUntilIdle(deadline);
}

}  // namespace transparency::rpc
