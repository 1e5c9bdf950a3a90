#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace transparency::log {

// Lines to a descriptor that another process reads, such as a pipe. Whoever
// reads too slowly, or not at all, makes nobody wait: a line for which there is
// no room is refused as a whole. Not thread-safe; lines of other processes on
// the same pipe may make a write wait after all.
class LogPipe {
 public:
  // The descriptor stays the caller's.
  explicit LogPipe(int descriptor) : descriptor_(descriptor) {}
  LogPipe(const LogPipe&) = delete;
  LogPipe& operator=(const LogPipe&) = delete;

  // Takes one line, with its end. False, and nothing of it is written, when
  // there is no room now or what came before still waits for some.
  bool Write(absl::string_view line);

 private:
  // Writes what it can of rest_; true when nothing is left.
  bool WriteRest();

  const int descriptor_;
  std::string rest_;  // of a line that has begun
};

}  // namespace transparency::log
