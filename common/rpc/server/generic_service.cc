#include "common/rpc/server/generic_service.h"

#include <utility>

#include "common/rpc/server/service_core.h"

namespace transparency::rpc {

GenericService::GenericService(const MethodTable* table, ServiceOptions options,
                               prometheus::Registry* registry)
    : core_(std::make_unique<Core>(table, std::move(options), registry)),
      queues_(core_->options().queues,
              [this](std::unique_ptr<Wire> wire) { OnCall(std::move(wire)); }) {
}

GenericService::~GenericService() { Shutdown(absl::InfinitePast()); }

absl::Status GenericService::Serve(grpc::ServerBuilder* builder) {
  queues_.Register(builder);
  server_ = builder->BuildAndStart();
  if (server_ == nullptr) {
    return absl::InternalError("gRPC did not make a server");
  }
  queues_.Start();
  return absl::OkStatus();
}

void GenericService::Shutdown(absl::Time deadline) {
  if (server_ != nullptr) server_->Shutdown(absl::ToChronoTime(deadline));
  // What the queues still hold looks at the server.
  queues_.Stop();
  server_.reset();
}

void GenericService::OnCall(std::unique_ptr<Wire> wire) {
  Core* const core = core_.get();
  const grpc::GenericServerContext& context = wire->context();
  const Served* served = core->Find(context.method());
  Arrival arrival;
  // Before it is let in: whoever waits for the last call then sees this one, or
  // this one sees that the process drains.
  core->Enter();
  const absl::Status admitted = core->Admit(*served, context, &arrival);
  if (!admitted.ok()) {
    core->Leave();
    core->HoldRefusal(context.peer(), &arrival);
    return StartRefused(core, served, std::move(wire), std::move(arrival),
                        admitted);
  }
  const Row* row = served->row;
  if (row != nullptr && !row->stream && !row->server_stream) {
    return StartUnary(core, served, std::move(wire), std::move(arrival));
  }
  if (row != nullptr && row->server_stream) {
    return StartStream(core, served, std::move(wire), std::move(arrival),
                       OneRequestManyAnswers(core, row));
  }
  StartStream(core, served, std::move(wire), std::move(arrival),
              row == nullptr ? core->table().pass_through() : row->stream);
}

void GenericService::StartDraining() { core_->StartDraining(); }

int GenericService::running() const { return core_->running(); }

bool GenericService::WaitUntilIdle(absl::Time deadline) const {
  return core_->WaitUntilIdle(deadline);
}

}  // namespace transparency::rpc
