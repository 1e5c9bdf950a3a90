#include "common/log/log_pipe.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace transparency::log {
namespace {

class LogPipeTest : public testing::Test {
 protected:
  LogPipeTest() {
    EXPECT_EQ(pipe(ends_), 0);
    EXPECT_EQ(fcntl(ends_[0], F_SETFL, O_NONBLOCK), 0);
  }
  ~LogPipeTest() override {
    close(ends_[0]);
    if (ends_[1] >= 0) close(ends_[1]);
  }

  // What is in the pipe now.
  std::string Taken() {
    std::string all;
    char bytes[4096];
    ssize_t size = 0;
    while ((size = read(ends_[0], bytes, sizeof(bytes))) > 0) {
      all.append(bytes, static_cast<size_t>(size));
    }
    return all;
  }

  int ends_[2] = {-1, -1};
};

TEST_F(LogPipeTest, NobodyWaitsForAReaderAndLinesStayWhole) {
  LogPipe log(ends_[1]);
  const std::string line(300, 'x');
  int kept = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (log.Write(absl::StrCat(i, line, "\n"))) ++kept;
  }
  EXPECT_GT(kept, 100);
  EXPECT_LT(kept, 10'000);
  // A reader that comes late finds whole lines, and the next ones again.
  std::string taken = Taken();
  EXPECT_TRUE(log.Write("last\n"));
  absl::StrAppend(&taken, Taken());
  const std::vector<std::string> lines = absl::StrSplit(taken, '\n');
  ASSERT_EQ(lines.size(), static_cast<size_t>(kept) + 2);
  for (int i = 0; i < kept; ++i) {
    EXPECT_EQ(lines[static_cast<size_t>(i)], absl::StrCat(i, line));
  }
  EXPECT_EQ(lines[lines.size() - 2], "last");
}

TEST_F(LogPipeTest, ALineLongerThanThePipeComesWhole) {
  LogPipe log(ends_[1]);
  const std::string line = std::string(200'000, 'y') + "\n";
  EXPECT_TRUE(log.Write(line));
  EXPECT_FALSE(log.Write("refused\n"));
  std::string taken = Taken();
  while (!log.Write("next\n")) absl::StrAppend(&taken, Taken());
  absl::StrAppend(&taken, Taken());
  EXPECT_EQ(taken, line + "next\n");
}

TEST_F(LogPipeTest, WithoutAReaderLinesAreRefusedAndNoSignalComes) {
  signal(SIGPIPE, SIG_IGN);
  LogPipe log(ends_[1]);
  close(ends_[0]);
  ends_[0] = open("/dev/null", O_RDONLY);
  log.Write("one\n");
  log.Write("two\n");
}

}  // namespace
}  // namespace transparency::log
