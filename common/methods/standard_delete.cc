#include "common/methods/standard_delete.h"

#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/fields/names.h"
#include "common/methods/found_for_change.h"
#include "common/methods/request_fields.h"
#include "common/resource/form.h"
#include "common/resource/item.h"
#include "common/status/status.h"
#include "google/rpc/error_details.pb.h"
#include "transparency/journal/v1/change.pb.h"

namespace transparency::methods {
namespace {

using google::protobuf::Message;
using journal::Decision;
using journal::v1::Change;
using resource::Item;
using resource::Kind;

constexpr char kHasChildren[] = "HAS_CHILDREN";
constexpr char kStillReferredTo[] = "STILL_REFERRED_TO";
// Most referrers that a refusal names.
constexpr size_t kMostNamed = 5;

bool Sees(const Decision& decision, const Item& item) {
  return resource::Form(item.kind(), decision.caller()).Sees(item);
}

// The first live child of one kind; null when there is none.
const Item* FindChild(const Decision& decision, const Kind& kind,
                      const std::string& parent) {
  const std::string prefix = absl::StrCat(parent, "/", kind.collection, "/");
  const Item* child = nullptr;
  decision.view().Scan(kind, prefix, [&](const Item& item) {
    if (!absl::StartsWith(item.name(), prefix)) return false;
    if (!item.deleted()) child = &item;
    return child == nullptr;
  });
  return child;
}

// Live grandchildren have a live parent, so that children are enough.
absl::Status CheckNoChildren(const Decision& decision, const Item& item) {
  for (const auto& kind : decision.view().catalogue().kinds()) {
    if (kind->parent != &item.kind()) continue;
    const Item* child = FindChild(decision, *kind, item.name());
    if (child == nullptr) continue;
    status::Metadata metadata = {{"resource", item.name()},
                                 {"collection", kind->collection}};
    if (Sees(decision, *child)) metadata.emplace_back("child", child->name());
    return status::Precondition(
        kHasChildren, item.name(),
        absl::StrCat(item.name(), " still has ", kind->collection, "."),
        metadata);
  }
  return absl::OkStatus();
}

// Who still refers to an item.
struct Referrers {
  std::vector<std::string> named;
  bool others = false;  // more, or such as the caller does not see
};

Referrers FindReferrers(const Decision& decision, const Item& item) {
  Referrers found;
  decision.view().Referrers(item.name(), [&](const Item& referrer) {
    if (referrer.name() == item.name()) return true;
    if (!Sees(decision, referrer)) {
      found.others = true;
    } else if (found.named.size() < kMostNamed) {
      found.named.push_back(referrer.name());
    } else {
      found.others = true;
      return false;
    }
    return true;
  });
  return found;
}

absl::Status CheckNotReferredTo(const Decision& decision, const Item& item) {
  const Referrers found = FindReferrers(decision, item);
  if (found.named.empty() && !found.others) return absl::OkStatus();
  std::vector<std::string> told = found.named;
  if (found.others) told.emplace_back("others");
  absl::Status status =
      status::Refuse(absl::StatusCode::kFailedPrecondition, kStillReferredTo,
                     absl::StrCat(item.name(), " is still referred to by ",
                                  absl::StrJoin(told, ", "), "."),
                     {{"resource", item.name()},
                      {"referrers", absl::StrJoin(found.named, ", ")}});
  google::rpc::PreconditionFailure failure;
  for (const std::string& name : found.named) {
    auto* violation = failure.add_violations();
    violation->set_type(kStillReferredTo);
    violation->set_subject(name);
    violation->set_description(absl::StrCat("Refers to ", item.name(), "."));
  }
  if (found.others) {
    auto* violation = failure.add_violations();
    violation->set_type(kStillReferredTo);
    violation->set_subject(item.name());
    violation->set_description("Others refer to it too.");
  }
  status::AddDetail(&status, failure);
  return status;
}

// The parent of what is undeleted must be there as for a create.
absl::Status CheckParentLives(const Decision& decision, const Item& item) {
  if (item.kind().parent == nullptr) return absl::OkStatus();
  const std::string parent(fields::ParentOf(item.name()));
  const Item* found = decision.view().FindLive(parent);
  if (found != nullptr && Sees(decision, *found)) return absl::OkStatus();
  return status::Precondition("REFERENCE_NOT_FOUND", parent,
                              absl::StrCat(parent, ", to which ", item.name(),
                                           " belongs, does not exist."),
                              {{"resource", parent}});
}

absl::Status NotDeleted(const Item& item) {
  return status::Refuse(absl::StatusCode::kAlreadyExists, "NOT_DELETED",
                        absl::StrCat(item.name(), " is not deleted."),
                        {{"resource", item.name()}});
}

}  // namespace

absl::StatusOr<std::string> Delete(const Kind& kind, Decision& decision,
                                   const Message& request) {
  const std::string& name = Text(request, "name");
  absl::StatusOr<resource::ItemPtr> found =
      FindForChange(decision, kind, name, Text(request, "etag"));
  if (absl::IsNotFound(found.status()) && Flag(request, "allow_missing")) {
    const Item* deleted = decision.view().Find(name);
    return deleted != nullptr && deleted->deleted() && Sees(decision, *deleted)
               ? InForm(*deleted, decision.caller())
               : std::string();
  }
  if (!found.ok()) return found.status();
  const Item& item = **found;
  absl::Status status = CheckNoChildren(decision, item);
  if (status.ok()) status = CheckNotReferredTo(decision, item);
  if (status.ok() && kind.rules.check_delete) {
    status = kind.rules.check_delete(decision.view(), item.message());
  }
  if (!status.ok()) return status;
  auto after = decision.Put(item.message(), Change::DELETED, "",
                            Text(request, "reason"));
  if (!after.ok()) return after.status();
  return InForm(**after, decision.caller());
}

absl::StatusOr<std::string> Undelete(const Kind& kind, Decision& decision,
                                     const Message& request) {
  const std::string& name = Text(request, "name");
  const resource::ItemPtr item = decision.view().Share(name);
  if (item == nullptr || &item->kind() != &kind || !Sees(decision, *item)) {
    return status::NotFound(kind.type, name);
  }
  if (!item->deleted()) return NotDeleted(*item);
  absl::Status status = CheckEtag(*item, Text(request, "etag"));
  if (status.ok()) status = CheckParentLives(decision, *item);
  if (!status.ok()) return status;
  std::unique_ptr<Message> restored(item->message().New());
  restored->CopyFrom(item->message());
  restored->GetReflection()->ClearField(restored.get(), kind.delete_time_field);
  status = CheckReferences(decision, *restored, nullptr, "");
  if (status.ok() && kind.rules.check) {
    status = kind.rules.check(decision.view(), nullptr, restored.get(),
                              decision.now());
  }
  if (!status.ok()) return status;
  auto after =
      decision.Put(*restored, Change::UNDELETED, "", Text(request, "reason"));
  if (!after.ok()) return after.status();
  return InForm(**after, decision.caller());
}

}  // namespace transparency::methods
