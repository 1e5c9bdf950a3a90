#include "common/base/text.h"

#include <random>
#include <string>

#include "common/base/cpu_time.h"
#include "gtest/gtest.h"

namespace transparency::text {
namespace {

TEST(Text, IsFoundWhereItFirstStands) {
  std::mt19937 random(5);
  const auto make = [&](size_t most) {
    std::string text(random() % (most + 1), ' ');
    for (char& c : text) c = random() % 6 == 0 ? 'b' : 'a';
    return text;
  };
  for (int i = 0; i < 20000; ++i) {
    const std::string text = make(600);
    const std::string part = i % 2 == 0 || text.empty()
                                 ? make(i % 5 == 0 ? 300 : 8)
                                 : text.substr(random() % text.size());
    ASSERT_EQ(FindText(text, part), text.find(part)) << text << " " << part;
  }
  EXPECT_EQ(FindText("", ""), 0u);
  EXPECT_EQ(FindText("", "a"), std::string::npos);
}

TEST(Text, IsLookedForInTimeThatThePartDoesNotSet) {
  const std::string text(500'000, 'a');
  const auto cost = [&text](size_t size) {
    const std::string part = std::string(size, 'a') + "b";
    const absl::Duration begun = ThreadCpuTime();
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(FindText(text, part), std::string::npos);
    }
    return ThreadCpuTime() - begun;
  };
  EXPECT_LT(cost(1999), 4 * cost(20));
}

TEST(Text, IsFoldedBehindWhatThereIs) {
  std::string folded = "X";
  AppendFolded("[AZ`az{ ÜẞÅ", &folded);
  EXPECT_EQ(folded, "X[az`az{ üsså");
  FoldCase("Q", &folded);
  EXPECT_EQ(folded, "q");
}

}  // namespace
}  // namespace transparency::text
