#include "common/changes/withheld.h"

#include "absl/hash/hash.h"

namespace transparency::changes {

bool IsWithheld(const resource::Snapshot& now, absl::string_view name,
                const resource::Caller& caller) {
  if (caller.HasRole(resource::kStaffRole)) return false;
  const resource::Item* item = now.Find(name);
  return item != nullptr && item->deleted();
}

Telling Untold::Of(absl::string_view name, Effect effect, bool before) {
  if (effect == Effect::kAdded) names_.insert(absl::HashOf(name));
  if (effect != Effect::kRemoved || names_.erase(absl::HashOf(name)) > 0) {
    return Telling::kPassOver;
  }
  return before ? Telling::kBeginAnew : Telling::kTell;
}

void Untold::Told(absl::string_view name) {
  if (!names_.empty()) names_.erase(absl::HashOf(name));
}

}  // namespace transparency::changes
