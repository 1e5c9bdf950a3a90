#include "common/journal/replica/follower.h"

#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "common/journal/replay.h"
#include "common/journal/replica/tests/gate.h"
#include "common/journal/replica/tests/workshop.h"
#include "common/status/status.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::journal {
namespace {

using testing::ElementsAre;

class FollowerTest : public WorkshopTest {
 protected:
  absl::StatusOr<CommandResult> PutOne(TestReplica& replica) {
    const std::string id = absl::StrCat("w", ++last_);
    return replica.Put(MakeWidget(id, id), kCreated, RequestId(last_));
  }

  absl::Status Await(TestReplica& replica, const std::string& token,
                     absl::Duration limit = absl::Seconds(60)) {
    const size_t dot = token.find('.');
    absl::Notification told;
    absl::Status status;
    replica.store().Await(std::stoll(token.substr(0, dot)),
                          dot == token.npos ? "" : token.substr(dot + 1),
                          absl::Now() + limit, [&](absl::Status s) {
                            status = s;
                            told.Notify();
                          });
    told.WaitForNotification();
    return status;
  }

  int last_ = 0;
};

void SlowPolls(ReplicaOptions* options) {
  options->follower.poll_interval = absl::Hours(1);
}

TEST_F(FollowerTest, ReplicasFollowEachOther) {
  TestReplica& one = NewReplica();
  TestReplica& two = NewReplica();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(PutOne(i % 2 == 0 ? one : two).ok());
  }
  ASSERT_TRUE(one.Await(9));
  ASSERT_TRUE(two.Await(9));
  for (int i = 1; i <= 10; ++i) {
    const std::string name = absl::StrCat("widgets/w", i);
    const auto* a = one.store().Current()->Find(name);
    const auto* b = two.store().Current()->Find(name);
    ASSERT_TRUE(a != nullptr && b != nullptr);
    EXPECT_EQ(a->bytes(), b->bytes());
    EXPECT_EQ(a->revision(), b->revision());
  }
}

TEST_F(FollowerTest, AwaitAsksForARevisionAtOnce) {
  TestReplica& one = NewReplica();
  TestReplica& two = NewReplica(SlowPolls);
  for (int i = 0; i < 3; ++i) {
    auto result = PutOne(one);
    ASSERT_TRUE(result.ok());
    EXPECT_TRUE(Await(two, result->revision_token).ok());
    EXPECT_EQ(two.revision(), i);
  }
  EXPECT_TRUE(Await(two, "1").ok());
}

TEST_F(FollowerTest, AwaitTellsAboveHeadFromAnotherHistory) {
  TestReplica& replica = NewReplica();
  auto first = PutOne(replica);
  ASSERT_TRUE(PutOne(replica).ok());
  EXPECT_TRUE(Await(replica, first->revision_token).ok());
  absl::Status above;
  EXPECT_TRUE(TestReplica::Eventually([&] {
    above = Await(replica, "7.00000000", absl::Milliseconds(100));
    return status::Reason(above) != "STALE";  // no poll meanwhile
  }));
  EXPECT_EQ(above.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(status::Reason(above), "REVISION_ABOVE_HEAD");
  const absl::Status other = Await(replica, "0.00000000");
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status::Reason(other), "HISTORY_CHANGED");
}

TEST_F(FollowerTest, AwaitWaitsNoLongerThanAllowed) {
  TestReplica& replica = NewReplica([](ReplicaOptions* options) {
    options->store.max_wait = absl::Milliseconds(50);
  });
  const absl::Time begun = absl::Now();
  EXPECT_FALSE(Await(replica, "7", absl::InfiniteDuration()).ok());
  EXPECT_LT(absl::Now() - begun, absl::Seconds(30));
}

TEST_F(FollowerTest, TheSnapshotIsAdvancedBeforeAnyoneReadsPastAChange) {
  TestReplica& replica = NewReplica(SlowPolls);
  ASSERT_TRUE(
      replica.Put(MakeOffer("o", kStart + absl::Seconds(1)), kCreated).ok());
  const auto state = [&] {
    return replica.store().Current()->Get<test::Offer>("offers/o")->state();
  };
  EXPECT_EQ(state(), test::Offer::OPEN);
  replica.clock().Advance(absl::Seconds(1));
  EXPECT_EQ(state(), test::Offer::EXPIRED);
  replica.clock().Advance(absl::Hours(1));
  EXPECT_EQ(replica.store().Current()->instant(),
            kStart + absl::Seconds(1) + absl::Hours(1));
}

