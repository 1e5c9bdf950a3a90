#include "common/changes/withheld.h"

#include <string>

#include "common/fields/references.h"

namespace transparency::changes {

using google::protobuf::Message;

bool IsWithheld(const resource::Snapshot& now, absl::string_view name,
                const Caller& caller) {
  if (caller.HasRole(kStaffRole)) return false;
  const resource::Item* item = now.Find(name);
  return item != nullptr && item->deleted();
}

DeletedNames DeletedBy(const resource::Snapshot& now,
                       const resource::Item& old) {
  const resource::Item* item = now.Find(old.name());
  if (item != nullptr && item->revision() == old.revision()) return nullptr;
  return [&now](absl::string_view name) {
    const resource::Item* named = now.Find(name);
    return named != nullptr && named->deleted();
  };
}

std::unique_ptr<Message> WithoutDeleted(const resource::Form& form,
                                        const resource::Item& old,
                                        const Caller& caller,
                                        const DeletedNames& deleted) {
  if (!deleted || caller.HasRole(kStaffRole)) return nullptr;
  std::unique_ptr<Message> scratch;
  const Message& seen = form.Of(old, &scratch);
  bool names = false;
  fields::VisitReferences(seen, [&](const fields::Reference& reference) {
    names = names || deleted(reference.name());
  });
  if (!names) return nullptr;
  std::unique_ptr<Message> less(seen.New());
  less->CopyFrom(seen);
  fields::ClearReferences(
      [&](const std::string& name) { return deleted(name); }, less.get());
  return less;
}

}  // namespace transparency::changes
