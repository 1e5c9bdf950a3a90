#pragma once

#include "absl/strings/string_view.h"

namespace transparency {

// The process's google.protobuf.FileDescriptorSet, serialized, with comments
// (source_code_info). One per executable, made by the build's
// transparency_embed_descriptors().
absl::string_view EmbeddedDescriptorSet();

}  // namespace transparency
