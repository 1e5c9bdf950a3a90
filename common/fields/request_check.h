#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace transparency::fields {

// Deepest that messages may stand in each other.
inline constexpr int kMaxMessageDepth = 32;

// Checks a request against the annotations of its type, before any rule or
// digest sees it, and brings it into one form: text into NFC, instants to
// microseconds (finer digits are cut off, towards the past).
//
// INVALID_ARGUMENT, reason INVALID_FIELDS, with all that is wrong, each with
// its path as in the proto (`certificate.steps[2].effective_date`):
//   * required fields that are empty, where the message that holds them is
//     there. In an Update (a request with a field `update_mask`) those of the
//     resource itself wait for CheckResource.
//   * text that is no UTF-8, holds control characters other than line feed and
//     tab, is too long or not of its format; lists that are too long
//   * dates, periods, instants, durations, sums of money and numbers that are
//     none; enum values and fields that this version does not know
//   * a `page_size` of the request that is negative
//   * references that are no name of their type: `collection/id/…` for types of
//     the same service, `//service/collection/id/…` for others. In a List
//     or BatchGet request, `-` may be an id of the parent.
//   * the name of the resource in an Update; in a Create it is passed over.
// Output-only fields are passed over: what comes in them is ignored.
absl::Status CheckRequest(google::protobuf::Message* request);

// The same, changing nothing, for a resource as it is to be written; required
// fields are all asked for. `path` is where it stands in the request; may be
// empty.
absl::Status CheckResource(const google::protobuf::Message& resource,
                           absl::string_view path = "");

}  // namespace transparency::fields
