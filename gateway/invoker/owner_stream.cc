#include "gateway/invoker/owner_stream.h"

#include <utility>

namespace transparency::gateway {

OwnerStream::OwnerStream(Owner* owner, Kind kind, absl::string_view method,
                         const rpc::Metadata& headers, absl::Time deadline)
    : stub_(owner->channel),
      kind_(kind),
      onward_(owner, method, headers, deadline) {}

void OwnerStream::Start(std::shared_ptr<Client> client) {
  self_ = shared_from_this();
  client_ = std::move(client);
  stub_.PrepareBidiStreamingCall(onward_.context(), onward_.method(),
                                 grpc::StubOptions(), this);
  AddHold();
  StartCall();
  StartRead(&answer_);
}

void OwnerStream::Send(grpc::ByteBuffer message) {
  if (!gate_.Enter()) return;
  onward_.Sending();
  request_.Swap(&message);
  StartWrite(&request_);
  Leave();
}

void OwnerStream::HalfClose() {
  if (!gate_.Enter()) return;
  StartWritesDone();
  Leave();
  Close();
}

void OwnerStream::ReadNext() {
  if (!answer_hold_.exchange(false)) return;
  StartRead(&answer_);
  RemoveHold();
}

void OwnerStream::Cancel() {
  cancelled_ = true;
  onward_.context()->TryCancel();
  Close();
  DropAnswer();
}

void OwnerStream::OnReadInitialMetadataDone(bool ok) {
  if (ok) client_->OnHeaders(onward_.AnswerHeaders(kind_ == Kind::kStream));
  if ((arrived_.fetch_or(kHeaders) & kAnswer) != 0) Deliver();
}

void OwnerStream::OnReadDone(bool ok) {
  if (!ok) return Close();
  // The next read starts in ReadNext, on the client's side: a second hold until
  // then. A call that is cancelled meanwhile reads no more.
  AddHold();
  answer_hold_ = true;
  if ((arrived_.fetch_or(kAnswer) & kHeaders) != 0) Deliver();
}

void OwnerStream::Deliver() {
  // Only the first answer waits for the headers.
  client_->OnAnswer(answer_);
  if (cancelled_) DropAnswer();
}

void OwnerStream::OnWriteDone(bool ok) {
  if (ok) client_->OnSent();
}

void OwnerStream::OnDone(const grpc::Status& status) {
  std::shared_ptr<OwnerStream> self = std::move(self_);
  client_->OnEnd(onward_.Final(status), onward_.AnswerTrailers());
  // It may hold this.
  client_ = nullptr;
}

}  // namespace transparency::gateway
