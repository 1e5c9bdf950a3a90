#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "common/journal/entry.h"
#include "common/journal/replay.h"
#include "common/journal/replica/decision.h"
#include "common/resource/snapshot.h"

namespace transparency::journal {

// Who and what an entry names beside the resource.
struct EntrySource {
  std::string step;
  std::string actor;
  std::string reason;
  std::string request_id;
};

// One change as it will be written.
struct PendingChange {
  enum class Personal { kKeep, kPut, kErase };

  Entry entry;
  resource::ItemPtr item;
  resource::ItemPtr previous;  // null: created
  Personal personal = Personal::kKeep;
};

// The state of one transaction of the writer: a snapshot that grows, and the
// entries that it grew by. For one thread.
class Workbench {
 public:
  // `builder` stands at `head` and at `now`; now is not before the head's time.
  Workbench(resource::SnapshotBuilder builder, Head head, absl::Time now);

  const resource::Snapshot& view() const { return builder_.view(); }
  absl::Time now() const { return now_; }
  const std::vector<PendingChange>& changes() const { return changes_; }
  // Of the last change, or of the head.
  int64_t revision() const { return head_.revision; }
  const std::string& digest() const { return head_.digest; }

  // See Decision.
  absl::StatusOr<resource::ItemPtr> Put(
      const google::protobuf::Message& resource, ChangeKind kind,
      EntrySource source);
  absl::Status ErasePersonal(absl::string_view name, EntrySource source);
  // Writes down what the clock has done to an item.
  void PutClock(const resource::ItemPtr& item);

  // Resources with personal fields that have been put or erased, changed by it
  // or not, since this was last called.
  std::set<std::string> TakeTouched() { return std::exchange(touched_, {}); }

  // Takes back all changes after the first `count`.
  void UndoTo(size_t count);

  // The snapshot with every change, for publishing. Ends the workbench.
  resource::Snapshot Build() &&;

 private:
  // The kind of a resource that may be put; `previous` is what stands there.
  absl::StatusOr<const resource::Kind*> KindOf(
      const google::protobuf::Message& resource, ChangeKind kind,
      resource::ItemPtr* previous) const;
  void Append(resource::ItemPtr item, ChangeKind kind, EntrySource source,
              PendingChange::Personal personal);
  void Touch(const resource::Kind& kind, const std::string& name);

  resource::SnapshotBuilder builder_;
  const Head base_;
  Head head_;
  const absl::Time now_;
  std::vector<PendingChange> changes_;
  std::set<std::string> touched_;
};

// The Decision of one command on a workbench.
class CommandDecision : public Decision {
 public:
  // `method` is a full name, with dots or slashes. All outlive the decision.
  CommandDecision(Workbench* bench, const Caller* caller,
                  absl::string_view method, absl::string_view request_id);

  const resource::Snapshot& view() const override { return bench_->view(); }
  absl::Time now() const override { return bench_->now(); }
  const Caller& caller() const override { return *caller_; }
  absl::StatusOr<resource::ItemPtr> Put(
      const google::protobuf::Message& resource,
      transparency::journal::v1::Change::Kind kind, absl::string_view step,
      absl::string_view reason) override;
  absl::Status ErasePersonal(absl::string_view name,
                             absl::string_view reason) override;

 protected:
  absl::StatusOr<const resource::Item*> Find(
      absl::string_view name,
      const google::protobuf::Descriptor* type) const override;

 private:
  EntrySource Source(absl::string_view step, absl::string_view reason) const;

  Workbench* bench_;
  const Caller* caller_;
  std::string method_;  // its simple name
  std::string request_id_;
};

// Of the public form's RFC 8785 JSON, less etag and personal fields, which no
// journal holds; absent where the public sees nothing.
absl::optional<std::string> PublicDigest(const resource::Item& item);

}  // namespace transparency::journal
