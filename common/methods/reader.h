#pragma once

#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/caller.h"
#include "common/query/query_budget.h"
#include "common/resource/snapshot.h"
#include "common/rpc/call.h"

namespace transparency::methods {

// DEADLINE_EXCEEDED or CANCELLED once nobody waits for the answer. On the read
// pool it gives way to the reads of other callers first, where it is their
// turn; to be asked every millisecond or so.
absl::Status StillWanted(const rpc::Call& call);

// What a read sees: one snapshot for the whole call, in the caller's form
// unless the method says otherwise. Lives on the thread that runs the call.
class Reader {
 public:
  // Both outlive the reader.
  Reader(const resource::Snapshot* snapshot, const rpc::Call* call);

  const Caller& caller() const { return call_->caller(); }
  // The snapshot's instant: "now" for this call.
  absl::Time now() const { return snapshot_->instant(); }

  // Everything, whoever asks: only for answers that tell nothing of a hidden
  // resource but what the contract says they tell (a slot is taken).
  const resource::Snapshot& all() const { return *snapshot_; }

  // The live resource as the caller may see it; NOT_FOUND otherwise.
  template <class T>
  absl::StatusOr<T> Get(absl::string_view name) const {
    T copy;
    absl::Status status = GetInto(name, &copy);
    if (!status.ok()) return status;
    return copy;
  }

  // Live resources of type T that the caller may see, in the caller's form, in
  // name order, whose names begin with `prefix`; until `visit` returns false.
  // Not OK when nobody waits for the answer, or it has cost what it may.
  template <class T>
  absl::Status ForEach(absl::string_view prefix,
                       absl::FunctionRef<bool(const T&)> visit) const {
    return Scan(T::descriptor(), prefix,
                [&](const google::protobuf::Message& message) {
                  return visit(static_cast<const T&>(message));
                });
  }

  // Whether the caller sees this item at all.
  bool Sees(const resource::Item& item) const;

  // Called before each resource that a handler looks at by itself, where they
  // may be very many: see QueryBudget::Look.
  absl::Status Look() const { return budget_->Look(); }

 private:
  absl::Status GetInto(absl::string_view name,
                       google::protobuf::Message* copy) const;
  absl::Status Scan(
      const google::protobuf::Descriptor* type, absl::string_view prefix,
      absl::FunctionRef<bool(const google::protobuf::Message&)> visit) const;

  const resource::Snapshot* snapshot_;
  const rpc::Call* call_;
  std::unique_ptr<query::QueryBudget> budget_;
};

}  // namespace transparency::methods
