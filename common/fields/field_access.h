#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace transparency::fields {

// From a resource down to one of its fields. An entry of a map is a message
// with the fields `key` and `value`, as in its descriptor.
using FieldPath = std::vector<const google::protobuf::FieldDescriptor*>;

// Which fields of a type exist for one caller. The others are unknown to it in
// filters, orders and masks. A value; thread-safe.
class FieldAccess {
 public:
  // All of them.
  FieldAccess() = default;
  // All but these and what is below them.
  explicit FieldAccess(std::vector<FieldPath> hidden)
      : hidden_(hidden.empty() ? nullptr
                               : std::make_shared<const std::vector<FieldPath>>(
                                     std::move(hidden))) {}

  bool Knows(const FieldPath& path) const {
    if (hidden_ == nullptr) return true;
    for (const FieldPath& hidden : *hidden_) {
      if (hidden.size() > path.size()) continue;
      bool below = true;
      for (size_t i = 0; i < hidden.size() && below; ++i) {
        below = hidden[i] == path[i];
      }
      if (below) return false;
    }
    return true;
  }

 private:
  std::shared_ptr<const std::vector<FieldPath>> hidden_;
};

// The field of this name, as the proto or as JSON spells it; null when there is
// none.
inline const google::protobuf::FieldDescriptor* FindField(
    const google::protobuf::Descriptor& type, absl::string_view name) {
  const std::string text(name);
  const auto* field = type.FindFieldByName(text);
  return field != nullptr ? field : type.FindFieldByCamelcaseName(text);
}

}  // namespace transparency::fields
