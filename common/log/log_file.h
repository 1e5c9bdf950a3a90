#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace transparency::log {

// A file of lines that stays within a bound: once it is full it becomes PATH.1,
// what was PATH.1 becomes PATH.2 and so on, and the oldest is lost. The change
// loses no line, also across a restart, and where it cannot be done (no
// descriptor is left, say) the full file goes on growing until it can; spdlog's
// own rotating sink has closed the file by then and crashes at the next line.
// Not thread-safe.
class LogFile {
 public:
  // Appends to `path`, which it makes where it is missing, and begins a new
  // file when a line would make it longer than `max_bytes`; keeps `generations`
  // older ones. INVALID_ARGUMENT or what open(2) says when that cannot be.
  static absl::StatusOr<std::unique_ptr<LogFile>> Open(std::string path,
                                                       int64_t max_bytes,
                                                       int generations);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  // Hands one line, with its end, to the operating system. On an error (a full
  // disk) the line is lost and the next one is tried as if nothing had been.
  absl::Status Write(absl::string_view line);

 private:
  LogFile(std::string path, int64_t max_bytes, int generations)
      : path_(std::move(path)),
        max_bytes_(max_bytes),
        generations_(generations),
        turn_at_(max_bytes) {}
  void Turn();

  const std::string path_;
  const int64_t max_bytes_;
  const int generations_;
  int file_ = -1;
  int64_t size_ = 0;
  int64_t turn_at_;    // the size at which the next file is begun
  bool torn_ = false;  // the file ends within a line
};

}  // namespace transparency::log
