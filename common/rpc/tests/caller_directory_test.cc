#include "common/rpc/caller_directory.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace transparency::rpc {
namespace {

// Digests of "alpha" and "beta".
constexpr char kAlpha[] =
    "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8";
constexpr char kBeta[] =
    "f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753";

class CallerDirectoryTest : public testing::Test {
 protected:
  CallerDirectoryTest() {
    std::string pattern = "/tmp/tokens.XXXXXX";
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ / "tokens";
  }
  ~CallerDirectoryTest() override { std::filesystem::remove_all(folder_); }

  // As deploy does: a new file in the old one's place.
  void Write(const std::string& text) {
    const auto next = folder_ / "next";
    std::ofstream(next) << text;
    std::filesystem::rename(next, path_);
  }
  absl::StatusOr<std::unique_ptr<CallerDirectory>> Open() {
    return CallerDirectory::Open(path_, [this] { return now_; });
  }

  std::filesystem::path folder_;
  std::filesystem::path path_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
};

TEST_F(CallerDirectoryTest, FindsCallersByTheirToken) {
  Write(std::string("# who may call\n\n") + kAlpha + " ann staff,auditor\n  " +
        kBeta + "\tbob -  # a member\n");
  auto directory = Open();
  ASSERT_TRUE(directory.ok()) << directory.status();
  const auto ann = (*directory)->Find("alpha");
  ASSERT_NE(ann, nullptr);
  EXPECT_EQ(ann->subject, "ann");
  EXPECT_TRUE(ann->HasRole("staff"));
  EXPECT_TRUE(ann->HasRole("auditor"));
  const auto bob = (*directory)->Find("beta");
  ASSERT_NE(bob, nullptr);
  EXPECT_TRUE(bob->roles.empty());
  EXPECT_EQ((*directory)->Find("gamma"), nullptr);
  EXPECT_EQ((*directory)->Find(""), nullptr);
  EXPECT_EQ((*directory)->Find(kAlpha), nullptr);
}

TEST_F(CallerDirectoryTest, LooksForChangesOnceASecond) {
  Write(std::string(kAlpha) + " ann staff\n");
  auto directory = Open();
  ASSERT_TRUE(directory.ok());
  Write(std::string(kBeta) + " bob -\n");
  EXPECT_NE((*directory)->Find("alpha"), nullptr);
  now_ += absl::Milliseconds(1001);
  EXPECT_EQ((*directory)->Find("alpha"), nullptr);
  EXPECT_NE((*directory)->Find("beta"), nullptr);
}

TEST_F(CallerDirectoryTest, AWrongOrMissingFileLeavesTheLastGoodOne) {
  Write(std::string(kAlpha) + " ann staff\n");
  auto directory = Open();
  ASSERT_TRUE(directory.ok());
  Write("nonsense\n");
  now_ += absl::Seconds(2);
  EXPECT_NE((*directory)->Find("alpha"), nullptr);
  std::filesystem::remove(path_);
  now_ += absl::Seconds(2);
  EXPECT_NE((*directory)->Find("alpha"), nullptr);
  Write(std::string(kBeta) + " bob -\n");
  now_ += absl::Seconds(2);
  EXPECT_EQ((*directory)->Find("alpha"), nullptr);
  EXPECT_NE((*directory)->Find("beta"), nullptr);
}

TEST_F(CallerDirectoryTest, AWrongFileAtTheStartIsAnErrorWithItsLine) {
  EXPECT_FALSE(Open().ok());
  for (const std::string& line :
       {std::string("short ann -"), std::string(kAlpha) + " ann",
        std::string(kAlpha) + " ann - more"}) {
    Write("# first\n" + line + "\n");
    const auto directory = Open();
    ASSERT_FALSE(directory.ok()) << line;
    EXPECT_NE(std::string(directory.status().message()).find(":2:"),
              std::string::npos)
        << directory.status();
  }
}

}  // namespace
}  // namespace transparency::rpc
