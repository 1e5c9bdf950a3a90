#include "common/rpc/server/stream_call.h"

#include <utility>

#include "absl/time/clock.h"
#include "common/rpc/status_mapping.h"
#include "common/status/refusals.h"

namespace transparency::rpc {

StreamCall::StreamCall(GenericService::Core* core, const Served* served,
                       std::unique_ptr<Wire> wire, Arrival arrival)
    : Call(std::move(arrival)),
      core_(core),
      served_(served),
      wire_(std::move(wire)) {}

void StreamCall::Start(const StreamFactory& factory) {
  self_ = shared_from_this();
  wire_->Begin(this);
  // A unary call that is passed through ends by itself; draining waits for it.
  const bool endless = served_->row != nullptr || served_->streaming();
  // A drain that finds the stream waits until it has a handler to tell.
  absl::MutexLock lock(&reactions_);
  registered_ = endless && core_->Register(this);
  if (endless && !registered_) return Finish(status::Draining());
  const absl::Status started = Guarded([&]() -> absl::Status {
    auto handler = factory(shared_from_this());
    if (!handler.ok()) return handler.status();
    handler_ = *std::move(handler);
    handler_->OnStart();
    return absl::OkStatus();
  });
  if (!started.ok()) return Finish(started);
  core_->WatchDeadline(*wire_, *this, this);
}

void StreamCall::Read() {
  absl::MutexLock lock(&mutex_);
  if (finished_ || reading_) return;
  reading_ = true;
  incoming_.Clear();
  wire_->Read(&incoming_);
}

void StreamCall::Write(grpc::ByteBuffer message, bool more_follows) {
  absl::MutexLock lock(&mutex_);
  if (finished_ || writing_) return;
  if (!core_->HoldBytes(*this, message.Length(), &held_)) {
    return core_->EndSoon(shared_from_this(), core_->TooMuchUntaken(*served_));
  }
  writing_ = true;
  outgoing_.Swap(&message);
  // gRPC 1.51 lets headers wait too that go out with such a message, and tells
  // of neither before something else is written on the connection.
  grpc::WriteOptions options;
  if (more_follows && headers_added_) options.set_buffer_hint();
  AddHeaders();
  wire_->Write(outgoing_, options);
}

void StreamCall::SendHeaders() {
  absl::MutexLock lock(&mutex_);
  if (finished_ || headers_added_) return;
  AddHeaders();
  wire_->SendHeaders();
}

void StreamCall::AddHeaders() {
  if (std::exchange(headers_added_, true)) return;
  SendableHeaders(this, &wire_->context());
}

void StreamCall::Finish(const absl::Status& status) {
  End(status, /*give_up_writes=*/false);
}

void StreamCall::End(const absl::Status& status, bool give_up_writes) {
  absl::MutexLock lock(&mutex_);
  if (finished_) return;
  finished_ = true;
  Answered();
  AddHeaders();
  SendableTrailers(this, &wire_->context());
  core_->AwaitTaking(this);
  const absl::Status presented = core_->Close(*served_, *this, status);
  if (!writing_) return wire_->Finish(ToGrpc(presented));
  status_ = std::make_unique<grpc::Status>(ToGrpc(presented));
  if (give_up_writes) wire_->TryCancel();
}

void StreamCall::FinishRaw(grpc::Status status) {
  absl::MutexLock lock(&mutex_);
  if (finished_) return;
  finished_ = true;
  Answered();
  AddHeaders();
  SendableTrailers(this, &wire_->context());
  core_->AwaitTaking(this);
  core_->CloseRaw(*served_, *this, status.error_code());
  if (!writing_) return wire_->Finish(status);
  status_ = std::make_unique<grpc::Status>(std::move(status));
}

bool StreamCall::finished() {
  absl::MutexLock lock(&mutex_);
  return finished_;
}

void StreamCall::React(const std::function<void(StreamHandler*)>& reaction) {
  absl::MutexLock lock(&reactions_);
  if (finished() || handler_ == nullptr) return;
  const absl::Status guarded = Guarded([&] {
    reaction(handler_.get());
    return absl::OkStatus();
  });
  if (!guarded.ok()) Finish(guarded);
}

void StreamCall::OnReadDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    reading_ = false;
    if (finished_) return;
  }
  if (!ok) return React([](StreamHandler* handler) { handler->OnHalfClose(); });
  if (served_->row != nullptr) {
    const absl::Status size = core_->CheckSize(incoming_);
    if (!size.ok()) return Finish(size);
  }
  grpc::ByteBuffer message;
  message.Swap(&incoming_);
  React([&message](StreamHandler* handler) { handler->OnMessage(message); });
}

void StreamCall::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    held_.Release();
    outgoing_.Clear();
    if (status_ != nullptr) {
      wire_->Finish(*std::exchange(status_, nullptr));
      return;
    }
  }
  React([ok](StreamHandler* handler) { handler->OnWritten(ok); });
}

void StreamCall::OnCancel() {
  if (!finished()) core_->CountReset(wire_->context(), *this);
  Abandon();
  React([](StreamHandler* handler) { handler->OnAbandoned(); });
  Finish(AbandonedStatus(*this));
}

void StreamCall::OnDeadline() {
  Abandon();
  React([](StreamHandler* handler) { handler->OnAbandoned(); });
  End(AbandonedStatus(*this), /*give_up_writes=*/true);
}

void StreamCall::EndWith(const absl::Status& status) {
  Abandon();
  React([](StreamHandler* handler) { handler->OnAbandoned(); });
  Finish(status);
}

void StreamCall::OnDue() {
  if (finished()) return wire_->TryCancel();
  OnDeadline();
}

void StreamCall::OnDone() {
  if (registered_) core_->Unregister(this);
  core_->due().Remove(this);
  GiveBack();
  {
    // The handler holds the stream, which holds the handler.
    absl::MutexLock lock(&reactions_);
    handler_.reset();
  }
  core_->Leave();
  self_.reset();
}

void StartStream(GenericService::Core* core, const Served* served,
                 std::unique_ptr<Wire> wire, Arrival arrival,
                 const StreamFactory& factory) {
  std::make_shared<StreamCall>(core, served, std::move(wire),
                               std::move(arrival))
      ->Start(factory);
}

}  // namespace transparency::rpc
