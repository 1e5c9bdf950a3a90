#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/fields/picked_fields.h"
#include "common/query/filter.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"
#include "common/rpc/call.h"
#include "google/protobuf/descriptor.h"
#include "transparency/type/v1/event.pb.h"

namespace transparency::methods {

// A field annotated `event`.
struct EventField {
  enum class Form { kDate, kInstant, kPeriod };

  Form form = Form::kDate;
  std::string label;
  std::string end_label;                                        // kPeriod
  const google::protobuf::FieldDescriptor* label_of = nullptr;  // an enum
  std::shared_ptr<const query::Filter> when;                    // null: always
};

// ListEvents over all kinds of a service, by their annotations `event`.
// Immutable, thread-safe.
//
// Each page looks at every resource of the types asked for that the caller
// sees. An event whose date, name and field stay put while a client pages is in
// exactly one page.
class EventLister {
 public:
  // FAILED_PRECONDITION when an annotation cannot be: not at a date, instant or
  // period, without a label, or with a `when` that is no filter.
  // The catalogue outlives this.
  static absl::StatusOr<std::shared_ptr<const EventLister>> Make(
      const resource::Catalogue& catalogue);

  // Refusals: INVALID_ARGUMENT; DEADLINE_EXCEEDED or CANCELLED once nobody
  // waits for the answer; RESOURCE_EXHAUSTED, QUERY_TOO_DEAR.
  absl::StatusOr<type::v1::ListEventsResponse> List(
      const resource::Snapshot& snapshot, const rpc::Call& call,
      const type::v1::ListEventsRequest& request) const;

 private:
  explicit EventLister(const resource::Catalogue& catalogue)
      : catalogue_(catalogue) {}

  const resource::Catalogue& catalogue_;
  std::vector<EventField> fields_;           // by mark less one
  std::vector<fields::PickedFields> dates_;  // one per kind
};

}  // namespace transparency::methods
