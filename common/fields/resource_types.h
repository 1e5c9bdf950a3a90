#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace transparency::fields {

// The name pattern of a resource type such as
// `certification.transparency/Certificate`, from the google.api.resource of the
// protos linked into the process; null for a type that is not among them.
const std::string* PatternOf(absl::string_view type);

}  // namespace transparency::fields
