#include "common/rpc/caller_directory.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/refusals.h"
#include "openssl/sha.h"
#include "spdlog/spdlog.h"

namespace transparency::rpc {
namespace {

constexpr absl::Duration kLookEvery = absl::Seconds(1);

bool IsDigest(absl::string_view hex) {
  return hex.size() == 2 * SHA256_DIGEST_LENGTH &&
         hex.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

// `line` without comment; an error says what is wrong, never the line's text.
absl::StatusOr<std::pair<std::string, Caller>> ReadLine(
    absl::string_view line) {
  const std::vector<std::string> parts =
      absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
  if (parts.size() != 3) {
    return absl::InvalidArgumentError("expected: digest subject roles");
  }
  if (!IsDigest(parts[0])) {
    return absl::InvalidArgumentError(
        "the digest is not 64 lower-case hexadecimal digits");
  }
  Caller caller;
  caller.subject = parts[1];
  if (parts[2] != "-") {
    caller.roles = absl::StrSplit(parts[2], ',', absl::SkipEmpty());
  }
  return std::make_pair(absl::HexStringToBytes(parts[0]), std::move(caller));
}

}  // namespace

absl::StatusOr<absl::string_view> BearerToken(absl::string_view header) {
  constexpr absl::string_view kScheme = "bearer ";
  if (!absl::StartsWithIgnoreCase(header, kScheme)) {
    return status::TokenUnknown(
        "The authorization header is not of the form \"Bearer <token>\".");
  }
  return absl::StripAsciiWhitespace(header.substr(kScheme.size()));
}

absl::StatusOr<CallerDirectory::Version> CallerDirectory::Look(
    const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    return absl::NotFoundError(
        absl::StrCat("tokens file ", path, ": ", std::strerror(errno)));
  }
  return Version{static_cast<int64_t>(info.st_ino), info.st_size,
                 info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
}

absl::StatusOr<CallerDirectory::Table> CallerDirectory::Read(
    const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return absl::NotFoundError(
        absl::StrCat("tokens file ", path, ": ", std::strerror(errno)));
  }
  Table table;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const absl::string_view text =
        absl::StripAsciiWhitespace(absl::string_view(line).substr(
            0, std::min(line.size(), line.find('#'))));
    if (text.empty()) continue;
    auto entry = ReadLine(text);
    if (!entry.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "tokens file ", path, ":", number, ": ", entry.status().message()));
    }
    table[entry->first] =
        std::make_shared<const Caller>(std::move(entry->second));
  }
  return table;
}

absl::StatusOr<std::unique_ptr<CallerDirectory>> CallerDirectory::Open(
    std::string path, std::function<absl::Time()> now) {
  auto directory = std::unique_ptr<CallerDirectory>(
      new CallerDirectory(std::move(path), std::move(now)));
  auto version = Look(directory->path_);
  if (!version.ok()) return version.status();
  auto table = Read(directory->path_);
  if (!table.ok()) return table.status();
  absl::MutexLock lock(&directory->mutex_);
  directory->version_ = *version;
  directory->table_ = std::make_shared<const Table>(*std::move(table));
  directory->next_look_ = directory->now_() + kLookEvery;
  return directory;
}

std::shared_ptr<const Caller> CallerDirectory::Find(absl::string_view token) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(),
         digest);
  ReloadIfChanged();
  std::shared_ptr<const Table> table;
  {
    absl::MutexLock lock(&mutex_);
    table = table_;
  }
  const auto found = table->find(
      absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
  return found == table->end() ? nullptr : found->second;
}

int64_t CallerDirectory::Generation() {
  ReloadIfChanged();
  absl::MutexLock lock(&mutex_);
  return generation_;
}

void CallerDirectory::ReloadIfChanged() {
  const absl::Time now = now_();
  Version known;
  {
    absl::MutexLock lock(&mutex_);
    if (now < next_look_) return;
    next_look_ = now + kLookEvery;
    known = version_;
  }
  // Read outside the lock: other calls go on with the table they have.
  auto version = Look(path_);
  if (version.ok() && *version == known) return;
  auto table = version.ok() ? Read(path_) : version.status();
  if (!table.ok()) {
    // The version stays the old one, so that the next look tries again.
    spdlog::error("tokens are not reloaded: {}", table.status().ToString());
    return;
  }
  spdlog::info("tokens reloaded from {}: {} callers", path_, table->size());
  absl::MutexLock lock(&mutex_);
  version_ = *version;
  ++generation_;
  table_ = std::make_shared<const Table>(*std::move(table));
}

}  // namespace transparency::rpc
