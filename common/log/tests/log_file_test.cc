#include "common/log/log_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace transparency::log {
namespace {

constexpr int64_t kBytes = 4096;

class LogFileTest : public testing::Test {
 protected:
  LogFileTest() {
    directory_ = absl::StrCat(testing::TempDir(), "log.XXXXXX");
    EXPECT_NE(mkdtemp(directory_.data()), nullptr);
    path_ = absl::StrCat(directory_, "/log");
  }

  std::unique_ptr<LogFile> Open(int generations) {
    auto file = LogFile::Open(path_, kBytes, generations);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }

  // Lines of `path`; none where it is missing.
  static std::vector<std::string> Lines(const std::string& path) {
    std::vector<std::string> lines;
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  // All that is kept, the oldest first.
  std::vector<std::string> Kept(int generations) const {
    std::vector<std::string> all;
    for (int i = generations; i >= 0; --i) {
      const auto lines = Lines(i == 0 ? path_ : absl::StrCat(path_, ".", i));
      all.insert(all.end(), lines.begin(), lines.end());
    }
    return all;
  }

  static int64_t SizeOf(const std::string& path) {
    struct stat found;
    return stat(path.c_str(), &found) == 0 ? found.st_size : -1;
  }

  std::string directory_;
  std::string path_;
};

TEST_F(LogFileTest, LosesNoLineWhileItTurnsAndIsOpenedAgain) {
  constexpr int kLines = 1000;
  std::unique_ptr<LogFile> file;
  for (int i = 0; i < kLines; ++i) {
    if (i % 300 == 0) file = Open(20);
    ASSERT_TRUE(file->Write(absl::StrCat("line ", i, "\n")).ok());
  }
  const std::vector<std::string> kept = Kept(20);
  ASSERT_EQ(kept.size(), kLines);
  for (int i = 0; i < kLines; ++i) {
    ASSERT_EQ(kept[static_cast<size_t>(i)], absl::StrCat("line ", i));
  }
  EXPECT_GT(SizeOf(absl::StrCat(path_, ".2")), kBytes / 2);
}

TEST_F(LogFileTest, StaysWithinItsBound) {
  auto file = Open(2);
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(file->Write(absl::StrCat("line ", i, "\n")).ok());
  }
  for (const char* suffix : {"", ".1", ".2"}) {
    EXPECT_LE(SizeOf(path_ + suffix), kBytes);
    EXPECT_GT(SizeOf(path_ + suffix), 0);
  }
  EXPECT_EQ(SizeOf(path_ + ".3"), -1);
  EXPECT_EQ(SizeOf(path_ + ".new"), -1);
  EXPECT_EQ(Lines(path_).back(), "line 4999");
  // A line that is longer than the bound has a file of its own.
  ASSERT_TRUE(file->Write(std::string(3 * kBytes, 'x') + "\n").ok());
  ASSERT_TRUE(file->Write("after\n").ok());
  EXPECT_EQ(Lines(path_), std::vector<std::string>{"after"});
}

TEST_F(LogFileTest, GoesOnGrowingWhileNoDescriptorIsLeft) {
  auto file = Open(2);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = dup(0);
  ASSERT_GE(next, 0);
  close(next);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(file->Write(absl::StrCat("line ", i, "\n")).ok());
  }
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(Lines(path_).size(), 2000U);
  for (int i = 2000; i < 2100; ++i) {
    ASSERT_TRUE(file->Write(absl::StrCat("line ", i, "\n")).ok());
  }
  // It turned as soon as it could.
  EXPECT_LE(SizeOf(path_), kBytes);
  EXPECT_EQ(Kept(2).size(), 2100U);
}

TEST_F(LogFileTest, ALineThatDidNotFitIsToldAndTheNextIsWhole) {
  auto file = Open(2);
  ASSERT_TRUE(file->Write("first\n").ok());
  // What the operating system does on a full disk: a part, then an error.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit full = before;
  full.rlim_cur = 10;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &full), 0);
  EXPECT_FALSE(file->Write("second\n").ok());
  EXPECT_FALSE(file->Write("third\n").ok());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_TRUE(file->Write("fourth\n").ok());
  EXPECT_EQ(Lines(path_),
            (std::vector<std::string>{"first", "seco", "fourth"}));
}

TEST_F(LogFileTest, SaysWhatItCannotDo) {
  EXPECT_EQ(LogFile::Open(path_, 1, 2).status().code(),
            absl::StatusCode::kInvalidArgument);
  for (const int generations : {-1, 0, 1001}) {
    EXPECT_EQ(LogFile::Open(path_, kBytes, generations).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_FALSE(LogFile::Open(directory_, kBytes, 2).ok());
  EXPECT_FALSE(LogFile::Open(directory_ + "/no/log", kBytes, 2).ok());
  EXPECT_EQ(SizeOf(path_), -1);
}

}  // namespace
}  // namespace transparency::log
