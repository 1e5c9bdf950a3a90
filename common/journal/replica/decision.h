#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/caller.h"
#include "common/resource/item.h"
#include "common/resource/snapshot.h"
#include "google/protobuf/message.h"
#include "transparency/journal/v1/change.pb.h"

namespace transparency::journal {

// One command's work on the writer's snapshot: what it reads is exact (the
// order lock is held and the batch's earlier commands are in it), what it puts
// becomes journal entries, all or none. Lives on the writer's thread.
class Decision {
 public:
  virtual ~Decision() = default;

  // State as this command and those before it in the batch leave it.
  virtual const resource::Snapshot& view() const = 0;
  // The instant of the decision: every entry of this command bears it.
  virtual absl::Time now() const = 0;
  virtual const Caller& caller() const = 0;

  // Creates or replaces a resource by its name, and brings it into effect. Sets
  // create_time, update_time and etag, with DELETED and UNDELETED delete_time;
  // ignores what the message holds of them.
  // A change that changes nothing writes no entry. `step` names the change in
  // the journal: the method's name where it is empty. `reason` is why, in the
  // words of the one who decided; may be empty. The item lives as long as the
  // caller keeps it.
  virtual absl::StatusOr<resource::ItemPtr> Put(
      const google::protobuf::Message& resource,
      transparency::journal::v1::Change::Kind kind, absl::string_view step = "",
      absl::string_view reason = "") = 0;

  // Takes the personal fields of a resource out for good: an entry without
  // content, no personal body any more. Idempotent.
  virtual absl::Status ErasePersonal(absl::string_view name,
                                     absl::string_view reason) = 0;

  // The live resource of this name and type that the caller may see;
  // NOT_FOUND otherwise.
  template <class T>
  absl::StatusOr<const T*> Get(absl::string_view name) const {
    absl::StatusOr<const resource::Item*> item = Find(name, T::descriptor());
    if (!item.ok()) return item.status();
    return &(*item)->template as<T>();
  }

 protected:
  virtual absl::StatusOr<const resource::Item*> Find(
      absl::string_view name,
      const google::protobuf::Descriptor* type) const = 0;
};

}  // namespace transparency::journal
