#include "common/changes/untold.h"

#include "absl/hash/hash.h"

namespace transparency::changes {

bool Untold::Tells(absl::string_view name, Effect effect) {
  if (effect == Effect::kAdded) names_.insert(absl::HashOf(name));
  return effect == Effect::kRemoved && names_.erase(absl::HashOf(name)) == 0;
}

void Untold::Told(absl::string_view name) {
  if (!names_.empty()) names_.erase(absl::HashOf(name));
}

}  // namespace transparency::changes
