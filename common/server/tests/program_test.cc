#include "common/server/program.h"

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace transparency::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() {
    program_ = {.name = "trial-service",
                .summary = "Serves trials.",
                .listen = "127.0.0.1:21100",
                .metrics_listen = "127.0.0.1:21101"};
    program_.subcommands = {{"serve", "serves",
                             [this](const auto&) {
                               ran_ = "serve";
                               options_ = OptionsFromFlags();
                               return absl::OkStatus();
                             }},
                            {"check", "checks",
                             [this](const std::vector<std::string>& arguments) {
                               ran_ = "check";
                               arguments_ = arguments;
                               return absl::DataLossError("a gap");
                             },
                             /*takes_arguments=*/true}};
  }

  int Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "trial-service");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = Main(static_cast<int>(argv.size()), argv.data(), program_);
    out_ = testing::internal::GetCapturedStdout();
    error_ = testing::internal::GetCapturedStderr();
    return code;
  }

  absl::FlagSaver saver_;
  Program program_;
  std::string ran_;
  std::vector<std::string> arguments_;
  ProcessOptions options_;
  std::string out_;
  std::string error_;
};

TEST_F(ProgramTest, ServesByDefaultWithItsOwnPorts) {
  EXPECT_EQ(Run({"--drain_timeout=3s", "--read_queue=7"}), 0);
  EXPECT_EQ(ran_, "serve");
  EXPECT_EQ(options_.listen, "127.0.0.1:21100");
  EXPECT_EQ(options_.metrics_listen, "127.0.0.1:21101");
  EXPECT_EQ(options_.drain_timeout, absl::Seconds(3));
  EXPECT_EQ(options_.service.pool_queue, 7u);
}

TEST_F(ProgramTest, RunsTheSubcommandNamedAndTellsItsError) {
  EXPECT_EQ(Run({"check", "one", "--log_level=off", "two"}), 1);
  EXPECT_EQ(ran_, "check");
  EXPECT_THAT(arguments_, ElementsAre("one", "two"));
  EXPECT_EQ(error_, "trial-service check: a gap\n");
}

TEST_F(ProgramTest, HelpListsSubcommandsAndFlagsAndSucceeds) {
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_EQ(ran_, "");
  for (const char* part :
       {"Serves trials.", "check", "--listen=127.0.0.1:21100",
        "--drain_timeout=20s", "--tokens_file=", "--flagfile"}) {
    EXPECT_THAT(out_, HasSubstr(part));
  }
}

TEST_F(ProgramTest, WrongSubcommandsAndLevelsAreUsageErrors) {
  EXPECT_EQ(Run({"nope"}), 2);
  EXPECT_THAT(error_, HasSubstr("no subcommand nope"));
  EXPECT_EQ(Run({"serve", "more"}), 2);
  EXPECT_THAT(error_, HasSubstr("serve takes no argument more"));
  EXPECT_EQ(Run({"--log_level=loud"}), 2);
  EXPECT_THAT(error_, HasSubstr("loud"));
}

}  // namespace
}  // namespace transparency::server
