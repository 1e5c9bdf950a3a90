#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/call.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/channel.h"

namespace transparency::gateway {

// The highest revision of one service that this gateway has seen. Each call
// tells the service (`x-seen-revision`), so that whoever writes through the
// gateway reads what it wrote, on whichever replica. Thread-safe.
class SeenRevision {
 public:
  // What to tell with a call: "1234.9f86d081"; empty before the first answer.
  std::string Get() const;

  // Learns from an answer's x-revision. `told` is what its call carried: a
  // service that answers below it has another history now (a restored
  // database), and counting begins anew from there.
  void Learn(absl::string_view service, absl::string_view header,
             absl::string_view told);

 private:
  mutable absl::Mutex mutex_;
  int64_t revision_ ABSL_GUARDED_BY(mutex_) = -1;
  std::string token_ ABSL_GUARDED_BY(mutex_);
};

// One service behind the gateway.
struct Owner {
  std::string name;  // "certification"
  std::shared_ptr<grpc::Channel> channel;
  // By which the owner believes what this gateway says of its clients; empty:
  // it is told nothing of them.
  std::string gateway_token;
  SeenRevision seen;
};

// The services behind the gateway, found by the package of a method. Built at
// start, then immutable but for what has been seen.
class Owners {
 public:
  explicit Owners(std::string gateway_token = "")
      : gateway_token_(std::move(gateway_token)) {}

  // An empty address: that owner is not configured. INVALID_ARGUMENT for an
  // address that is none. Methods of `services` that are declared free of side
  // effects are tried again on UNAVAILABLE, within a budget.
  absl::Status Add(
      const std::string& name, const std::string& address,
      const std::vector<const google::protobuf::ServiceDescriptor*>& services);

  // Whose method this is: "/transparency.certification.v1.X/Y" is
  // certification's. Null when no configured owner has such a package.
  Owner* OfMethod(absl::string_view method) const;
  Owner* ByName(absl::string_view name) const;
  const std::vector<std::unique_ptr<Owner>>& all() const { return owners_; }
  const std::string& gateway_token() const { return gateway_token_; }

 private:
  const std::string gateway_token_;
  std::vector<std::unique_ptr<Owner>> owners_;
};

// Headers of a call as they go on to `owner`: those of the client that owners
// read, and what the owner is told of the client. What gRPC's client API does
// not take is left out.
rpc::Metadata OnwardHeaders(const rpc::Metadata& headers, const Owner& owner);

// UNAVAILABLE that names the owners that cannot be reached.
absl::Status Unreachable(absl::string_view owners);
// UNIMPLEMENTED for a method that no configured owner has.
absl::Status NobodysMethod(absl::string_view method);

}  // namespace transparency::gateway
