#pragma once

#include "absl/strings/string_view.h"
#include "transparency/type/v1/annotations.pb.h"

namespace transparency::fields {

// Whether a text that is not empty has the format, as annotations.proto says.
bool HasFormat(absl::string_view text, type::v1::Format format);

// What a text of the format looks like, for a message: "a country, ISO 3166-1
// alpha-2, such as BE".
absl::string_view DescribeFormat(type::v1::Format format);

}  // namespace transparency::fields
