#include "common/methods/across_kinds.h"

#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/resource/form.h"
#include "common/status/status.h"

namespace transparency::methods {

using google::protobuf::Message;

std::string FullNamePrefix(const resource::Kind& kind) {
  return absl::StrCat("//", kind.type.substr(0, kind.type.find('/')), "/");
}

absl::StatusOr<std::vector<size_t>> KindsOf(
    const resource::Catalogue& catalogue,
    const google::protobuf::RepeatedPtrField<std::string>& types) {
  std::vector<size_t> kinds;
  const std::set<std::string> wanted(types.begin(), types.end());
  for (size_t i = 0; i < catalogue.kinds().size(); ++i) {
    if (wanted.empty() || wanted.count(catalogue.kinds()[i]->type) != 0) {
      kinds.push_back(i);
    }
  }
  status::Violations violations;
  for (int i = 0; i < types.size(); ++i) {
    if (catalogue.ByType(types[i]) == nullptr) {
      violations.Add(absl::StrCat("types[", i, "]"),
                     absl::StrCat("is no resource type of this service: "
                                  "expected one such as ",
                                  catalogue.kinds().front()->type));
    }
  }
  if (!violations.empty()) return violations.ToStatus();
  return kinds;
}

std::vector<std::string> QueryOf(const rpc::Call& call,
                                 const resource::Catalogue& catalogue,
                                 const std::vector<size_t>& kinds) {
  std::vector<std::string> query = {call.method()};
  for (const size_t place : kinds) {
    const resource::Kind& kind = *catalogue.kinds()[place];
    query.push_back(kind.type);
    query.push_back(resource::Form(kind, call.caller()).Fingerprint());
  }
  return query;
}

absl::Status VisitSeen(
    const resource::Snapshot& snapshot, const rpc::Call& call,
    const std::vector<size_t>& kinds, query::QueryBudget* budget,
    absl::FunctionRef<void(size_t kind, const resource::Item&, const Message&)>
        visit) {
  absl::Status status;
  for (const size_t place : kinds) {
    const resource::Kind& kind = *snapshot.catalogue().kinds()[place];
    const resource::Form form(kind, call.caller());
    std::unique_ptr<Message> scratch;
    snapshot.Scan(kind, "", [&](const resource::Item& item) {
      status = budget->Look();
      if (!status.ok()) return false;
      if (!item.deleted() && form.Sees(item, &scratch)) {
        visit(place, item, form.Of(item, &scratch));
      }
      return true;
    });
    if (!status.ok()) return status;
  }
  return status;
}

}  // namespace transparency::methods
