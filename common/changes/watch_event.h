#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/resource/caller.h"
#include "common/resource/item.h"

// Events of WatchChanges, serialized: one message of the contract's
// WatchChangesResponse each.
namespace transparency::changes {

// What an entry did to a resource.
struct Difference {
  const resource::Item* before;  // null: there was none
  const resource::Item* after;
  // It differs for whoever sees it, also where the two do not show it: personal
  // fields that are not at hand as they were.
  bool surely = false;
};

// The event of an entry in the caller's eyes; empty when it tells nothing. A
// deleted resource does not exist for anybody, staff included.
std::string EventOf(const Difference& difference,
                    const resource::Caller& caller, absl::string_view token,
                    absl::Time record_time);

// An event of the present state; empty when the caller does not see it.
std::string PresentOf(const resource::Item& item,
                      const resource::Caller& caller);

std::string Bookmark(absl::string_view token, absl::Time now);

}  // namespace transparency::changes
