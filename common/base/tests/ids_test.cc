#include "common/base/ids.h"

#include <cstring>
#include <set>

#include "absl/strings/ascii.h"
#include "gtest/gtest.h"

namespace transparency::ids {
namespace {

TEST(Ids, RandomIdsAreLettersAndDigitsAndDiffer) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = RandomId();
    EXPECT_EQ(id.size(), 26u);
    EXPECT_TRUE(absl::ascii_islower(static_cast<unsigned char>(id[0]))) << id;
    for (const char c : id) {
      EXPECT_TRUE(absl::ascii_islower(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)))
          << id;
    }
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 1000u);
}

TEST(Ids, RandomIdsComeFromTheSourceGivenWithoutBias) {
  // 255 is beyond the last full round of 26 and of 36: never used.
  unsigned char next = 255;
  const std::string id = RandomId([&](unsigned char* bytes, size_t size) {
    std::memset(bytes, next, size);
    next = 0;
  });
  EXPECT_EQ(id, std::string(26, 'a'));
}

TEST(Ids, KnowsUuidsOfVersionFour) {
  EXPECT_TRUE(IsUuid4("2d6bdc53-9901-42ec-A9c8-8b9338803bfb"));
  EXPECT_FALSE(IsUuid4("2d6bdc53-9901-12ec-89c8-8b9338803bfb"));
  EXPECT_FALSE(IsUuid4("2d6bdc53-9901-42ec-79c8-8b9338803bfb"));
  EXPECT_FALSE(IsUuid4("2d6bdc53-9901-42ec-89c8-8b9338803bf"));
  EXPECT_FALSE(IsUuid4("2d6bdc53990142ec89c88b9338803bfb"));
  EXPECT_FALSE(IsUuid4("2d6bdc53-9901-42ec-89c8-8b9338803bfg"));
}

TEST(Ids, MakesUuidsOfBytes) {
  EXPECT_EQ(Uuid4Of(std::string(16, '\0')),
            "00000000-0000-4000-8000-000000000000");
  EXPECT_EQ(Uuid4Of(std::string(16, '\xFF')),
            "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

}  // namespace
}  // namespace transparency::ids
