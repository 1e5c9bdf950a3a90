#include "common/resource/chunked_set.h"

#include <functional>
#include <random>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace transparency::resource {
namespace {

using IntSet = ChunkedSet<int, std::less<int>>;

std::vector<int> From(const IntSet& set, int first) {
  std::vector<int> found;
  set.ScanFrom(first, [&](int entry) {
    found.push_back(entry);
    return true;
  });
  return found;
}

std::vector<int> From(const std::set<int>& set, int first) {
  return {set.lower_bound(first), set.end()};
}

TEST(ChunkedSetTest, IsEmptyAtFirst) {
  IntSet set;
  EXPECT_EQ(set.size(), 0u);
  EXPECT_EQ(set.Find(1), nullptr);
  EXPECT_TRUE(From(set, 0).empty());
  EXPECT_FALSE(set.Erase(1, NextOwner()));
}

TEST(ChunkedSetTest, StopsScanningWhenTold) {
  IntSet set;
  const uint64_t owner = NextOwner();
  for (int i = 0; i < 2000; ++i) set.Put(i, owner);
  int visited = 0;
  set.ScanFrom(700, [&](int) { return ++visited < 600; });
  EXPECT_EQ(visited, 600);
}

TEST(ChunkedSetTest, AgreesWithAPlainSetAndLeavesCopiesAlone) {
  std::mt19937 random(20190305);
  std::uniform_int_distribution<int> any(0, 3000);
  IntSet set;
  std::set<int> plain;
  std::vector<std::pair<IntSet, std::set<int>>> copies;
  uint64_t owner = NextOwner();
  for (int step = 0; step < 30000; ++step) {
    const int value = any(random);
    if (any(random) % 3 != 0) {
      set.Put(value, owner);
      plain.insert(value);
    } else {
      EXPECT_EQ(set.Erase(value, owner), plain.erase(value) > 0);
    }
    if (step % 3000 == 0) {
      copies.emplace_back(set, plain);
      owner = NextOwner();
    }
  }
  copies.emplace_back(set, plain);
  for (const auto& [copy, expected] : copies) {
    EXPECT_EQ(copy.size(), expected.size());
    for (int first : {-1, 0, 17, 1500, 2999, 4000}) {
      EXPECT_EQ(From(copy, first), From(expected, first));
    }
    for (int value = 0; value <= 3000; ++value) {
      ASSERT_EQ(copy.Find(value) != nullptr, expected.count(value) > 0);
    }
  }
}

}  // namespace
}  // namespace transparency::resource
