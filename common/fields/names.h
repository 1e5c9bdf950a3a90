#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// Resource names (AIP-122): `organizations/otpf/memberships/m1` is a name of
// the pattern `organizations/{organization}/memberships/{membership}`.
namespace transparency::fields {

// Stands for any parent in the `parent` of a List request (AIP-159).
inline constexpr char kAnyId[] = "-";

// 1 to 63 of a-z, 0-9 and `-`; begins with a letter, does not end with `-`.
bool IsId(absl::string_view id);
// Why a text is none, for a violation.
std::string WhyNoId(absl::string_view text);
// INVALID_ARGUMENT over `field` when the id is none.
absl::Status CheckId(absl::string_view field, absl::string_view id);

enum class AnyIds { kRefuse, kAllow };

// Whether `name` has the pattern. With kAllow, `-` is an id.
bool HasPattern(absl::string_view name, absl::string_view pattern,
                AnyIds any = AnyIds::kRefuse);
// Whether `name` can be the name of some resource: pairs of a collection and an
// id, with slashes between.
bool IsName(absl::string_view name, AnyIds any = AnyIds::kRefuse);

// The last part of a name.
absl::string_view IdOf(absl::string_view name);
// The name (or the pattern) less its last two parts; empty at the top.
absl::string_view ParentOf(absl::string_view name);
// `parent` may be empty.
std::string MakeName(absl::string_view parent, absl::string_view collection,
                     absl::string_view id);

// Whether two names are of one parent, where `-` in `pattern` is any id.
bool ParentMatches(absl::string_view parent, absl::string_view pattern);

// `//certification.transparency/certificates/x` in its parts; false for a name
// that is not full.
bool SplitFullName(absl::string_view full, absl::string_view* domain,
                   absl::string_view* name);

}  // namespace transparency::fields
