#include "common/methods/standard_write.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "common/fields/masks.h"
#include "common/fields/names.h"
#include "common/fields/request_check.h"
#include "common/methods/found_for_change.h"
#include "common/methods/request_fields.h"
#include "common/resource/form.h"
#include "common/status/status.h"
#include "google/protobuf/field_mask.pb.h"
#include "transparency/journal/v1/change.pb.h"

namespace transparency::methods {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::FieldMask;
using google::protobuf::Message;
using journal::v1::Change;

std::unique_ptr<Message> Copy(const Message& message) {
  std::unique_ptr<Message> copy(message.New());
  copy->CopyFrom(message);
  return copy;
}

// The mask of an update; null when the request gives none.
const FieldMask* MaskOf(const Message& request) {
  const FieldDescriptor* field =
      request.GetDescriptor()->FindFieldByName("update_mask");
  if (field == nullptr || !request.GetReflection()->HasField(request, field)) {
    return nullptr;
  }
  return static_cast<const FieldMask*>(
      &request.GetReflection()->GetMessage(request, field));
}

absl::Status CheckParent(const resource::Kind& kind,
                         const journal::Decision& decision,
                         const std::string& parent) {
  if (kind.parent == nullptr) return absl::OkStatus();
  return FindForChange(decision, *kind.parent, parent, "").status();
}

absl::Status CheckNameFree(const journal::Decision& decision,
                           const std::string& name) {
  const resource::Item* item = decision.view().Find(name);
  if (item == nullptr) return absl::OkStatus();
  return status::Refuse(
      absl::StatusCode::kAlreadyExists,
      item->deleted() ? "DELETED_EXISTS" : "RESOURCE_EXISTS",
      item->deleted()
          ? absl::StrCat(name,
                         " was deleted and is still kept; undelete it "
                         "or choose another id.")
          : absl::StrCat(name, " exists already."),
      {{"resource", name}});
}

// Creates `resource` under `name`; `path` is where it stands in the request.
absl::StatusOr<std::string> CreateNamed(const resource::Kind& kind,
                                        journal::Decision& decision,
                                        const std::string& name,
                                        std::unique_ptr<Message> resource,
                                        absl::string_view path) {
  absl::Status status = CheckNameFree(decision, name);
  if (!status.ok()) return status;
  resource->GetReflection()->SetString(resource.get(), kind.name_field, name);
  status = CheckReferences(decision, *resource, nullptr, path);
  if (status.ok() && kind.rules.check) {
    status = kind.rules.check(decision.view(), nullptr, resource.get(),
                              decision.now());
  }
  if (status.ok() && kind.rules.begin) {
    status = kind.rules.begin(decision.view(), resource.get(), decision.now());
  }
  if (status.ok() && kind.rules.admit) {
    status = kind.rules.admit(decision.view(), decision.caller(), *resource,
                              decision.now());
  }
  if (!status.ok()) return status;
  auto item = decision.Put(*resource, Change::CREATED);
  if (!item.ok()) return item.status();
  return InForm(**item, decision.caller());
}

// Update of what is not there yet (allow_missing, AIP-134).
absl::StatusOr<std::string> CreateMissing(const resource::Kind& kind,
                                          journal::Decision& decision,
                                          const Message& incoming,
                                          absl::string_view path) {
  const std::string& name = Text(incoming, "name");
  if (kind.rules.random_ids) return status::NotFound(kind.type, name);
  // The check of an update's request does not ask for what a create must give.
  absl::Status status = fields::CheckResource(incoming, path);
  if (status.ok()) {
    status = CheckParent(kind, decision, std::string(fields::ParentOf(name)));
  }
  if (!status.ok()) return status;
  std::unique_ptr<Message> resource = Copy(incoming);
  fields::ClearOutputOnly(resource.get());
  return CreateNamed(kind, decision, name, std::move(resource), path);
}

}  // namespace

absl::StatusOr<std::string> Create(const resource::Kind& kind,
                                   journal::Decision& decision,
                                   const Message& request) {
  const FieldDescriptor* field = ResourceField(request, kind);
  const std::string& parent = Text(request, "parent");
  absl::Status status = CheckParent(kind, decision, parent);
  if (!status.ok()) return status;

  const std::string id_field = absl::StrCat(kind.singular, "_id");
  std::string id = kind.rules.random_ids ? "" : Text(request, id_field);
  if (id.empty()) {
    id = ids::RandomId();
  } else {
    status = fields::CheckId(id_field, id);
    if (!status.ok()) return status;
  }
  std::unique_ptr<Message> resource =
      Copy(request.GetReflection()->GetMessage(request, field));
  fields::ClearOutputOnly(resource.get());
  if (kind.rules.take_over) {
    status = kind.rules.take_over(request, decision.caller(), resource.get());
    if (!status.ok()) return status;
  }
  const std::string name =
      absl::StrCat(parent, parent.empty() ? "" : "/", kind.collection, "/", id);
  return CreateNamed(kind, decision, name, std::move(resource), field->name());
}

absl::StatusOr<std::string> Update(const resource::Kind& kind,
                                   journal::Decision& decision,
                                   const Message& request) {
  const FieldDescriptor* field = ResourceField(request, kind);
  const Message& incoming = request.GetReflection()->GetMessage(request, field);
  auto before = FindForChange(decision, kind, Text(incoming, "name"),
                              Text(incoming, "etag"));
  if (absl::IsNotFound(before.status()) && Flag(request, "allow_missing")) {
    return CreateMissing(kind, decision, incoming, field->name());
  }
  if (!before.ok()) return before.status();

  auto after = fields::ApplyUpdate(
      (*before)->message(), incoming, MaskOf(request),
      resource::Form(kind, decision.caller()).fields(**before), field->name());
  if (!after.ok()) return after.status();
  absl::Status status = fields::CheckResource(**after, field->name());
  if (status.ok()) {
    status = CheckReferences(decision, **after, &(*before)->message(),
                             field->name());
  }
  if (status.ok() && kind.rules.check) {
    status = kind.rules.check(decision.view(), &(*before)->message(),
                              after->get(), decision.now());
  }
  if (!status.ok()) return status;
  auto item = decision.Put(**after, Change::UPDATED);
  if (!item.ok()) return item.status();
  return InForm(**item, decision.caller());
}

}  // namespace transparency::methods
