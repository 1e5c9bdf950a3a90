#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/server/process.h"

namespace transparency::server {

// One thing an executable can do: `certification-service migrate`.
struct Subcommand {
  std::string name;
  std::string summary;
  // `arguments`: what stood on the command line after the name, less flags.
  std::function<absl::Status(const std::vector<std::string>& arguments)> run;
  bool takes_arguments = false;  // without: more words are refused
};

// An executable of the suite.
struct Program {
  std::string name;     // "certification-service"
  std::string summary;  // one or two sentences for --help
  // Defaults of --listen and --metrics_listen.
  std::string listen;
  std::string metrics_listen;
  // The first one runs when none is named.
  std::vector<Subcommand> subcommands;
};

// Blocks the signals that the process waits for, reads the flags, sets the log
// up and runs the subcommand; the value is main's. --help prints the
// subcommands and the suite's flags; --flagfile=PATH reads flags from a file.
int Main(int argc, char** argv, const Program& program);

// Process options from --listen, --metrics_listen, --tokens_file,
// --drain_timeout, --max_call_time, --max_stream_time, --max_request_bytes,
// --read_threads and --read_queue.
ProcessOptions OptionsFromFlags();

}  // namespace transparency::server
