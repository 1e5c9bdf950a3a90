#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/query/query_budget.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"
#include "common/rpc/call.h"
#include "google/protobuf/message.h"
#include "google/protobuf/repeated_field.h"

// What SearchResources and ListEvents have in common: they look at resources of
// several kinds.
namespace transparency::methods {

// `//standards.transparency/`, what full names of a kind's resources begin
// with.
std::string FullNamePrefix(const resource::Kind& kind);

// The places of the kinds of these types in the catalogue, all of them when no
// type is given. INVALID_ARGUMENT over `types` for one that is none of its.
absl::StatusOr<std::vector<size_t>> KindsOf(
    const resource::Catalogue& catalogue,
    const google::protobuf::RepeatedPtrField<std::string>& types);

// What a page token is tied to besides the request's own texts: the method, the
// kinds, and how the caller sees each of them.
std::vector<std::string> QueryOf(const rpc::Call& call,
                                 const resource::Catalogue& catalogue,
                                 const std::vector<size_t>& kinds);

// Calls `visit` with each live resource of these kinds that the caller sees,
// and with its form of it. Not OK when `budget` is at its end.
absl::Status VisitSeen(
    const resource::Snapshot& snapshot, const rpc::Call& call,
    const std::vector<size_t>& kinds, query::QueryBudget* budget,
    absl::FunctionRef<void(size_t kind, const resource::Item&,
                           const google::protobuf::Message& form)>
        visit);

}  // namespace transparency::methods
