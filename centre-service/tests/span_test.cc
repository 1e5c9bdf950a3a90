#include "centre-service/domain/span.h"

#include "centre-service/tests/centre_town.h"
#include "gmock/gmock.h"

namespace transparency::centre::domain {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Span Minutes(int from, int until) {
  return {absl::UnixEpoch() + absl::Minutes(from),
          absl::UnixEpoch() + absl::Minutes(until)};
}

TEST(Span, ThatEndsWhereAnotherBeginsDoesNotOverlapIt) {
  EXPECT_FALSE(Minutes(0, 10).Overlaps(Minutes(10, 20)));
  EXPECT_FALSE(Minutes(10, 20).Overlaps(Minutes(0, 10)));
  EXPECT_TRUE(Minutes(0, 11).Overlaps(Minutes(10, 20)));
}

TEST(Union, JoinsWhatOverlapsOrTouches) {
  EXPECT_THAT(Union({Minutes(20, 30), Minutes(0, 10), Minutes(10, 15),
                     Minutes(5, 5), Minutes(25, 28)}),
              ElementsAre(Minutes(0, 15), Minutes(20, 30)));
}

TEST(Intersection, IsWhatBothCover) {
  EXPECT_THAT(Intersection({Minutes(0, 10), Minutes(20, 30)},
                           {Minutes(5, 25), Minutes(30, 40)}),
              ElementsAre(Minutes(5, 10), Minutes(20, 25)));
  EXPECT_THAT(Intersection({Minutes(0, 10)}, {Minutes(10, 20)}), IsEmpty());
}

TEST(Difference, CutsHolesAndEdges) {
  EXPECT_THAT(Difference({Minutes(0, 60)}, {Minutes(-5, 5), Minutes(10, 20),
                                            Minutes(20, 21), Minutes(50, 70)}),
              ElementsAre(Minutes(5, 10), Minutes(21, 50)));
}

TEST(Difference, OfSeveralSpansWithOneHoleAcrossThem) {
  EXPECT_THAT(Difference({Minutes(0, 10), Minutes(20, 30), Minutes(40, 50)},
                         {Minutes(5, 45)}),
              ElementsAre(Minutes(0, 5), Minutes(45, 50)));
}

TEST(Contains, NeedsOneSpanThatHoldsAllOfIt) {
  EXPECT_TRUE(Contains({Minutes(0, 10)}, Minutes(0, 10)));
  EXPECT_FALSE(Contains({Minutes(0, 10), Minutes(11, 20)}, Minutes(5, 15)));
}

}  // namespace
}  // namespace transparency::centre::domain
