#pragma once

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/server/service_core.h"

// Within common/rpc only.
namespace transparency::rpc {

// One streaming or passed-through call: Call and Stream in one object, which
// keeps itself until gRPC is done with it. `reactions_` makes the
// handler's reactions come one at a time; `mutex_` guards the operations and is
// never held while a reaction runs. Order: reactions_, then mutex_.
class StreamCall final : public Call,
                         public Stream,
                         public DueCall,
                         public Wire::Reactions,
                         public std::enable_shared_from_this<StreamCall> {
 public:
  StreamCall(GenericService::Core* core, const Served* served,
             std::unique_ptr<Wire> wire, Arrival arrival);

  void Start(const StreamFactory& factory);
  std::shared_ptr<StreamCall> Share() { return shared_from_this(); }
  // Ends it as if its client had gone, with `status`.
  void EndWith(const absl::Status& status);

  Call& call() override { return *this; }
  std::shared_ptr<Call> shared_call() override { return shared_from_this(); }
  void Read() override;
  void Write(grpc::ByteBuffer message, bool more_follows) override;
  void SendHeaders() override;
  void Finish(const absl::Status& status) override;
  void FinishRaw(grpc::Status status) override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void OnDue() override;
  std::shared_ptr<DueCall> Keep() override { return shared_from_this(); }

 private:
  void End(const absl::Status& status, bool give_up_writes);
  void OnDeadline();
  bool finished();
  // Runs one reaction unless the stream is finished.
  void React(const std::function<void(StreamHandler*)>& reaction);
  void AddHeaders() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  GenericService::Core* const core_;
  const Served* const served_;
  const std::unique_ptr<Wire> wire_;
  bool registered_ = false;
  std::shared_ptr<StreamCall> self_;

  absl::Mutex reactions_;
  std::shared_ptr<StreamHandler> handler_ ABSL_GUARDED_BY(reactions_);

  absl::Mutex mutex_ ABSL_ACQUIRED_AFTER(reactions_);
  grpc::ByteBuffer incoming_;  // gRPC's while reading_
  grpc::ByteBuffer outgoing_;  // gRPC's while writing_
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool headers_added_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  // Set while a status waits for the last write.
  std::unique_ptr<grpc::Status> status_ ABSL_GUARDED_BY(mutex_);
  Seats held_ ABSL_GUARDED_BY(mutex_);  // for outgoing_
};

}  // namespace transparency::rpc
