#include "common/server/program.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "common/log/log.h"
#include "common/server/descriptors.h"

ABSL_FLAG(std::string, listen, "", "host:port on which gRPC is served");
ABSL_FLAG(std::string, metrics_listen, "",
          "host:port on which /metrics, /healthz and /readyz are served over "
          "HTTP");
ABSL_FLAG(std::string, tokens_file, "",
          "file of bearer tokens, one per line: SHA-256 in hex, subject, roles "
          "(role,role or -); read again when it changes; empty: every caller "
          "is the public");
ABSL_FLAG(bool, insecure, false,
          "listen where other machines can reach a port although nothing is "
          "encrypted");
ABSL_FLAG(uint32_t, max_connections, 4096,
          "connections of gRPC clients at one time, a quarter of them of one "
          "address; fewer where the limit of descriptors is low");
ABSL_FLAG(uint32_t, max_calls, 4096,
          "unary calls under way at one time, a quarter of them of one caller");
ABSL_FLAG(uint32_t, max_streams, 10'000,
          "streams open at one time, a quarter of them of one caller");
ABSL_FLAG(absl::Duration, drain_timeout, absl::Seconds(20),
          "how long running calls may take to finish after SIGTERM");
ABSL_FLAG(std::string, log_level, "info",
          "least level logged: trace, debug, info, warning, error, critical");
ABSL_FLAG(std::string, log_file, "",
          "file that the log is appended to; empty: standard error");
ABSL_FLAG(int64_t, log_file_bytes, 20 << 20,
          "most bytes of --log_file; then it becomes FILE.1, FILE.1 becomes "
          "FILE.2 and so on");
ABSL_FLAG(int32_t, log_files, 5,
          "how many of these older files are kept beside --log_file");
ABSL_FLAG(absl::Duration, max_call_time, absl::Seconds(30),
          "cap of a unary call's deadline");
ABSL_FLAG(absl::Duration, max_stream_time, absl::Hours(1),
          "cap of a stream's deadline; clients resume");
ABSL_FLAG(uint32_t, max_request_bytes, 1 << 20,
          "most bytes of one request message");
ABSL_FLAG(uint32_t, read_threads, 2, "threads for reads that look at much");
ABSL_FLAG(uint32_t, read_queue, 512,
          "reads that may wait for these threads; more are refused");

namespace transparency::server {
namespace {

constexpr int kUsageError = 2;

// absl's own --help ends with status 1 and shows main.cc's flags only.
bool WantsHelp(int argc, char** argv) {
  return std::any_of(argv + 1, argv + argc, [](absl::string_view argument) {
    return argument == "--help" || argument == "-help" || argument == "-h";
  });
}

std::string Help(const Program& program) {
  std::string text = absl::StrCat(
      program.summary, "\n\nUsage: ", program.name,
      " [subcommand] [--flag=value ...]\n\nSubcommands (without one: ",
      program.subcommands.front().name, "):\n");
  for (const Subcommand& subcommand : program.subcommands) {
    absl::StrAppend(&text, absl::StrFormat("  %-14s %s\n", subcommand.name,
                                           subcommand.summary));
  }
  absl::StrAppend(&text, "\nFlags:\n");
  std::map<std::string, const absl::CommandLineFlag*> flags;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    // Libraries bring flags too; those of the suite lie in its folders.
    const std::string file = flag->Filename();
    const bool ours = absl::StrContains(file, "common/") ||
                      absl::StrContains(file, "-service/") ||
                      absl::StrContains(file, "gateway/");
    if (ours && !absl::StrContains(file, "absl")) {
      flags[std::string(name)] = flag;
    }
  }
  for (const auto& [name, flag] : flags) {
    absl::StrAppend(
        &text, "  --", name, "=",
        flag->CurrentValue().empty() ? "\"\"" : flag->CurrentValue(),
        "\n      ", flag->Help(), "\n");
  }
  absl::StrAppend(&text,
                  "  --flagfile=PATH\n      more flags, one per line\n"
                  "  --help\n      prints this\n");
  return text;
}

const Subcommand* Find(const Program& program, absl::string_view name) {
  for (const Subcommand& subcommand : program.subcommands) {
    if (subcommand.name == name) return &subcommand;
  }
  return nullptr;
}

bool IsLogLevel(const std::string& name) {
  return name == "off" || spdlog::level::from_str(name) != spdlog::level::off;
}

}  // namespace

