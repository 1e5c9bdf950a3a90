#include "common/log/log.h"

#include <unistd.h>

#include <memory>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/log/log_file.h"
#include "common/log/log_pipe.h"
#include "google/protobuf/stubs/logging.h"
#include "grpc/support/log.h"
#include "spdlog/formatter.h"
#include "spdlog/sinks/base_sink.h"
#include "spdlog/spdlog.h"

namespace transparency::log {
namespace {

constexpr char kMembersLogger[] = "members";

absl::string_view View(spdlog::string_view_t text) {
  return absl::string_view(text.data(), text.size());
}

// Lines of the logger "members" are JSON members already, all others text.
class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message,
              spdlog::memory_buf_t& out) override {
    const std::string head = absl::StrCat(
        "{\"time\":\"",
        absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ",
                         absl::FromChrono(message.time), absl::UTCTimeZone()),
        "\",\"level\":\"", View(spdlog::level::to_string_view(message.level)),
        "\",");
    const std::string body =
        View(message.logger_name) == kMembersLogger
            ? std::string(View(message.payload))
            : absl::StrCat("\"message\":\"", EscapeJson(View(message.payload)),
                           "\"");
    for (const absl::string_view part :
         {absl::string_view(head), absl::string_view(body),
          absl::string_view("}\n")}) {
      out.append(part.data(), part.data() + part.size());
    }
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>();
  }
};

// Lines to a LogFile. A line that cannot be written is spdlog's business, which
// says so on standard error, once a second at most.
class FileSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FileSink(std::unique_ptr<LogFile> file) : file_(std::move(file)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    absl::Status status =
        file_->Write(absl::string_view(line.data(), line.size()));
    if (!status.ok()) throw spdlog::spdlog_ex(std::string(status.message()));
  }
  void flush_() override {}

  const std::unique_ptr<LogFile> file_;
};

// Lines to standard error. What nobody takes there is dropped, for a call must
// not wait for whoever reads the log; once there is room again a line tells how
// many are missing.
class StandardErrorSink : public spdlog::sinks::base_sink<std::mutex> {
 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (dropped_ > 0) {
      const std::string text =
          absl::StrCat(dropped_, " lines were dropped, since nobody took them");
      if (!Write({message.time, spdlog::source_loc{}, "text",
                  spdlog::level::warn, text})) {
        ++dropped_;
        return;
      }
      dropped_ = 0;
    }
    if (!Write(message)) ++dropped_;
  }

  bool Write(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    return pipe_.Write(absl::string_view(line.data(), line.size()));
  }

  void flush_() override {}

  LogPipe pipe_{STDERR_FILENO};
  int64_t dropped_ = 0;
};

// Before SetUpLog (in tests) members go where the default logger writes.
spdlog::logger& MembersLogger() {
  static const auto* const kLogger = [] {
    auto logger = spdlog::get(kMembersLogger);
    if (logger == nullptr) logger = spdlog::default_logger();
    return new std::shared_ptr<spdlog::logger>(std::move(logger));
  }();
  return **kLogger;
}

// protobuf names the field of each message it refuses to parse; the caller is
// told, the log need not be.
void DropProtobufLog(google::protobuf::LogLevel level, const char*, int,
                     const std::string& text) {
  if (level == google::protobuf::LOGLEVEL_FATAL) {
    spdlog::critical("protobuf: {}", text);
  } else {
    spdlog::debug("protobuf: {}", text);
  }
}

// gRPC calls an error what a client alone may have caused.
void ForwardGrpcLog(gpr_log_func_args* line) {
  const auto level = line->severity == GPR_LOG_SEVERITY_ERROR
                         ? spdlog::level::warn
                         : spdlog::level::debug;
  spdlog::log(level, "grpc: {}", line->message);
}

// Length of the UTF-8 character that `text` begins with; 0 if it is none.
size_t CharacterLength(absl::string_view text) {
  const auto byte = [&text](size_t i) {
    return static_cast<unsigned char>(text[i]);
  };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const bool overlong_or_surrogate =
      (first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) ||
      (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F);
  return overlong_or_surrogate ? 0 : length;
}

}  // namespace

absl::Status SetUpLog(const LogOptions& options) {
  spdlog::sink_ptr sink;
  if (options.file.empty()) {
    sink = std::make_shared<StandardErrorSink>();
  } else {
    auto file = LogFile::Open(options.file, options.file_bytes, options.files);
    if (!file.ok()) return file.status();
    sink = std::make_shared<FileSink>(*std::move(file));
  }
  sink->set_formatter(std::make_unique<JsonFormatter>());
  auto logger = std::make_shared<spdlog::logger>("text", sink);
  auto members = std::make_shared<spdlog::logger>(kMembersLogger, sink);
  spdlog::drop(kMembersLogger);
  spdlog::set_default_logger(logger);
  spdlog::register_logger(members);
  spdlog::set_level(options.level);
  google::protobuf::SetLogHandler(&DropProtobufLog);
  gpr_set_log_function(&ForwardGrpcLog);
  return absl::OkStatus();
}

LogLine::LogLine(spdlog::level::level_enum level, absl::string_view message)
    : level_(level) {
  if (!MembersLogger().should_log(level)) return;
  members_ = absl::StrCat("\"message\":\"", EscapeJson(message), "\"");
}

LogLine::~LogLine() {
  if (!members_.empty()) MembersLogger().log(level_, members_);
}

LogLine& LogLine::Text(absl::string_view key, absl::string_view value) {
  if (!members_.empty()) {
    absl::StrAppend(&members_, ",\"", key, "\":\"", EscapeJson(value), "\"");
  }
  return *this;
}

LogLine& LogLine::Number(absl::string_view key, double value) {
  if (!members_.empty()) {
    absl::StrAppend(&members_, ",\"", key, "\":", value);
  }
  return *this;
}

std::string EscapeJson(absl::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    if (length == 0) {
      escaped += "\\ufffd";
    } else if (text[0] == '"' || text[0] == '\\') {
      escaped += '\\';
      escaped += text[0];
    } else if (static_cast<unsigned char>(text[0]) < 0x20) {
      absl::StrAppend(
          &escaped, "\\u",
          absl::Hex(static_cast<unsigned char>(text[0]), absl::kZeroPad4));
    } else {
      escaped.append(text.data(), length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return escaped;
}

}  // namespace transparency::log
