#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "common/base/caller.h"
#include "common/resource/form.h"
#include "common/resource/item.h"
#include "common/resource/snapshot.h"
#include "google/protobuf/message.h"

namespace transparency::changes {

// A resource that is deleted now was recorded by mistake: its changes, all of
// them, are told to staff alone.
bool IsWithheld(const resource::Snapshot& now, absl::string_view name,
                const Caller& caller);

// Whether a resource of this name is deleted now. Empty where nothing is: what
// is in effect now names nothing that is deleted.
using DeletedNames = std::function<bool(absl::string_view name)>;

// For a look at an old entry of a resource of which `now` holds another state.
// Keeps a reference to `now`.
DeletedNames DeletedBy(const resource::Snapshot& now,
                       const resource::Item& old);

// The form of an old item without the names of what is deleted now, which staff
// alone are told; null where it has none. `deleted` may be empty.
std::unique_ptr<google::protobuf::Message> WithoutDeleted(
    const resource::Form& form, const resource::Item& old, const Caller& caller,
    const DeletedNames& deleted);

}  // namespace transparency::changes
