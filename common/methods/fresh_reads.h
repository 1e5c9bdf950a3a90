#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/journal/store.h"
#include "common/resource/snapshot.h"
#include "common/rpc/call.h"
#include "common/rpc/shared_place.h"
#include "google/protobuf/descriptor.h"

// How clients read what they have written: each answer says of which revision
// it is (`x-revision: certification=1234.9f86d081`, `x-current-at`), and a
// request may name the least it wants to see (`x-min-revision`, same form).
namespace transparency::methods {

// `certification` of transparency.certification.v1.CertificationService.
std::string ServiceName(const google::protobuf::ServiceDescriptor& service);

// Adds the headers of an answer computed on `snapshot`.
void TellFreshness(absl::string_view service, journal::Store& store,
                   const resource::Snapshot& snapshot, rpc::Call* call);
// Adds the header of an answer that wrote or confirmed this revision.
void TellRevision(absl::string_view service, absl::string_view token,
                  rpc::Call* call);

// An rpc::Admission: holds a call back until the store has applied the revision
// that its x-min-revision names for `service`: 5 s at most, then OUT_OF_RANGE.
// A header that cannot be read is INVALID_ARGUMENT; where too many calls wait
// (StoreOptions::waiters), or too many of the same caller in `waits`, it is
// RESOURCE_EXHAUSTED. A call whose header does
// not name `service` may carry what the gateway has seen (`x-seen-revision:
// 1234.9f86d081`): a hint that holds the call back for 1 s at most and never
// refuses it. One that is abandoned goes on at once, for the server to end it.
// `store` and `waits` outlive the wait.
bool AwaitMinRevision(absl::string_view service, journal::Store* store,
                      rpc::SharedPlace* waits,
                      const std::shared_ptr<rpc::Call>& call,
                      std::function<void(absl::Status)> resume);

}  // namespace transparency::methods
