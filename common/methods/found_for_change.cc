#include "common/methods/found_for_change.h"

#include <memory>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/fields/references.h"
#include "common/methods/request_fields.h"
#include "common/resource/form.h"
#include "common/status/status.h"

namespace transparency::methods {
namespace {

using google::protobuf::Message;

bool Sees(const journal::Decision& decision, const std::string& name) {
  const resource::Item* item = decision.view().FindLive(name);
  return item != nullptr &&
         resource::Form(item->kind(), decision.caller()).Sees(*item);
}

}  // namespace

absl::StatusOr<resource::ItemPtr> FindForChange(
    const journal::Decision& decision, const resource::Kind& kind,
    const std::string& name, absl::string_view etag) {
  resource::ItemPtr item = decision.view().Share(name);
  if (item == nullptr || item->deleted() || &item->kind() != &kind ||
      !resource::Form(kind, decision.caller()).Sees(*item)) {
    return status::NotFound(kind.type, name);
  }
  absl::Status match = CheckEtag(*item, etag);
  if (!match.ok()) return match;
  return item;
}

std::string InForm(const resource::Item& item, const Caller& caller) {
  std::string scratch;
  return resource::Form(item.kind(), caller).Bytes(item, &scratch);
}

absl::Status CheckReferences(const journal::Decision& decision,
                             const Message& resource, const Message* before,
                             absl::string_view path) {
  std::set<std::string> kept;
  if (before != nullptr) {
    fields::VisitReferences(*before, [&](const fields::Reference& reference) {
      kept.insert(reference.name());
    });
  }
  const std::string& own = Text(resource, "name");
  absl::Status status;
  fields::VisitReferences(resource, [&](const fields::Reference& reference) {
    const std::string& name = reference.name();
    // Other services' resources are theirs to know.
    if (!status.ok() || reference.is_foreign() || name == own ||
        kept.count(name) > 0 || Sees(decision, name)) {
      return;
    }
    const std::string at =
        absl::StrCat(path, path.empty() ? "" : ".", reference.path());
    status = status::Precondition(
        "REFERENCE_NOT_FOUND", at,
        absl::StrCat(at, " refers to ", name, ", which does not exist."),
        {{"field", at}, {"resource", name}});
  });
  return status;
}

}  // namespace transparency::methods
