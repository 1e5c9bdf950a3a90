#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "spdlog/common.h"

// The structured log: one JSON object per line on standard error or in a file.
// Lines with fields come from LogLine; text logged with spdlog::info and its
// like becomes the field "message".
namespace transparency::log {

struct LogOptions {
  spdlog::level::level_enum level = spdlog::level::info;
  // Empty: standard error. Else as LogFile takes them.
  std::string file;
  int64_t file_bytes = 0;
  int files = 0;
};

// Sends spdlog's default logger, LogLine and the logs of gRPC and protobuf
// where the options say, as JSON lines; each is with the operating system when
// the call that logs it returns, but what standard error has no room for, which
// is dropped and counted in a later line. Called by main, before threads are
// started. Fails, and changes nothing, when the file cannot be written.
absl::Status SetUpLog(const LogOptions& options);

// One line, written when it goes out of scope, unless its level is not logged.
//   LogLine(spdlog::level::info, "call").Text("method", m).Number("ms", 3);
class LogLine {
 public:
  LogLine(spdlog::level::level_enum level, absl::string_view message);
  ~LogLine();
  LogLine(const LogLine&) = delete;
  LogLine& operator=(const LogLine&) = delete;

  LogLine& Text(absl::string_view key, absl::string_view value);
  LogLine& Number(absl::string_view key, double value);

 private:
  const spdlog::level::level_enum level_;
  std::string members_;  // empty: not logged
};

// `text` within a JSON string literal, without the quotes; bytes that are not
// UTF-8 become U+FFFD.
std::string EscapeJson(absl::string_view text);

}  // namespace transparency::log
