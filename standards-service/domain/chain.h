#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/resource/snapshot.h"
#include "common/status/status.h"
#include "transparency/standards/v1/error_reason.pb.h"

namespace transparency::standards::domain {

// How a refused circle is told.
struct CircleRefusal {
  v1::ErrorReason reason;
  // Metadata key of the resource that closes the circle.
  const char* key;
  const char* field;
};

// FAILED_PRECONDITION when following `next` from `first` leads to `name`: the
// resource of that name, about to point at `first`, would follow itself. The
// chains that stand form no circle, so each walk ends.
template <class T>
absl::Status CheckNoCircle(const resource::Snapshot& view,
                           const std::string& name, const std::string& first,
                           const std::string& (T::*next)() const,
                           const CircleRefusal& refusal) {
  std::string last = name;
  std::string at = first;
  while (!at.empty()) {
    if (at == name) {
      return status::Precondition(
          v1::ErrorReason_Name(refusal.reason), name,
          absl::StrCat(refusal.field, " would form a circle: ", last,
                       " leads back to ", name),
          {{refusal.key, last}});
    }
    const T* resource = view.Get<T>(at);
    if (resource == nullptr) break;  // a missing one is refused elsewhere
    last = at;
    at = (resource->*next)();
  }
  return absl::OkStatus();
}

}  // namespace transparency::standards::domain
