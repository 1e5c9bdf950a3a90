#pragma once

#include <cstddef>
#include <string>

#include "google/protobuf/message.h"

namespace transparency {

// The message's bytes. The same message gives the same bytes in every process
// of one build, also where it holds a map.
std::string DeterministicBytes(const google::protobuf::Message& message);

// Appends them, `size` by the message's ByteSizeLong, which nothing may have
// changed since.
void AppendDeterministicBytes(const google::protobuf::Message& message,
                              size_t size, std::string* bytes);

}  // namespace transparency
