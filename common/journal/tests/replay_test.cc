#include "common/journal/replay.h"

#include "absl/time/clock.h"
#include "common/journal/clock.h"
#include "common/journal/tests/workshop.h"
#include "common/journal/workbench.h"

namespace transparency::journal {
namespace {

// Entries that continue one another, of these names, each created.
std::vector<Replayed> Chain(const std::vector<std::string>& names) {
  std::vector<Replayed> entries;
  std::string digest;
  for (const std::string& name : names) {
    Replayed replayed;
    Entry& entry = replayed.entry;
    entry.revision = static_cast<int64_t>(entries.size());
    entry.record_time = kStart;
    entry.name = name;
    entry.kind = v1::Change::CREATED;
    test::Widget widget;
    widget.set_name(name);
    entry.body = widget.SerializeAsString();
    entry.digest = ChainDigest(digest, entry);
    digest = entry.digest;
    entries.push_back(replayed);
  }
  return entries;
}

class ReplayTest : public testing::Test {
 protected:
  absl::Status Run(const std::vector<Replayed>& entries) {
    return Replay(entries, kStart, &builder_, &marks_);
  }

  resource::SnapshotBuilder builder_{resource::Snapshot(&WorkshopCatalogue())};
  std::vector<Store::Mark> marks_;
};

TEST_F(ReplayTest, AKindOfANewerBinaryLeavesItsMarkAlone) {
  const auto entries = Chain({"widgets/a", "gadgets/b", "widgets/c"});
  ASSERT_TRUE(Run(entries).ok());
  EXPECT_EQ(builder_.view().revision(), 2);
  EXPECT_EQ(builder_.view().digest(), entries[2].entry.digest);
  EXPECT_EQ(marks_.size(), 3u);
  EXPECT_NE(builder_.view().Find("widgets/c"), nullptr);
}

TEST_F(ReplayTest, AnotherHistoryIsDataLoss) {
  auto entries = Chain({"widgets/a", "widgets/b"});
  entries[1].entry.actor = "mallory";
  EXPECT_TRUE(absl::IsDataLoss(Run(entries)));
}

TEST_F(ReplayTest, AGapIsDataLoss) {
  auto entries = Chain({"widgets/a", "widgets/b", "widgets/c"});
  entries.erase(entries.begin() + 1);
  EXPECT_TRUE(absl::IsDataLoss(Run(entries)));
}

TEST_F(ReplayTest, AnUnreadableBodyIsDataLoss) {
  auto entries = Chain({"widgets/a"});
  entries[0].entry.body = "\xff";
  entries[0].entry.digest = ChainDigest("", entries[0].entry);
  EXPECT_TRUE(absl::IsDataLoss(Run(entries)));
}

TEST(DatabaseClock, IsCorrectedByMeasurements) {
  DatabaseClock clock;
  EXPECT_EQ(clock.offset(), absl::ZeroDuration());
  const absl::Time sent = absl::Now();
  const absl::Time received = sent + absl::Milliseconds(10);
  clock.Measured(sent + absl::Milliseconds(5) + absl::Hours(1), sent, received);
  EXPECT_EQ(clock.offset(), absl::Hours(1));
  EXPECT_GE(clock.Now(), sent + absl::Hours(1));
  // A slow round trip tells nothing.
  clock.Measured(sent, sent, sent + absl::Seconds(5));
  EXPECT_EQ(clock.offset(), absl::Hours(1));
  EXPECT_EQ(clock.Reading(sent), sent);
}

}  // namespace
}  // namespace transparency::journal
