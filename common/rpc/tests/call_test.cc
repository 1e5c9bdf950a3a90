#include "common/rpc/call.h"

#include "absl/time/clock.h"
#include "common/log/log.h"
#include "common/rpc/stream.h"
#include "gtest/gtest.h"

namespace transparency::rpc {
namespace {

std::string TraceOf(const std::string& header) {
  Arrival arrival;
  if (!header.empty()) arrival.headers = {{"traceparent", header}};
  return Call(std::move(arrival)).traceparent();
}

TEST(Traceparent, ContinuesAValidTraceUnderASpanOfItsOwn) {
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  const std::string parent = "00-" + trace + "-b7ad6b7169203331-01";
  const std::string ours = TraceOf(parent);
  EXPECT_EQ(ours.substr(3, 32), trace);
  EXPECT_NE(ours.substr(36, 16), "b7ad6b7169203331");
  EXPECT_EQ(ours.substr(53), "01");
  // A later version may carry more.
  EXPECT_EQ(TraceOf("cc" + parent.substr(2) + "-what").substr(3, 32), trace);
}

TEST(Traceparent, BeginsATraceWhereNoneIsValid) {
  const std::string zero32(32, '0');
  const char* const kInvalid[] = {
      "",
      "x",
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
      "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
      "00-00000000000000000000000000000000-b7ad6b7169203331-01",
      "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"};
  for (const char* header : kInvalid) {
    const std::string ours = TraceOf(header);
    EXPECT_EQ(ours.size(), 55u) << header;
    EXPECT_NE(ours.substr(3, 32), "0af7651916cd43dd8448eb211c80319c") << header;
    EXPECT_NE(ours.substr(3, 32), zero32);
  }
}

TEST(Call, TellsOfAbandonmentOnceAndAtOnceWhenLate) {
  Call call({});
  int told = 0;
  call.OnAbandoned([&] { ++told; });
  call.Abandon();
  call.Abandon();
  EXPECT_EQ(told, 1);
  call.OnAbandoned([&] { ++told; });
  EXPECT_EQ(told, 2);
}

TEST(Call, AnAnsweredCallIsNotAbandonedAnyMore) {
  Call call({});
  int told = 0;
  auto held = std::make_shared<int>(1);
  call.OnAbandoned([&told, held] { ++told; });
  call.Answered();
  EXPECT_EQ(held.use_count(), 1) << "the reaction is kept";
  call.Abandon();
  EXPECT_EQ(told, 0);
}

TEST(Call, IsAbandonedPastItsDeadline) {
  Arrival late;
  late.deadline = absl::Now() - absl::Seconds(1);
  EXPECT_TRUE(Call(std::move(late)).abandoned());
  Arrival timely;
  timely.deadline = absl::Now() + absl::Hours(1);
  EXPECT_FALSE(Call(std::move(timely)).abandoned());
}

TEST(Bytes, KeepTheirContentWhateverTheirSize) {
  for (const size_t size : {0u, 1u, 2047u, 2048u, 100'000u}) {
    const std::string bytes(size, 'x');
    EXPECT_EQ(ToString(ToByteBuffer(bytes)), bytes) << size;
  }
}

TEST(Log, EscapesWhatJsonDoesNotAllow) {
  EXPECT_EQ(log::EscapeJson("a\"b\\c\n\x01"), "a\\\"b\\\\c\\u000a\\u0001");
  EXPECT_EQ(log::EscapeJson("é€😀"), "é€😀");
  EXPECT_EQ(log::EscapeJson("\xc3("), "\\ufffd(");
  EXPECT_EQ(log::EscapeJson("\xed\xa0\x80"), "\\ufffd\\ufffd\\ufffd");
  EXPECT_EQ(log::EscapeJson("\xf0\x9f"), "\\ufffd\\ufffd");
}

}  // namespace
}  // namespace transparency::rpc