TEST_F(FollowerTest, ANewReplicaLoadsWhatTheJournalMade) {
  TestReplica& one = NewReplica();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(PutOne(one).ok());
  ASSERT_TRUE(one.Put(MakeOffer("o", kStart + absl::Hours(1)), kCreated).ok());
  TestReplica& two = NewReplica();
  const auto a = one.store().Current(), b = two.store().Current();
  EXPECT_EQ(a->revision(), b->revision());
  EXPECT_EQ(a->digest(), b->digest());
  for (const auto& kind : WorkshopCatalogue().kinds()) {
    EXPECT_EQ(a->Count(*kind), b->Count(*kind));
    a->Scan(*kind, "", [&](const resource::Item& item) {
      EXPECT_EQ(item.bytes(), b->Find(item.name())->bytes());
      EXPECT_EQ(item.revision(), b->Find(item.name())->revision());
      return true;
    });
  }
  EXPECT_TRUE(Await(two, Store::RevisionToken(*a)).ok());
  EXPECT_EQ(status::Reason(Await(two, "2.00000000")), "HISTORY_CHANGED");
}

TEST_F(FollowerTest, CatchesUpOverManyEntries) {
  TestReplica& one = NewReplica();
  Gate gate;
  TestReplica& two = NewReplicaAt(gate.Through(database_.conninfo()));
  gate.Close();
  auto result = one.Do(TestReplica::Call([](Decision& decision) {
    for (int i = 0; i < 3000; ++i) {
      const std::string id = absl::StrCat("m", i);
      EXPECT_TRUE(decision.Put(MakeWidget(id, id), kCreated).ok());
    }
    return absl::StatusOr<std::string>("");
  }));
  ASSERT_TRUE(result.ok()) << result.status();
  gate.Open();
  EXPECT_TRUE(two.Await(2999));
  ExpectSound();
}

// ---- trouble ----

TEST_F(FollowerTest, ReadsGoOnAndWritesAreRefusedWhilePostgresqlIsAway) {
  Gate gate;
  TestReplica& replica = NewReplicaAt(gate.Through(database_.conninfo()));
  ASSERT_TRUE(PutOne(replica).ok());
  gate.Close();
  const absl::Time begun = absl::Now();
  auto refused = PutOne(replica);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status::Reason(refused.status()), "STORAGE_UNAVAILABLE");
  google::rpc::RetryInfo retry;
  EXPECT_TRUE(status::FindDetail(refused.status(), &retry));
  EXPECT_LT(absl::Now() - begun, absl::Seconds(2));
  EXPECT_NE(replica.store().Current()->Find("widgets/w1"), nullptr);
  EXPECT_TRUE(replica.store().Fresh().ok());
  EXPECT_EQ(status::Reason(Await(replica, "5", absl::Milliseconds(50))),
            "STALE");
  EXPECT_THAT(replica.serving_changes(), ElementsAre());
  gate.Open();
  EXPECT_TRUE(TestReplica::Eventually([&] { return PutOne(replica).ok(); }));
  EXPECT_THAT(replica.serving_changes(), ElementsAre());
  ExpectSound();
}

TEST_F(FollowerTest, SurvivesTheServerEndingItsSessions) {
  TestReplica& replica = NewReplica();
  for (int i = 0; i < 5; ++i) {
    database_.TerminateSessions();
    auto result = PutOne(replica);
    EXPECT_TRUE(result.ok()) << result.status();
  }
  ExpectSound();
}

TEST_F(FollowerTest, IsStaleOnceItsLastProofIsTooOld) {
  Gate gate;
  TestReplica& replica =
      NewReplicaAt(gate.Through(database_.conninfo()), [](auto* options) {
        options->store.max_staleness = absl::Milliseconds(300);
      });
  EXPECT_TRUE(replica.store().Fresh().ok());
  gate.Close();
  EXPECT_TRUE(
      TestReplica::Eventually([&] { return !replica.store().Fresh().ok(); }));
  const absl::Status stale = replica.store().Fresh();
  EXPECT_EQ(stale.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status::Reason(stale), "STALE");
  // Balancers are told, and told again when it is over.
  EXPECT_TRUE(TestReplica::Eventually(
      [&] { return replica.serving_changes().size() == 1; }));
  gate.Open();
  EXPECT_TRUE(
      TestReplica::Eventually([&] { return replica.store().Fresh().ok(); }));
  EXPECT_TRUE(TestReplica::Eventually(
      [&] { return replica.serving_changes().size() == 2; }));
  EXPECT_THAT(replica.serving_changes(), ElementsAre(false, true));
}

struct CommitCase {
  Gate::Cut cut;
  bool request_id;
};

class CommitTest : public FollowerTest,
                   public testing::WithParamInterface<CommitCase> {};

