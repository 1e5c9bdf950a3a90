#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/caller.h"
#include "common/changes/withheld.h"
#include "common/resource/item.h"

// Events of WatchChanges, serialized: one message of the contract's
// WatchChangesResponse each.
namespace transparency::changes {

// What an entry did to a resource.
struct Difference {
  const resource::Item* before;  // null: there was none
  const resource::Item* after;
};

// What an entry did in the caller's eyes. A deleted resource does not exist for
// anybody, staff included.
enum class Effect { kNone, kAdded, kChanged, kRemoved };
Effect EffectOf(const Difference& difference, const Caller& caller);

// The event of an entry in the caller's eyes; empty when it tells nothing.
// A resource with personal fields is taken for changed by every entry: they may
// not be at hand as they were, and each replica is to tell the same. `deleted`
// is about difference.after.
std::string EventOf(const Difference& difference, const Caller& caller,
                    absl::string_view token, absl::Time record_time,
                    const DeletedNames& deleted);

// An event of the present state; empty when the caller does not see it.
std::string PresentOf(const resource::Item& item, const Caller& caller,
                      const DeletedNames& deleted);

std::string Bookmark(absl::string_view token, absl::Time now);

}  // namespace transparency::changes
