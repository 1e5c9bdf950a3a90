#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/fields/picked_fields.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"
#include "common/rpc/call.h"
#include "transparency/type/v1/search.pb.h"

namespace transparency::methods {

// SearchResources over all kinds of a service, by their annotations `title` and
// `searched`. Immutable, thread-safe.
//
// Each page looks at every resource of the types asked for that the caller
// sees: the best match can stand anywhere. A resource whose score and name stay
// put while a client pages is in exactly one page.
class Searcher {
 public:
  // FAILED_PRECONDITION when an annotation stands at a field that is no text.
  // The catalogue outlives this.
  static absl::StatusOr<std::shared_ptr<const Searcher>> Make(
      const resource::Catalogue& catalogue);

  // Refusals: INVALID_ARGUMENT; DEADLINE_EXCEEDED or CANCELLED once nobody
  // waits for the answer; RESOURCE_EXHAUSTED, QUERY_TOO_DEAR.
  absl::StatusOr<type::v1::SearchResourcesResponse> Search(
      const resource::Snapshot& snapshot, const rpc::Call& call,
      const type::v1::SearchResourcesRequest& request) const;

 private:
  explicit Searcher(const resource::Catalogue& catalogue)
      : catalogue_(catalogue) {}

  const resource::Catalogue& catalogue_;
  std::vector<fields::PickedFields> texts_;  // one per kind
};

}  // namespace transparency::methods
