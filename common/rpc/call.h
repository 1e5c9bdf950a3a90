#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "common/base/caller.h"
#include "common/rpc/shared_place.h"
#include "google/protobuf/descriptor.h"

namespace transparency::rpc {

// Header fields in order; keys in lower case, values of `-bin` keys raw bytes.
using Metadata = std::vector<std::pair<std::string, std::string>>;

// The trace of `parent` (W3C Trace Context, version 00) under a span of our
// own; a new trace when `parent` is none.
std::string ContinueTrace(absl::string_view parent);

// What is known of a call when it arrives.
struct Arrival {
  std::string method;  // "/package.Service/Method"
  const google::protobuf::MethodDescriptor* descriptor = nullptr;
  std::shared_ptr<const Caller> caller;  // null: the public
  absl::Time deadline = absl::InfiniteFuture();
  // The client's IP address; as the gateway saw it, where that passes a call
  // on.
  std::string address;
  // A gateway passed the call on and was believed.
  bool from_gateway = false;
  // Those that UseOfHeader knows.
  Metadata headers;
  // What the call holds of the process until it is over.
  Seats seat;
};

// Whose share a call takes from: its caller's subject, else the client's
// address (ShareOfAddress).
std::string ShareKeyOf(const Arrival& arrival);

// One call from its first byte to its status, shared by its server and the
// handler; it outlives both. Thread-safe.
class Call {
 public:
  // The server makes calls; so may tests of handlers.
  explicit Call(Arrival arrival);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  virtual ~Call() = default;

  const std::string& method() const { return arrival_.method; }
  // Null for a method that this process only passes through.
  const google::protobuf::MethodDescriptor* descriptor() const {
    return arrival_.descriptor;
  }
  const Caller& caller() const { return *arrival_.caller; }
  const std::string& address() const { return arrival_.address; }
  bool from_gateway() const { return arrival_.from_gateway; }
  // ShareKeyOf what arrived.
  const std::string& share_key() const { return share_key_; }

  absl::Time started() const { return started_; }
  // The client's deadline or the process's own cap, whichever is earlier;
  // finite on every call that a server received.
  absl::Time deadline() const { return arrival_.deadline; }
  // The client has gone, or the deadline has passed: nobody reads the answer.
  bool abandoned() const;

  // Header of the request; the first of several. `key` in lower case.
  absl::optional<std::string> Header(absl::string_view key) const;
  const Metadata& headers() const { return arrival_.headers; }

  // Header and trailer of the answer, also of an error. Headers added after
  // the first message of a stream are lost. Keys in lower case; fields that
  // gRPC reserves ("grpc-...") or HTTP/2 does not allow are left out, and what
  // is not printable in a value becomes '?'.
  void AddHeader(absl::string_view key, absl::string_view value);
  void AddTrailer(absl::string_view key, absl::string_view value);

  // The client's x-request-id if it is usable, else a random one.
  const std::string& request_id() const { return request_id_; }
  // W3C trace context, version 00: the client's, or a new trace.
  const std::string& traceparent() const;

  // Runs `reaction` when the call is abandoned, at most once, on any thread,
  // and at once if it is abandoned already. Not run, and let go of, when the
  // call is answered first. Must not block.
  void OnAbandoned(std::function<void()> reaction);

  // For the server, and tests in its place.
  void Abandon();
  void Answered();
  // Gives back what the call held of its server (Arrival::seat), which it may
  // outlive.
  void GiveBack() { seat_.Release(); }
  Metadata TakeHeaders();
  // How many headers the answer has, and all but the first so many dropped.
  size_t CountHeaders() const;
  void DropHeaders(size_t keep);
  Metadata TakeTrailers();

 private:
  Seats seat_;
  const Arrival arrival_;
  const absl::Time started_;
  const std::string share_key_;
  std::string request_id_;
  std::atomic<bool> gone_{false};

  mutable absl::Mutex mutex_;
  mutable std::string traceparent_ ABSL_GUARDED_BY(mutex_);
  Metadata answer_headers_ ABSL_GUARDED_BY(mutex_);
  Metadata answer_trailers_ ABSL_GUARDED_BY(mutex_);
  bool answered_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::function<void()>> reactions_ ABSL_GUARDED_BY(mutex_);
};

// What a call is answered that is abandoned and has done nothing: its time is
// over, or else its client has gone.
absl::Status AbandonedStatus(const Call& call);

}  // namespace transparency::rpc
