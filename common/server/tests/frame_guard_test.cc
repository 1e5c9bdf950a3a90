#include "common/server/frame_guard.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace transparency::server {
namespace {

constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr uint8_t kData = 0, kHeaders = 1, kPing = 6, kContinuation = 9;
const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

std::string Frame(uint8_t type, uint8_t flags, const std::string& payload) {
  std::string frame;
  for (const size_t byte : {payload.size() >> 16, payload.size() >> 8 & 0xFF,
                            payload.size() & 0xFF, size_t{type}, size_t{flags},
                            size_t{0}, size_t{0}, size_t{0}, size_t{1}}) {
    frame.push_back(static_cast<char>(byte));
  }
  return frame + payload;
}

int FieldsOf(const std::string& block) {
  FieldCounter counter;
  // Byte by byte, and at once: what is told does not depend on the pieces.
  for (const char& byte : block) counter.Take(absl::string_view(&byte, 1));
  FieldCounter at_once;
  at_once.Take(block);
  EXPECT_EQ(counter.fields(), at_once.fields());
  return counter.fields();
}

// RFC 7541, appendix C, has these blocks.
TEST(FieldCounter, CountsFieldsOfEveryRepresentation) {
  EXPECT_EQ(FieldsOf(""), 0);
  EXPECT_EQ(FieldsOf("\x40\x0a"
                     "custom-key\x0d"
                     "custom-header"),
            1);
  EXPECT_EQ(FieldsOf("\x04\x0c/sample/path"), 1);
  EXPECT_EQ(FieldsOf("\x10\x08password\x06secret"), 1);
  EXPECT_EQ(FieldsOf("\x82"), 1);
  EXPECT_EQ(FieldsOf("\x82\x86\x84\x41\x0fwww.example.com"), 4);
  EXPECT_EQ(FieldsOf(std::string("\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2"
                                 "\x3a\x6b\xa0\xab\x90\xf4\xff")),
            4);
  // A change of the table's size is no field.
  EXPECT_EQ(FieldsOf("\x3f\xe1\x1f\x82"), 1);
  // An empty name and value, and an index that goes on.
  EXPECT_EQ(FieldsOf(std::string("\x00\x00\x00\x82", 4)), 2);
  EXPECT_EQ(FieldsOf("\xff\x80\x01\x82"), 2);
  // 127 and 300 bytes of text, whose length goes on.
  EXPECT_EQ(FieldsOf(std::string("\x04\x7f\x00", 3) + std::string(127, '\x82') +
                     "\x82"),
            2);
  EXPECT_EQ(FieldsOf("\x04\x7f\xad\x01" + std::string(300, '\x82') + "\x82"),
            2);
}

class FrameGuardTest : public testing::Test {
 protected:
  FrameGuardTest() : guard_(Few()) { EXPECT_TRUE(Take(kPreface)); }
  static FrameGuard::Limits Few() {
    FrameGuard::Limits limits;
    limits.fields = 10;
    limits.block_bytes = 1000;
    limits.asks_at_once = 5;
    limits.asks_per_second = 1;
    return limits;
  }
  bool Take(const std::string& bytes) { return guard_.Take(bytes, now_); }

  absl::Time now_ = kStart;
  FrameGuard guard_;
};

TEST_F(FrameGuardTest, BoundsTheFieldsOfABlockOverItsFrames) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(Take(Frame(kHeaders, 4, std::string(10, '\x82'))));
    EXPECT_TRUE(Take(Frame(kData, 0, std::string(500, '\x82'))));
  }
  EXPECT_TRUE(Take(Frame(kHeaders, 0, std::string(5, '\x82'))));
  EXPECT_TRUE(Take(Frame(kContinuation, 0, std::string(5, '\x82'))));
  EXPECT_FALSE(Take(Frame(kContinuation, 4, "\x82")));
  EXPECT_STREQ(guard_.broken()->limit, "header fields");
  EXPECT_FALSE(guard_.broken()->attack);
  EXPECT_FALSE(Take(Frame(kData, 0, "")));
}

TEST_F(FrameGuardTest, BoundsTheBytesOfABlockBeforeTheyCome) {
  const std::string text = "\x04\x7f\xd9\x06" + std::string(984, 'x');
  EXPECT_TRUE(Take(Frame(kHeaders, 4, text)));
  EXPECT_TRUE(Take(Frame(kHeaders, 0, text)));
  EXPECT_FALSE(Take(Frame(kContinuation, 0, text).substr(0, 9)));
  EXPECT_STREQ(guard_.broken()->limit, "header bytes");
  EXPECT_FALSE(guard_.broken()->attack);
}

TEST_F(FrameGuardTest, PaddingAndPriorityAreNoFields) {
  const std::string priority = std::string("\x80\x00\x00\x00\x10", 5);
  const std::string fields(10, '\x82');
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(Take(Frame(kHeaders, 4 | 0x20, priority + fields)));
    EXPECT_TRUE(Take(
        Frame(kHeaders, 4 | 0x8, "\x14" + fields + std::string(20, '\x82'))));
    EXPECT_TRUE(
        Take(Frame(kHeaders, 4 | 0x28,
                   "\x02" + priority + fields + std::string(2, '\x82'))));
  }
}

TEST_F(FrameGuardTest, PiecesMakeNoDifference) {
  std::string bytes;
  for (int i = 0; i < 3; ++i) {
    absl::StrAppend(&bytes, Frame(kHeaders, 4, std::string(10, '\x82')),
                    Frame(kData, 0, "data"), Frame(kData, 1, ""));
  }
  for (const char& byte : bytes) EXPECT_TRUE(Take(std::string(1, byte)));
  EXPECT_FALSE(Take(Frame(kHeaders, 4, std::string(11, '\x82'))));
}

TEST_F(FrameGuardTest, BoundsWhatAsksForAnswers) {
  const std::string ping = Frame(kPing, 0, std::string(8, '\0'));
  const std::string ack = Frame(kPing, 1, std::string(8, '\0'));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Take(ping + ack));
  now_ += absl::Seconds(2);
  EXPECT_TRUE(Take(ping + ping));
  EXPECT_FALSE(Take(ping));
  EXPECT_STREQ(guard_.broken()->limit, "pings");
  EXPECT_TRUE(guard_.broken()->attack);
}

}  // namespace
}  // namespace transparency::server