TEST_P(CommitTest, AnswersTruthfullyWhenTheConnectionIsCutAtCommit) {
  Gate gate;
  TestReplica& replica = NewReplicaAt(gate.Through(database_.conninfo()));
  ASSERT_TRUE(PutOne(replica).ok());
  gate.CutAtCommit(GetParam().cut);
  auto result = replica.Put(MakeWidget("cut", "cut"), kCreated,
                            GetParam().request_id ? RequestId(99) : "");
  EXPECT_EQ(gate.cuts(), 1);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_FALSE(result->repeated);
  EXPECT_EQ(result->revision_token.substr(0, 2), "1.");
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal"), 2);
  EXPECT_EQ(replica.store().Current()->revision(), 1);
  ASSERT_TRUE(PutOne(replica).ok());
  ExpectSound();
}

INSTANTIATE_TEST_SUITE_P(Cuts, CommitTest,
                         testing::Values(CommitCase{Gate::Cut::kBefore, false},
                                         CommitCase{Gate::Cut::kBefore, true},
                                         CommitCase{Gate::Cut::kAfter, false},
                                         CommitCase{Gate::Cut::kAfter, true}));

TEST_F(FollowerTest, AnOutcomeThatCannotBeLearntIsUnknown) {
  Gate gate;
  TestReplica& replica = NewReplicaAt(
      gate.Through(database_.conninfo()),
      [](auto* options) { options->writer.max_batch_time = absl::Seconds(2); });
  gate.CutAtCommit(Gate::Cut::kAfter, /*close=*/true);
  auto result = replica.Put(MakeWidget("a", "1"), kCreated, RequestId(1));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(status::Reason(result.status()), "OUTCOME_UNKNOWN");
  gate.Open();
  absl::StatusOr<CommandResult> again;
  ASSERT_TRUE(TestReplica::Eventually([&] {
    again = replica.Put(MakeWidget("a", "1"), kCreated, RequestId(1));
    return again.ok();
  }));
  EXPECT_TRUE(again->repeated);
  EXPECT_EQ(again->answer, "widgets/a");
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal"), 1);
  ExpectSound();
}

TEST_F(FollowerTest, WhatWaitsBehindALostCommitIsRefusedPromptly) {
  Gate gate;
  TestReplica& replica =
      NewReplicaAt(gate.Through(database_.conninfo()), [](auto* options) {
        options->writer.max_batch_time = absl::Seconds(20);
      });
  gate.CutAtCommit(Gate::Cut::kBefore, /*close=*/true);
  std::thread lost(
      [&] { EXPECT_TRUE(replica.Put(MakeWidget("a", "1"), kCreated).ok()); });
  ASSERT_TRUE(TestReplica::Eventually([&] { return gate.cuts() == 1; }));
  auto refused = replica.Put(MakeWidget("b", "2"), kCreated);
  EXPECT_EQ(status::Reason(refused.status()), "STORAGE_UNAVAILABLE");
  gate.Open();
  lost.join();
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal"), 1);
}

TEST_F(FollowerTest, ADatabaseThatFallsSilentHoldsNoWriterForLong) {
  Gate gate;
  TestReplica& replica =
      NewReplicaAt(gate.Through(database_.conninfo()), [](auto* options) {
        options->writer.max_lock_wait = absl::Milliseconds(500);
        options->writer.max_silence = absl::Milliseconds(500);
      });
  ASSERT_TRUE(replica.Put(MakeWidget("a", "1"), kCreated).ok());
  gate.Freeze();
  const absl::Time begun = SteadyNow();
  auto refused = replica.Put(MakeWidget("b", "2"), kCreated);
  EXPECT_EQ(status::Reason(refused.status()), "STORAGE_UNAVAILABLE");
  EXPECT_LT(SteadyNow() - begun, absl::Seconds(5));
  // The next one meets a database that lets nobody in.
  refused = replica.Put(MakeWidget("c", "3"), kCreated);
  EXPECT_EQ(status::Reason(refused.status()), "STORAGE_UNAVAILABLE");
  EXPECT_LT(SteadyNow() - begun, absl::Seconds(15));
  gate.Thaw();
  ASSERT_TRUE(TestReplica::Eventually(
      [&] { return replica.Put(MakeWidget("d", "4"), kCreated).ok(); }));
  EXPECT_EQ(database_.Number("SELECT count(*) FROM widgets"), 2);
  ExpectSound();
}

