#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/log/log_sampler.h"
#include "common/rpc/call.h"
#include "common/rpc/method_table.h"
#include "common/rpc/read_pool.h"
#include "common/rpc/server/call_metrics.h"
#include "common/rpc/server/due_calls.h"
#include "common/rpc/server/generic_service.h"
#include "common/rpc/server/wire.h"
#include "common/rpc/shared_place.h"

// Within common/rpc only: what all calls share.
namespace transparency::rpc {

// A method as calls find it.
struct Served {
  const Row* row = nullptr;  // null: passed through, or unknown
  const google::protobuf::MethodDescriptor* descriptor = nullptr;
  std::unique_ptr<MethodMetrics> metrics;

  bool streaming() const {
    return descriptor != nullptr &&
           (descriptor->client_streaming() || descriptor->server_streaming());
  }
  // Whether it is known that a call changes nothing.
  bool read_only() const {
    return row != nullptr
               ? row->read_only
               : descriptor != nullptr &&
                     descriptor->options().idempotency_level() ==
                         google::protobuf::MethodOptions::NO_SIDE_EFFECTS;
  }
};

class StreamCall;

class GenericService::Core {
 public:
  Core(const MethodTable* table, ServiceOptions options,
       prometheus::Registry* registry);

  const ServiceOptions& options() const { return options_; }
  const MethodTable& table() const { return *table_; }
  ReadPool& pool() { return pool_; }

  // Ends what clients leave untaken and what callers may no longer have.
  ~Core();
  // Has `due` told at the process's own cap of the call's time, where that is
  // before the client's deadline, at which gRPC cancels the call.
  void WatchDeadline(const Wire& wire, const Call& call, DueCall* due);
  // Has a call told when its client has left its end untaken for too long.
  void AwaitTaking(DueCall* due);
  DueCalls& due() { return due_; }
  // Takes seats for the bytes of one message to this call's client. False when
  // the client leaves as many untaken as it may.
  bool HoldBytes(const Call& call, size_t bytes, Seats* seats);
  absl::Status TooMuchUntaken(const Served& served) const;
  // Counts a call that is refused before anything is read. The connection of a
  // client that leaves more of them untaken than it may is closed.
  void HoldRefusal(const std::string& peer, Arrival* arrival);
  // Counts a call that its client has taken back before it was answered. One
  // that ends so behind its answer is ordinary: a proxy that had not closed its
  // side yet.
  void CountReset(const grpc::GenericServerContext& context, const Call& call);
  // Ends a stream with `status`, soon and on another thread.
  void EndSoon(std::shared_ptr<StreamCall> stream, const absl::Status& status);
  // OK while the stream's token means what it meant when it came.
  absl::Status RecheckCaller(const Call& call) const;

  // Around each call that is let in.
  void Enter();
  void Leave();
  int running() const { return running_.load(); }
  bool WaitUntilIdle(absl::Time deadline);

  // Never null; the same object for all methods that nobody knows.
  const Served* Find(const std::string& path);

  // Reads headers, caller and deadline into `arrival`, and tells whether the
  // call may go on.
  absl::Status Admit(const Served& served,
                     const grpc::GenericServerContext& context,
                     Arrival* arrival);

  // Turns a refusal into what the client sees, counts and logs the end of a
  // call. Once per call.
  absl::Status Close(const Served& served, const Call& call,
                     const absl::Status& status);
  // The same for a status that is passed on unchanged.
  void CloseRaw(const Served& served, const Call& call, int code);

  // OK, or why the request is not handed to a handler. `message` is filled in.
  absl::Status ReadRequest(const grpc::ByteBuffer& bytes,
                           google::protobuf::Message* message) const;
  absl::Status CheckSize(const grpc::ByteBuffer& bytes) const;

  void StartDraining();
  bool draining() const { return draining_.load(); }
  // Streams that draining ends. False when draining has begun.
  bool Register(StreamCall* stream);
  void Unregister(StreamCall* stream);

 private:
  const Served* FindPassedThrough(const std::string& path);
  absl::Status TakeHeaders(const grpc::GenericServerContext& context,
                           Arrival* arrival) const;
  void BelieveGateway(const Metadata& told, Arrival* arrival) const;
  absl::Status ResolveCaller(Arrival* arrival) const;
  absl::Status TakeSeat(bool unary, Arrival* arrival);
  void KeepOrder();
  void EndMarked();
  void RecheckStreams();
  void Log(const Served& served, const Call& call, int code,
           absl::Duration duration, const absl::Status& original);

  const MethodTable* const table_;
  const ServiceOptions options_;
  CallMetrics metrics_;
  log::LogSampler anonymous_log_;
  SharedPlace calls_place_;
  SharedPlace streams_place_;
  SharedPlace refusals_place_;
  SharedPlace bytes_place_;
  DueCalls due_;
  ReadPool pool_;
  absl::flat_hash_map<std::string, Served> served_;  // immutable
  Served unknown_;
  // Both sequentially consistent: a call counts itself, then looks whether the
  // process drains; the drain is the other way round.
  std::atomic<bool> draining_{false};
  std::atomic<int> running_{0};
  absl::Mutex idle_mutex_;

  absl::Mutex passed_mutex_;
  absl::flat_hash_map<std::string, std::unique_ptr<Served>> passed_
      ABSL_GUARDED_BY(passed_mutex_);
  absl::Mutex streams_mutex_;
  absl::flat_hash_set<StreamCall*> streams_ ABSL_GUARDED_BY(streams_mutex_);

  absl::Mutex order_mutex_;
  bool stopping_ ABSL_GUARDED_BY(order_mutex_) = false;
  std::vector<std::pair<std::shared_ptr<StreamCall>, absl::Status>> to_end_
      ABSL_GUARDED_BY(order_mutex_);
  int64_t callers_seen_ = 0;  // of the thread alone
  std::thread order_;
};

// RESOURCE_EXHAUSTED of a caller, or of all, who have what they may.
absl::Status OverShare(SharedPlace::Taken taken, const SharedPlace& place,
                       absl::string_view what);

// Runs `work`; what it throws becomes INTERNAL with the exception's text, which
// goes to the log and never to a client.
template <class Work>
absl::Status Guarded(const Work& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("exception: ", error.what()));
  } catch (...) {
    return absl::InternalError("exception of unknown type");
  }
}

// Adds what the handler left in `call` to the answer's first frame.
void SendableHeaders(Call* call, grpc::GenericServerContext* context);
void SendableTrailers(Call* call, grpc::GenericServerContext* context);

// Each makes a call, which takes its wire and keeps itself until gRPC is done
// with it.
void StartUnary(GenericService::Core* core, const Served* served,
                std::unique_ptr<Wire> wire, Arrival arrival);
void StartStream(GenericService::Core* core, const Served* served,
                 std::unique_ptr<Wire> wire, Arrival arrival,
                 const StreamFactory& factory);
// A call refused before anything is read.
void StartRefused(GenericService::Core* core, const Served* served,
                  std::unique_ptr<Wire> wire, Arrival arrival,
                  const absl::Status& refusal);

// The stream handler of a row with one request and many answers.
StreamFactory OneRequestManyAnswers(const GenericService::Core* core,
                                    const Row* row);

}  // namespace transparency::rpc
