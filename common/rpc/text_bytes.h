#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace transparency::rpc {

// Path of the first text in `bytes`, read as a message of `type`, that is not
// UTF-8: "scheme.levels[1].title". Empty when there is none, or when the bytes
// are no message at all. For requests that could not be parsed: the parser does
// not say why.
std::string TextNotUtf8(absl::string_view bytes,
                        const google::protobuf::Descriptor& type);

}  // namespace transparency::rpc
