#include "common/log/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"

namespace transparency::log {
namespace {

constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC;
constexpr mode_t kMode = 0640;
constexpr int64_t kLeastBytes = 4096;
constexpr int kMostGenerations = 1000;

}  // namespace

absl::StatusOr<std::unique_ptr<LogFile>> LogFile::Open(std::string path,
                                                       int64_t max_bytes,
                                                       int generations) {
  if (max_bytes < kLeastBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a log file holds ", kLeastBytes, " bytes at least, not ", max_bytes));
  }
  if (generations < 1 || generations > kMostGenerations) {
    return absl::InvalidArgumentError(
        absl::StrCat("1 to ", kMostGenerations,
                     " older log files are kept, not ", generations));
  }
  std::unique_ptr<LogFile> made(
      new LogFile(std::move(path), max_bytes, generations));
  made->file_ = open(made->path_.c_str(), kFlags, kMode);
  struct stat found;
  if (made->file_ < 0 || fstat(made->file_, &found) != 0) {
    return absl::ErrnoToStatus(errno,
                               absl::StrCat("cannot write ", made->path_));
  }
  made->size_ = found.st_size;
  return made;
}

LogFile::~LogFile() {
  if (file_ >= 0) close(file_);
}

absl::Status LogFile::Write(absl::string_view line) {
  const auto length = static_cast<int64_t>(line.size());
  if (size_ > 0 && size_ + length > turn_at_) Turn();
  std::string mended;
  if (torn_) {
    mended = absl::StrCat("\n", line);
    line = mended;
  }
  while (!line.empty()) {
    const ssize_t written = write(file_, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path_));
    }
    size_ += written;
    line.remove_prefix(static_cast<size_t>(written));
    torn_ = !line.empty();
  }
  return absl::OkStatus();
}

void LogFile::Turn() {
  // The new file is there before anything is moved, so that a failure leaves
  // all as it was; it is tried again a little later, not at every line.
  const std::string fresh = absl::StrCat(path_, ".new");
  const int file = open(fresh.c_str(), kFlags | O_TRUNC, kMode);
  if (file < 0) {
    turn_at_ = size_ + max_bytes_ / 16;
    return;
  }
  for (int i = generations_ - 1; i >= 1; --i) {
    // Missing ones are no failure: there are few at first.
    (void)std::rename(absl::StrCat(path_, ".", i).c_str(),
                      absl::StrCat(path_, ".", i + 1).c_str());
  }
  (void)std::rename(path_.c_str(), absl::StrCat(path_, ".1").c_str());
  (void)std::rename(fresh.c_str(), path_.c_str());
  close(file_);
  file_ = file;
  size_ = 0;
  turn_at_ = max_bytes_;
  torn_ = false;
}

}  // namespace transparency::log
