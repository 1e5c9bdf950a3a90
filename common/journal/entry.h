#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "transparency/journal/v1/change.pb.h"

namespace transparency::journal {

using ChangeKind = transparency::journal::v1::Change::Kind;

// One row of the journal.
struct Entry {
  int64_t revision = -1;
  absl::Time record_time;  // whole microseconds
  std::string name;
  ChangeKind kind = transparency::journal::v1::Change::KIND_UNSPECIFIED;
  std::string step;
  std::string actor;
  std::string reason;
  std::string request_id;
  std::string body;
  absl::optional<std::string> public_digest;  // 32 bytes
  std::string digest;                         // 32 bytes
};

// The chain digest of an entry: SHA-256 over the concatenation of
//
//   1. the digest of the entry before it, 32 bytes; 32 zero bytes for revision
//   0
//   2. the 23 ASCII bytes "transparency/journal/v1"
//   3. revision, then record_time in microseconds since 1970-01-01T00:00:00Z,
//      then kind: each a signed 64-bit integer, big-endian
//   4. name, step, actor, reason, request_id, body: each its length in bytes as
//      an unsigned 32-bit integer, big-endian, then the bytes (text in UTF-8)
//   5. public_digest like those of 4; the length 0 stands for "none"
//
// `previous` may be empty for revision 0. The digest of `entry` itself is not
// looked at. Nothing of this depends on protobuf: `body` is bytes.
std::string ChainDigest(absl::string_view previous, const Entry& entry);

std::string Sha256(absl::string_view bytes);

}  // namespace transparency::journal