ProcessOptions OptionsFromFlags() {
  ProcessOptions options;
  options.listen = absl::GetFlag(FLAGS_listen);
  options.metrics_listen = absl::GetFlag(FLAGS_metrics_listen);
  options.tokens_file = absl::GetFlag(FLAGS_tokens_file);
  options.insecure = absl::GetFlag(FLAGS_insecure);
  options.max_connections =
      std::min(static_cast<int>(absl::GetFlag(FLAGS_max_connections)),
               MostConnections(RaiseDescriptorLimit()));
  options.service.max_calls = absl::GetFlag(FLAGS_max_calls);
  options.service.max_streams = absl::GetFlag(FLAGS_max_streams);
  options.drain_timeout = absl::GetFlag(FLAGS_drain_timeout);
  options.service.max_call_time = absl::GetFlag(FLAGS_max_call_time);
  options.service.max_stream_time = absl::GetFlag(FLAGS_max_stream_time);
  options.service.max_request_bytes = absl::GetFlag(FLAGS_max_request_bytes);
  options.service.pool_threads =
      std::max(1, static_cast<int>(absl::GetFlag(FLAGS_read_threads)));
  options.service.pool_queue = absl::GetFlag(FLAGS_read_queue);
  return options;
}

int Main(int argc, char** argv, const Program& program) {
  BlockSignals();
  // Debian builds Abseil with its debug checks: each lock, gRPC's too, would be
  // looked up in one global graph, at some 30 % of a small call's CPU time.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  absl::SetFlag(&FLAGS_listen, program.listen);
  absl::SetFlag(&FLAGS_metrics_listen, program.metrics_listen);
  if (WantsHelp(argc, argv)) {
    std::fputs(Help(program).c_str(), stdout);
    return 0;
  }
  const std::vector<char*> positional = absl::ParseCommandLine(argc, argv);
  const Subcommand* subcommand = positional.size() < 2
                                     ? &program.subcommands.front()
                                     : Find(program, positional[1]);
  if (subcommand == nullptr) {
    std::fprintf(stderr, "%s: there is no subcommand %s; see %s --help\n",
                 program.name.c_str(), positional[1], program.name.c_str());
    return kUsageError;
  }
  if (positional.size() > 2 && !subcommand->takes_arguments) {
    std::fprintf(stderr, "%s: %s takes no argument %s; see %s --help\n",
                 program.name.c_str(), positional[1], positional[2],
                 program.name.c_str());
    return kUsageError;
  }
  const std::string level = absl::GetFlag(FLAGS_log_level);
  if (!IsLogLevel(level)) {
    std::fprintf(stderr, "%s: --log_level=%s is no level; see %s --help\n",
                 program.name.c_str(), level.c_str(), program.name.c_str());
    return kUsageError;
  }
  log::LogOptions log;
  log.level = spdlog::level::from_str(level);
  log.file = absl::GetFlag(FLAGS_log_file);
  log.file_bytes = absl::GetFlag(FLAGS_log_file_bytes);
  log.files = absl::GetFlag(FLAGS_log_files);
  absl::Status logged = log::SetUpLog(log);
  if (!logged.ok()) {
    std::fprintf(stderr, "%s: --log_file: %s; see %s --help\n",
                 program.name.c_str(), std::string(logged.message()).c_str(),
                 program.name.c_str());
    return kUsageError;
  }
  std::vector<std::string> arguments;
  for (size_t i = 2; i < positional.size(); ++i) {
    arguments.emplace_back(positional[i]);
  }
  const absl::Status status = subcommand->run(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s %s: %s\n", program.name.c_str(),
               subcommand->name.c_str(), std::string(status.message()).c_str());
  return 1;
}

}  // namespace transparency::server