// Personal fields are read as they are, not as an entry found them: a replica
// that catches up shows no entry before it has applied all that follow.
TEST_F(FollowerTest, ALongCatchUpIsShownAtOnce) {
  TestReplica& writing = NewReplica();
  TestReplica& behind = NewReplica(
      [](auto* options) { options->follower.poll_interval = absl::Hours(1); });
  auto first = writing.Put(MakePerson("p", "old@example.org"), kCreated);
  ASSERT_TRUE(first.ok()) << first.status();
  auto many = writing.Do(
      TestReplica::Call([](Decision& decision) -> absl::StatusOr<std::string> {
        for (int i = 0; i < kReplayLimit; ++i) {
          const std::string id = absl::StrCat("w", i);
          auto item = decision.Put(MakeWidget(id, id), kCreated);
          if (!item.ok()) return item.status();
        }
        return "";
      }));
  ASSERT_TRUE(many.ok()) << many.status();
  ASSERT_TRUE(writing.Put(MakePerson("p", "new@example.org"), kUpdated).ok());
  const int64_t head = writing.revision();
  ASSERT_GT(head, kReplayLimit);

  int64_t shown = -1;
  absl::Notification applied;
  behind.store().Await(0, "", absl::Now() + absl::Seconds(60),
                       [&](const absl::Status& status) {
                         EXPECT_TRUE(status.ok()) << status;
                         shown = behind.revision();
                         applied.Notify();
                       });
  applied.WaitForNotification();
  EXPECT_EQ(shown, head);
  EXPECT_EQ(behind.store().Current()->Get<test::Person>("people/p")->etag(),
            writing.store().Current()->Get<test::Person>("people/p")->etag());
}

TEST_F(FollowerTest, AWriterFrozenInsideTheLockLosesItAndRecovers) {
  TestReplica& frozen = NewReplica();
  TestReplica& other = NewReplica();
  absl::Notification inside, thaw;
  std::atomic<int> decided{0};
  absl::StatusOr<CommandResult> late;
  std::thread caller([&] {
    late = frozen.Do(TestReplica::Call(
        [&](Decision& decision) -> absl::StatusOr<std::string> {
          if (++decided == 1) {
            inside.Notify();
            thaw.WaitForNotification();
          }
          auto item = decision.Put(MakeWidget("late", "late"), kCreated);
          if (!item.ok()) return item.status();
          return (*item)->name();
        }));
  });
  inside.WaitForNotification();
  const absl::Time begun = absl::Now();
  auto result = other.Put(MakeWidget("quick", "quick"), kCreated);
  EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_LT(absl::Now() - begun, absl::Seconds(10));
  thaw.Notify();
  caller.join();
  EXPECT_TRUE(late.ok()) << late.status();
  EXPECT_EQ(decided, 2);
  EXPECT_EQ(late->revision_token.substr(0, 2), "1.");
  ExpectSound();
}

TEST_F(FollowerTest, ADatabasePutBackIsNoticedAndLoadedAgain) {
  TestReplica& replica = NewReplica();
  ASSERT_TRUE(PutOne(replica).ok());
  database_.Save();
  absl::StatusOr<CommandResult> lost;
  ASSERT_TRUE(TestReplica::Eventually([&] {
    lost = PutOne(replica);
    return lost.ok();
  }));
  ASSERT_TRUE(TestReplica::Eventually([&] { return PutOne(replica).ok(); }));
  EXPECT_THAT(replica.serving_changes(), ElementsAre());
  database_.Restore();
  EXPECT_TRUE(TestReplica::Eventually([&] {
    return replica.store().loaded() && replica.revision() == 0 &&
           replica.serving_changes().size() == 2;
  }));
  EXPECT_THAT(replica.serving_changes(), ElementsAre(false, true));
  EXPECT_EQ(replica.store().Current()->Find("widgets/w2"), nullptr);
  // Other entries take the places of the lost ones.
  ASSERT_TRUE(TestReplica::Eventually([&] { return PutOne(replica).ok(); }));
  EXPECT_EQ(status::Reason(Await(replica, lost->revision_token)),
            "HISTORY_CHANGED");
  ExpectSound();
}

TEST_F(FollowerTest, AnotherHistoryOfTheSameLengthIsNoticed) {
  TestReplica& replica = NewReplica();
  ASSERT_TRUE(PutOne(replica).ok());
  database_.Save();
  absl::StatusOr<CommandResult> lost;
  ASSERT_TRUE(TestReplica::Eventually([&] {
    lost = PutOne(replica);
    return lost.ok();
  }));
  replica.Stop();
  Gate gate;
  TestReplica& late = NewReplicaAt(gate.Through(database_.conninfo()));
  gate.Close();
  ASSERT_EQ(late.revision(), replica.revision());
  database_.Restore();
  TestReplica& other = NewReplica();
  while (other.revision() < late.revision() + 1) {
    ASSERT_TRUE(other
                    .Put(MakeWidget(absl::StrCat("n", other.revision()),
                                    absl::StrCat("n", other.revision())),
                         kCreated)
                    .ok());
  }
  gate.Open();
  // It was behind by number, yet its own entries are not of this history.
  EXPECT_TRUE(TestReplica::Eventually([&] {
    return late.store().loaded() &&
           late.store().Base()->digest() == other.store().Base()->digest() &&
           late.serving_changes().size() == 2;
  }));
  EXPECT_THAT(late.serving_changes(), ElementsAre(false, true));
  EXPECT_EQ(status::Reason(Await(late, lost->revision_token)),
            "HISTORY_CHANGED");
}

}  // namespace
}  // namespace transparency::journal
