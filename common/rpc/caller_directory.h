#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/caller.h"

namespace transparency::rpc {

// The token of "Bearer <token>" (RFC 6750; the scheme in any case), within
// `header`; UNAUTHENTICATED, TOKEN_UNKNOWN, when that is not its form.
absl::StatusOr<absl::string_view> BearerToken(absl::string_view header);

// Who a bearer token belongs to, from a text file with one token per line:
// `<SHA-256 of the token, hex> <subject> <role,role or ->`; `#` begins a
// comment. The file holds no token in clear, nor does this. Thread-safe.
class CallerDirectory {
 public:
  // An error when the file cannot be read or a line is wrong. `now` may be
  // replaced by tests.
  static absl::StatusOr<std::unique_ptr<CallerDirectory>> Open(
      std::string path, std::function<absl::Time()> now = absl::Now);

  // The caller behind `token`; null when it is unknown. At most once a second
  // looks whether the file has changed; a file that is gone or wrong leaves the
  // last good one in force and is logged.
  std::shared_ptr<const Caller> Find(absl::string_view token);

  // Looks as Find does; how often the file has been read since it was opened.
  int64_t Generation();

 private:
  // By the raw 32 bytes of the digest.
  using Table = absl::flat_hash_map<std::string, std::shared_ptr<const Caller>>;
  // What tells two states of the file apart.
  struct Version {
    int64_t inode = 0;
    int64_t size = 0;
    int64_t modified_ns = 0;
    bool operator==(const Version& other) const = default;
  };

  CallerDirectory(std::string path, std::function<absl::Time()> now)
      : path_(std::move(path)), now_(std::move(now)) {}

  static absl::StatusOr<Table> Read(const std::string& path);
  static absl::StatusOr<Version> Look(const std::string& path);
  void ReloadIfChanged();

  const std::string path_;
  const std::function<absl::Time()> now_;

  absl::Mutex mutex_;
  std::shared_ptr<const Table> table_ ABSL_GUARDED_BY(mutex_);
  Version version_ ABSL_GUARDED_BY(mutex_);
  int64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time next_look_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace transparency::rpc
