#include "common/rpc/headers.h"

#include <string>

#include "common/log/log_sampler.h"
#include "common/rpc/client_address.h"
#include "gtest/gtest.h"

namespace transparency::rpc {
namespace {

TEST(Headers, AreKnownOrDropped) {
  EXPECT_EQ(UseOfHeader("authorization"), HeaderUse::kClient);
  EXPECT_EQ(UseOfHeader("x-min-revision"), HeaderUse::kClient);
  EXPECT_EQ(UseOfHeader("x-client-address"), HeaderUse::kGateway);
  EXPECT_EQ(UseOfHeader("x-gateway-token"), HeaderUse::kGateway);
  for (const char* key : {"", "Authorization", "user-agent", "grpc-timeout",
                          "te", ":path", "x-forwarded-for"}) {
    EXPECT_EQ(UseOfHeader(key), HeaderUse::kNone) << key;
  }
}

TEST(Headers, TellWhatGrpcTakes) {
  for (const char* key : {"a", "x-request-id", "a_b.c9", "blob-bin"}) {
    EXPECT_TRUE(IsHeaderKey(key)) << key;
  }
  for (const char* key :
       {"", ":path", "grpc-status", "Abc", "a b", "a\tb", "\xc3\xa9"}) {
    EXPECT_FALSE(IsHeaderKey(key)) << key;
  }
  EXPECT_TRUE(IsBinaryHeader("blob-bin"));
  EXPECT_FALSE(IsBinaryHeader("-bin"));
  EXPECT_FALSE(IsBinaryHeader("bin"));
  EXPECT_TRUE(IsHeaderValue(""));
  EXPECT_TRUE(IsHeaderValue(" ~aZ9"));
  for (const char* value : {"a\tb", "\x01", "\x7f", "\xc3\xa9", "a\nb"}) {
    EXPECT_FALSE(IsHeaderValue(value)) << value;
  }
  EXPECT_FALSE(IsHeaderValue(std::string(1, '\0')));
}

TEST(Headers, KnowMethodPaths) {
  EXPECT_TRUE(IsMethodPath("/transparency.centre.v1.CentreService/GetCentre"));
  EXPECT_TRUE(IsMethodPath("/a/b"));
  for (const char* path :
       {"", "/", "//", "/a", "/a/", "a/b", "/a/b/c", "/a b/c", "/a/b\t",
        "/a/\xc3\xa9", "/a/b?c", "/a/../b"}) {
    EXPECT_FALSE(IsMethodPath(path)) << path;
  }
  EXPECT_FALSE(IsMethodPath("/a/" + std::string(300, 'b')));
}

TEST(ClientAddress, IsReadFromAPeer) {
  const struct {
    const char* peer;
    const char* host;
  } kRows[] = {
      {"ipv4:192.0.2.7:50051", "192.0.2.7"},
      {"ipv6:%5B2001:db8::7%5D:50051", "2001:db8::7"},
      {"ipv6:[2001:0db8:0:0::7]:50051", "2001:db8::7"},
      {"ipv6:%5B::ffff:192.0.2.7%5D:1", "192.0.2.7"},
      {"ipv6:%5Bfe80::1%25eth0%5D:1", "fe80::1"},
      {"unix:/run/x", "unix"},
      {"ipv6", "ipv6"},
      {"ipv4:", ""},
      {"", ""},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(HostOfPeer(row.peer), row.host) << row.peer;
  }
}

TEST(ClientAddress, SharesIpv6ByItsNetwork) {
  EXPECT_EQ(ShareOfAddress("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(ShareOfAddress("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(ShareOfAddress("2001:db8:1:2::9"), "2001:db8:1:2::/64");
  EXPECT_EQ(ShareOfAddress("::1"), "::/64");
  EXPECT_EQ(ShareOfAddress("unix"), "unix");
  EXPECT_TRUE(IsIpAddress("192.0.2.7"));
  EXPECT_TRUE(IsIpAddress("::1"));
  for (const char* text : {"", "192.0.2", "[::1]", "host", "192.0.2.7:1"}) {
    EXPECT_FALSE(IsIpAddress(text)) << text;
  }
  EXPECT_FALSE(IsIpAddress(absl::string_view("192.0.2.7\0x", 11)));
}

TEST(LogSampler, LetsSoManyInAndCountsTheOthers) {
  log::LogSampler sampler(2);
  const absl::Time start = absl::FromUnixSeconds(1'000'000);
  int64_t left_out = -1;
  EXPECT_TRUE(sampler.Allow(start, &left_out));
  EXPECT_EQ(left_out, 0);
  EXPECT_TRUE(sampler.Allow(start, &left_out));
  EXPECT_FALSE(sampler.Allow(start, &left_out));
  EXPECT_FALSE(sampler.Allow(start + absl::Milliseconds(400), &left_out));
  EXPECT_TRUE(sampler.Allow(start + absl::Milliseconds(600), &left_out));
  EXPECT_EQ(left_out, 2);
  // A clock that is put back gives nothing and takes nothing.
  EXPECT_FALSE(sampler.Allow(start - absl::Hours(1), &left_out));
}

}  // namespace
}  // namespace transparency::rpc
