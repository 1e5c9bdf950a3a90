#pragma once

#include <cstdint>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "common/changes/watch_event.h"

namespace transparency::changes {

// What one watch must keep apart: resources that it was not told of because
// they are deleted by now, and whose removal must not be told to it either.
// Holds a fingerprint of each name. For one thread.
class Untold {
 public:
  // Whether the watch is told an entry that is withheld now: that a resource is
  // no more, if it had been there for the watch.
  bool Tells(absl::string_view name, Effect effect);
  // An entry of this name is told like any other.
  void Told(absl::string_view name);

 private:
  absl::flat_hash_set<uint64_t> names_;
};

}  // namespace transparency::changes
