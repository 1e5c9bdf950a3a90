#include "common/methods/found_for_change.h"

#include <memory>
#include <set>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/methods/request_fields.h"
#include "common/resource/form.h"
#include "common/status/status.h"
#include "google/api/resource.pb.h"

namespace transparency::methods {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

using VisitReference =
    absl::FunctionRef<void(const std::string& path, const std::string& name)>;

// References to resources of this service; full names of other services' begin
// with "//" and are theirs to know.
void VisitReferences(const Message& message, const std::string& path,
                     VisitReference visit) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool reference =
        field->type() == FieldDescriptor::TYPE_STRING &&
        field->options().HasExtension(google::api::resource_reference);
    const bool nested = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (!reference && !nested) continue;
    const std::string at =
        path.empty() ? field->name() : absl::StrCat(path, ".", field->name());
    const int count =
        field->is_repeated() ? reflection->FieldSize(message, field) : -1;
    for (int i = 0; i < (count < 0 ? 1 : count); ++i) {
      const std::string here = count < 0 ? at : absl::StrCat(at, "[", i, "]");
      if (nested) {
        VisitReferences(count < 0
                            ? reflection->GetMessage(message, field)
                            : reflection->GetRepeatedMessage(message, field, i),
                        here, visit);
        continue;
      }
      const std::string name =
          count < 0 ? reflection->GetString(message, field)
                    : reflection->GetRepeatedString(message, field, i);
      if (!absl::StartsWith(name, "//")) visit(here, name);
    }
  }
}

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
    VisitReferences(*before, "", [&](const std::string&, const std::string& n) {
      kept.insert(n);
    });
  }
  const std::string& own = Text(resource, "name");
  absl::Status status;
  VisitReferences(
      resource, std::string(path),
      [&](const std::string& at, const std::string& name) {
        if (!status.ok() || name == own || kept.count(name) > 0 ||
            Sees(decision, name)) {
          return;
        }
        status = status::Precondition(
            "REFERENCE_NOT_FOUND", at,
            absl::StrCat(at, " refers to ", name, ", which does not exist."),
            {{"field", at}, {"resource", name}});
      });
  return status;
}

}  // namespace transparency::methods
