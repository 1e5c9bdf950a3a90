#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace transparency::gateway {

// Where a stream of updates stands with each owner, by the owner's name; its
// text is the `resume_token` of WatchUpdates:
// "certification-1234.9f86d081~standards-7.0a1b2c3d", made of what a URL takes
// unescaped.
using UpdatePositions = std::map<std::string, std::string>;

std::string FormatUpdateToken(const UpdatePositions& positions);

// INVALID_ARGUMENT over `resume_token` for a text that is no such token. What
// the owners make of their parts is theirs to say.
absl::StatusOr<UpdatePositions> ParseUpdateToken(absl::string_view token);

}  // namespace transparency::gateway
