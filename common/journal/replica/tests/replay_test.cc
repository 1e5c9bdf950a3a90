#include "common/journal/replay.h"

#include "absl/time/clock.h"
#include "common/journal/clock.h"
#include "common/journal/replica/tests/workshop.h"
#include "common/journal/replica/workbench.h"

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
    entry.salt = std::string(32, 's');
    entry.body_commitment = BodyCommitment(entry.salt, entry.body);
    entry.digest = ChainDigest(digest, "journal.test", entry);
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

TEST_F(ReplayTest, ABodyThatTheEntryDoesNotCommitToIsDataLoss) {
  auto entries = Chain({"widgets/a"});
  entries[0].entry.body += entries[0].entry.body;
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
  entries[0].entry.body_commitment =
      BodyCommitment(entries[0].entry.salt, "\xff");
  entries[0].entry.digest = ChainDigest("", "journal.test", entries[0].entry);
  EXPECT_TRUE(absl::IsDataLoss(Run(entries)));
}

TEST(DatabaseClock, IsThisMachinesUntilItIsMeasured) {
  DatabaseClock clock;
  const absl::Time before = absl::Now();
  const absl::Time now = clock.Now();
  EXPECT_GE(now, before - absl::Seconds(1));
  EXPECT_LE(now, absl::Now() + absl::Seconds(1));
}

TEST(DatabaseClock, IsCorrectedByMeasurements) {
  DatabaseClock clock;
  const absl::Time database = absl::Now() + absl::Hours(1);
  const absl::Time sent = SteadyNow();
  clock.Measured(database, sent, sent + absl::Milliseconds(10));
  EXPECT_GT(clock.offset(), absl::Minutes(59));
  EXPECT_LT(clock.offset(), absl::Minutes(61));
  // A slow round trip tells nothing.
  clock.Measured(database - absl::Hours(1), sent, sent + absl::Seconds(5));
  EXPECT_GT(clock.offset(), absl::Minutes(59));
  EXPECT_EQ(clock.Reading(database), database);
}

// Setting this machine's clock changes nothing in between: the database's time
// goes on from the measurement by the clock that nobody sets.
TEST(DatabaseClock, GoesOnFromTheMeasurementByTheSteadyClock) {
  DatabaseClock clock;
  const absl::Time database = absl::FromUnixSeconds(946'684'800);
  const absl::Time sent = SteadyNow();
  clock.Measured(database, sent, sent);
  const absl::Time now = clock.Now();
  // Both ends of the measurement are cut to microseconds.
  EXPECT_GE(now, database - absl::Microseconds(2));
  EXPECT_LE(now, database + (SteadyNow() - sent) + absl::Microseconds(2));
}

}  // namespace
}  // namespace transparency::journal
