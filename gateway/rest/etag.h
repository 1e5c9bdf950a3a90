#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// HTTP entity tags (RFC 9110, 8.8.3) over resources' etags (AIP-154). The tag
// of an answer is `"<resource's etag>.<16 hex of the body's SHA-256>"`: the
// digest tells forms, masks and formats of one resource apart, the part before
// it is what a write compares. A compressed answer's tag ends in "-gzip".
namespace transparency::gateway::rest {

// `resource_etag` with or without quotes; empty for what has no etag.
std::string HttpEtag(absl::string_view resource_etag, absl::string_view body);

// The tag of the same answer compressed.
std::string CompressedEtag(absl::string_view etag);

// Whether If-None-Match lists the tag: weakly compared, "*" is all, and
// compressed or not is one.
bool NoneMatchLists(absl::string_view if_none_match, absl::string_view etag);

// The tag that a 304 bears: that of the form which the client keeps, as
// If-None-Match lists it.
std::string KeptEtag(absl::string_view if_none_match, absl::string_view etag);

// The resource's etag, in quotes, that If-Match asks for; empty for "*". Takes
// tags of answers and etags of resources alike, exactly one.
absl::StatusOr<std::string> ResourceEtagOf(absl::string_view if_match);

// Lower-case hexadecimal SHA-256.
std::string Sha256Hex(absl::string_view bytes);

}  // namespace transparency::gateway::rest
