#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "common/changes/watch_event.h"
#include "common/resource/caller.h"
#include "common/resource/snapshot.h"

namespace transparency::changes {

// A resource that is deleted now was recorded by mistake: its changes, all of
// them, are told to staff alone.
bool IsWithheld(const resource::Snapshot& now, absl::string_view name,
                const resource::Caller& caller);

// What is to be done with an entry before a watch.
enum class Telling {
  kTell,
  kPassOver,
  // The resource disappeared before the watch began, at whose place it may have
  // been there: its client may have it and must let go of it, but whoever made
  // up that place must not learn its name. The watch ends, and the client reads
  // everything anew.
  kBeginAnew,
};

// What one watch must keep apart: resources that it was not told of because
// they are deleted by now, and whose removal must not be told to it either.
// Holds a fingerprint of each name. For one thread.
class Untold {
 public:
  // Of an entry that is withheld now. `before` tells that it had been written
  // when the watch began.
  Telling Of(absl::string_view name, Effect effect, bool before);
  // An entry of this name is told like any other.
  void Told(absl::string_view name);

 private:
  absl::flat_hash_set<uint64_t> names_;
};

}  // namespace transparency::changes
