#include "common/rpc/server/wire.h"

#include "grpc/support/time.h"

namespace transparency::rpc {

Wire::Wire(grpc::ServerCompletionQueue* queue, Outstanding* outstanding)
    : queue_(queue), outstanding_(outstanding) {
  context_.AsyncNotifyWhenDone(static_cast<QueueEvent*>(&over_));
}

void Wire::Await(grpc::AsyncGenericService* service, QueueEvent* arrived) {
  service->RequestCall(&context_, &stream_, queue_, queue_, arrived);
}

void Wire::Read(grpc::ByteBuffer* into) {
  Asked();
  stream_.Read(into, static_cast<QueueEvent*>(&read_));
}

void Wire::ReadDone(bool ok) {
  if (ok) return reactions_->OnReadDone(true);
  // A client that takes its call back ends its messages too, and that it has
  // gone is in the queue behind that: it must not pass for one that has said
  // all that it had to say.
  Asked();
  behind_ = std::make_unique<grpc::Alarm>();
  behind_->Set(queue_, gpr_now(GPR_CLOCK_MONOTONIC),
               static_cast<QueueEvent*>(&read_all_there_));
}

void Wire::ReadAllThere(bool) {
  if (!gone_) reactions_->OnReadDone(false);
}

void Wire::Write(const grpc::ByteBuffer& message, grpc::WriteOptions options) {
  Asked();
  stream_.Write(message, options, static_cast<QueueEvent*>(&write_));
}

void Wire::SendHeaders() {
  Asked();
  stream_.SendInitialMetadata(static_cast<QueueEvent*>(&headers_));
}

void Wire::Finish(const grpc::Status& status) {
  stream_.Finish(status, static_cast<QueueEvent*>(&finish_));
}

void Wire::WriteAndFinish(const grpc::ByteBuffer& message) {
  stream_.WriteAndFinish(message, grpc::WriteOptions(), grpc::Status::OK,
                         static_cast<QueueEvent*>(&finish_));
}

void Wire::Over(bool) {
  gone_ = context_.IsCancelled();
  if (gone_) reactions_->OnCancel();
}

void Wire::Returned() {
  if (owed_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  Outstanding* const outstanding = outstanding_;
  reactions_->OnDone();
  outstanding->Drop();
}

}  // namespace transparency::rpc
