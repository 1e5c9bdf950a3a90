#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "transparency/journal/v1/change.pb.h"

namespace transparency::journal {

using ChangeKind = transparency::journal::v1::Change::Kind;

// One row of the journal. What it commits to, and how, is said for clients at
// transparency.journal.v1.Change; the functions below are that contract.
struct Entry {
  int64_t revision = -1;
  absl::Time record_time;  // whole microseconds
  std::string name;
  ChangeKind kind = transparency::journal::v1::Change::KIND_UNSPECIFIED;
  std::string step;
  std::string actor;
  std::string reason;
  std::string request_id;
  std::string body;                           // empty for an erasure
  absl::optional<std::string> public_digest;  // 32 bytes
  std::string salt;                           // 32 random bytes
  // To the body as the entry leaves it, of an erasure too, and to the personal
  // fields beside it. Stored, since the one of an erasure and all personal ones
  // cannot be made again.
  std::string body_commitment;      // 32 bytes
  std::string personal_commitment;  // 32 bytes
  std::string digest;               // 32 bytes
};

// Commitments of an entry with this salt.
std::string BodyCommitment(absl::string_view salt, absl::string_view body);
// `personal_salt` is stored beside the personal fields and deleted with them;
// empty, as `personal` is, where there are none.
std::string PersonalCommitment(absl::string_view salt,
                               absl::string_view personal_salt,
                               absl::string_view personal);

// The random part of the statement, which everybody is shown who is shown that.
std::string Nonce(const Entry& entry);
v1::Change::Commitments Commitments(const Entry& entry);

// The statement of an entry of this service ("standards.transparency") and the
// entry of the log that it becomes, JSON texts both; SHA-256(0x00 ‖ the
// latter).
std::string Statement(absl::string_view service, const Entry& entry);
std::string LogEntry(absl::string_view service, const Entry& entry);
std::string LeafHash(absl::string_view service, const Entry& entry);

// The digest of an entry: SHA-256 over the digest of the entry before it (32
// zero bytes for revision 0, where `previous` may be empty), revision and
// record_time in microseconds (each a signed 64-bit integer, big-endian) and
// the leaf hash. `entry.digest` itself is not looked at.
std::string ChainDigest(absl::string_view previous, absl::string_view service,
                        const Entry& entry);

// DATA_LOSS, saying what, when an entry is not what its digest says behind
// `previous`, or its body not what it commits to.
absl::Status CheckEntry(absl::string_view previous, absl::string_view service,
                        const Entry& entry);
// The same, and when it does not follow an entry of this revision (-1: none),
// time and digest, without a gap and no earlier.
absl::Status CheckNext(int64_t revision, absl::Time time,
                       absl::string_view digest, absl::string_view service,
                       const Entry& entry);

}  // namespace transparency::journal
