#include "gateway/aggregate/merged_page.h"

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace transparency::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Pages = ByOwner<OwnersPage<int>>;

bool Less(int a, int b) { return a < b; }

struct Merged {
  std::vector<int> entries;
  bool more = true;
};

Merged MergeOf(const Pages& pages, size_t size) {
  Merged merged;
  merged.entries = Merge(pages, size, Less, &merged.more);
  return merged;
}

rpc::Call CallOf(const std::string& method,
                 const std::string& authorization = "") {
  rpc::Arrival arrival;
  arrival.method = method;
  if (!authorization.empty()) {
    arrival.headers.emplace_back("authorization", authorization);
  }
  return rpc::Call(std::move(arrival));
}

TEST(Merge, PutsThePagesOfAllIntoOneOrder) {
  const Merged all = MergeOf(
      {{"a", {{1, 4, 9}, false}}, {"b", {{2, 3}, false}}, {"c", {}}}, 10);
  EXPECT_THAT(all.entries, ElementsAre(1, 2, 3, 4, 9));
  EXPECT_FALSE(all.more);
  EXPECT_FALSE(MergeOf({}, 10).more);
}

TEST(Merge, EndsAtTheSizeAndKnowsWhetherMoreFollows) {
  const Pages pages = {{"a", {{1, 3}, false}}, {"b", {{2, 4}, false}}};
  EXPECT_THAT(MergeOf(pages, 3).entries, ElementsAre(1, 2, 3));
  EXPECT_TRUE(MergeOf(pages, 3).more);
  EXPECT_FALSE(MergeOf(pages, 4).more);
}

TEST(Merge, DoesNotPassOverWhatAnOwnerHasBehindItsPage) {
  const Merged cut =
      MergeOf({{"a", {{1, 2}, true}}, {"b", {{3, 4, 5}, false}}}, 10);
  EXPECT_THAT(cut.entries, ElementsAre(1, 2));
  EXPECT_TRUE(cut.more);
  const Merged none = MergeOf({{"a", {{}, true}}, {"b", {{3}, false}}}, 10);
  EXPECT_THAT(none.entries, IsEmpty());
  EXPECT_TRUE(none.more);
}

TEST(Merge, OfRandomPagesHasEverythingOnceAndInOrder) {
  std::mt19937 random(1);
  const auto pick = [&](int from, int to) {
    return std::uniform_int_distribution<int>(from, to)(random);
  };
  for (int round = 0; round < 200; ++round) {
    ByOwner<std::vector<int>> owned;
    std::vector<int> all;
    for (int i = pick(0, 40); i > 0; --i) {
      owned[std::string(1, static_cast<char>('a' + pick(0, 2)))].push_back(i);
    }
    for (auto& [owner, entries] : owned) {
      std::sort(entries.begin(), entries.end());
      all.insert(all.end(), entries.begin(), entries.end());
    }
    std::sort(all.begin(), all.end());
    std::vector<int> merged;
    bool more = true;
    while (more) {
      // Each owner goes on behind the last entry, with a page that may be
      // short.
      const int after = merged.empty() ? 0 : merged.back();
      const auto size = static_cast<size_t>(pick(1, 7));
      Pages pages;
      for (const auto& [owner, entries] : owned) {
        OwnersPage<int>& page = pages[owner];
        const size_t most =
            std::max<size_t>(1, size - static_cast<size_t>(pick(0, 1)));
        for (const int entry : entries) {
          if (entry <= after) continue;
          page.more = page.entries.size() == most;
          if (page.more) break;
          page.entries.push_back(entry);
        }
      }
      Merged page = MergeOf(pages, size);
      ASSERT_TRUE(!page.entries.empty() || !page.more);
      ASSERT_LE(page.entries.size(), size);
      merged.insert(merged.end(), page.entries.begin(), page.entries.end());
      more = page.more;
    }
    EXPECT_EQ(merged, all);
  }
}

TEST(MergedQuery, TokensHoldWhereToGoOn) {
  const MergedQuery query(CallOf("/s/M"), {"a", "b"});
  const std::string token = query.Token(
      {{"centre", "standards"}, "2019-01-01 //x/y z", "2020-01-01"});
  const auto read = query.Read(token);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->left_out, ElementsAre("centre", "standards"));
  EXPECT_EQ(read->place, "2019-01-01 //x/y z");
  EXPECT_EQ(read->until, "2020-01-01");
  const auto beginning = query.Read("");
  ASSERT_TRUE(beginning.ok());
  EXPECT_EQ(beginning->place, "");
  EXPECT_THAT(beginning->left_out, IsEmpty());
}

TEST(MergedQuery, TokensAreOfOneQueryAndCaller) {
  const std::string token =
      MergedQuery(CallOf("/s/M", "Bearer x"), {"a", "b"}).Token({{}, "p", ""});
  EXPECT_TRUE(
      MergedQuery(CallOf("/s/M", "Bearer x"), {"a", "b"}).Read(token).ok());
  for (const MergedQuery& other :
       {MergedQuery(CallOf("/s/N", "Bearer x"), {"a", "b"}),
        MergedQuery(CallOf("/s/M", "Bearer y"), {"a", "b"}),
        MergedQuery(CallOf("/s/M"), {"a", "b"}),
        MergedQuery(CallOf("/s/M", "Bearer x"), {"a", "c"}),
        MergedQuery(CallOf("/s/M", "Bearer x"), {"ab"})}) {
    EXPECT_EQ(status::Reason(other.Read(token).status()), "PAGE_TOKEN_INVALID");
  }
  EXPECT_EQ(token.find("Bearer"), std::string::npos);
}

}  // namespace
}  // namespace transparency::gateway
