#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace transparency::query {

// INVALID_ARGUMENT, reason QUERY_INVALID: `query`, the text of a request's
// `field` (`filter`, `order_by`), cannot be read. `offset` is the byte where;
// the caller is told the character, counted from 1, in the message and as
// `position` in the metadata.
absl::Status QueryInvalid(absl::string_view field, absl::string_view query,
                          size_t offset, absl::string_view description);

}  // namespace transparency::query
