#include "common/journal/replica/writer.h"

#include <atomic>
#include <thread>
#include <vector>

#include "common/journal/replica/tests/workshop.h"
#include "common/status/status.h"

namespace transparency::journal {
namespace {

class WriterTest : public WorkshopTest {};

TEST_F(WriterTest, WritesEntryRowAndSnapshotTogether) {
  TestReplica& replica = NewReplica();
  auto result = replica.Put(MakeWidget("a", "N1"), kCreated);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->answer, "widgets/a");
  const auto snapshot = replica.store().Current();
  EXPECT_EQ(snapshot->revision(), 0);
  EXPECT_EQ(result->revision_token, Store::RevisionToken(*snapshot));
  EXPECT_EQ(result->revision_token.substr(0, 2), "0.");
  EXPECT_EQ(result->revision_token.size(), 10u);
  const auto* widget = snapshot->Get<test::Widget>("widgets/a");
  ASSERT_NE(widget, nullptr);
  EXPECT_EQ(widget->create_time().seconds(), absl::ToUnixSeconds(kStart));
  EXPECT_EQ(widget->update_time().seconds(), absl::ToUnixSeconds(kStart));
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal WHERE kind = 1 AND "
                             "step = 'Change' AND actor = 'tester'"),
            1);
  EXPECT_EQ(
      database_.Number(
          "SELECT count(*) FROM widgets WHERE number = 'N1' AND colour = "
          "'BLUE' "
          "AND made_on = '2024-02-29' AND labels = '{\"a,b\",\"{c}\"}' "
          "AND maker_city = 'Gent' AND maker_since IS NULL AND delete_time IS "
          "NULL AND maker = '{\"city\":\"Gent\",\"since\":null}' AND "
          "create_time = to_timestamp(1750000000) AND title_length = 12"),
      1);
  ExpectSound();
}

TEST_F(WriterTest, ARefusedCommandLeavesNothing) {
  TestReplica& replica = NewReplica();
  ASSERT_TRUE(replica.Put(MakeWidget("a", "N1"), kCreated).ok());
  const auto before = replica.store().Base();
  auto refused = replica.Do(TestReplica::Call(
      [](Decision& decision) {
        test::Widget changed = MakeWidget("a", "N2");
        EXPECT_TRUE(decision.Put(changed, kUpdated).ok());
        EXPECT_TRUE(decision.Put(MakeWidget("b", "N3"), kCreated).ok());
        EXPECT_NE(decision.view().Find("widgets/b"), nullptr);
        return absl::StatusOr<std::string>(
            status::Refuse(absl::StatusCode::kFailedPrecondition, "NO", "No."));
      },
      RequestId(1)));
  EXPECT_EQ(status::Reason(refused.status()), "NO");
  EXPECT_EQ(replica.store().Current()->revision(), 0);
  EXPECT_EQ(replica.store().Current()->Find("widgets/b"), nullptr);
  EXPECT_EQ(replica.store().Current()->Get<test::Widget>("widgets/a")->number(),
            "N1");
  EXPECT_EQ(replica.store().Base()->digest(), before->digest());
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal"), 1);
  EXPECT_EQ(database_.Number("SELECT count(*) FROM requests"), 0);
  ASSERT_TRUE(replica.Put(MakeWidget("b", "N1b"), kCreated).ok());
  ExpectSound();
}

TEST_F(WriterTest, AnExceptionIsADefectThatChangesNothing) {
  TestReplica& replica = NewReplica();
  auto result = replica.Do(TestReplica::Call([](Decision& decision) {
    decision.Put(MakeWidget("a", "N1"), kCreated).IgnoreError();
    throw std::runtime_error("secret");
    return absl::StatusOr<std::string>("");
  }));
  EXPECT_EQ(status::Reason(result.status()), "DEFECT");
  EXPECT_EQ(result.status().message().find("secret"), std::string::npos);
  EXPECT_EQ(replica.store().Current()->revision(), -1);
}

TEST_F(WriterTest, ValidateOnlyDecidesAndWritesNothing) {
  TestReplica& replica = NewReplica();
  Command command = TestReplica::Call(
      [](Decision& decision) -> absl::StatusOr<std::string> {
        auto item = decision.Put(MakeWidget("a", "N1"), kCreated);
        if (!item.ok()) return item.status();
        return (*item)->bytes();
      },
      RequestId(1));
  command.validate_only = true;
  auto result = replica.Do(command);
  ASSERT_TRUE(result.ok());
  test::Widget widget;
  ASSERT_TRUE(widget.ParseFromString(result->answer));
  EXPECT_TRUE(widget.has_create_time());
  EXPECT_EQ(database_.Number("SELECT (SELECT count(*) FROM journal) + "
                             "(SELECT count(*) FROM requests)"),
            0);
  EXPECT_EQ(replica.store().Current()->Find("widgets/a"), nullptr);
}

TEST_F(WriterTest, AChangeThatChangesNothingWritesNoEntry) {
  TestReplica& replica = NewReplica();
  ASSERT_TRUE(replica.Put(MakeWidget("a", "N1"), kCreated).ok());
  ASSERT_TRUE(replica.Put(MakePerson("p", "p@example.org"), kCreated).ok());
  replica.clock().Advance(absl::Seconds(5));
  auto again = replica.Put(MakeWidget("a", "N1"), kUpdated);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->revision_token.substr(0, 2), "1.");
  ASSERT_TRUE(replica.Put(MakePerson("p", "p@example.org"), kUpdated).ok());
  EXPECT_EQ(replica.store().Current()->revision(), 1);
  ASSERT_TRUE(replica.Put(MakeWidget("a", "N2"), kUpdated).ok());
  const auto* widget =
      replica.store().Current()->Get<test::Widget>("widgets/a");
  EXPECT_EQ(widget->create_time().seconds(), absl::ToUnixSeconds(kStart));
  EXPECT_EQ(widget->update_time().seconds(), absl::ToUnixSeconds(kStart) + 5);
  ExpectSound();
}

TEST_F(WriterTest, CreatingTwiceIsRefused) {
  TestReplica& replica = NewReplica();
  ASSERT_TRUE(replica.Put(MakeWidget("a", "N1"), kCreated).ok());
  EXPECT_EQ(
      status::Reason(replica.Put(MakeWidget("a", "N2"), kCreated).status()),
      "RESOURCE_EXISTS");
  ASSERT_TRUE(replica.Put(MakeWidget("a", "N1"), v1::Change::DELETED).ok());
  EXPECT_EQ(
      status::Reason(replica.Put(MakeWidget("a", "N2"), kCreated).status()),
      "DELETED_EXISTS");
  EXPECT_EQ(
      status::Reason(replica.Put(MakeWidget("z", "N2"), kUpdated).status()),
      "RESOURCE_NOT_FOUND");
}

TEST_F(WriterTest, SeveralEntriesOfOneCommandAppearTogether) {
  TestReplica& replica = NewReplica();
  auto result = replica.Do(TestReplica::Call([](Decision& decision) {
    // The part comes before what it belongs to: the database checks at the end.
    test::Part part;
    part.set_name("widgets/a/parts/p");
    part.set_fits("widgets/b");
    EXPECT_TRUE(decision.Put(part, kCreated, "AddPart", "because").ok());
    EXPECT_TRUE(decision.Put(MakeWidget("a", "N1"), kCreated).ok());
    EXPECT_TRUE(decision.Put(MakeWidget("b", "N2"), kCreated).ok());
    return absl::StatusOr<std::string>("done");
  }));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->revision_token.substr(0, 2), "2.");
  EXPECT_EQ(database_.Number("SELECT count(*) FROM parts WHERE parent = "
                             "'widgets/a' AND fits = 'widgets/b'"),
            1);
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal WHERE step = "
                             "'AddPart' AND reason = 'because'"),
            1);
  ExpectSound();
}

TEST_F(WriterTest, ValuesMayChangePlacesWithinOneCommand) {
  TestReplica& replica = NewReplica();
  ASSERT_TRUE(replica.Put(MakeWidget("a", "N1"), kCreated).ok());
  ASSERT_TRUE(replica.Put(MakeWidget("b", "N2"), kCreated).ok());
  auto result = replica.Do(TestReplica::Call([](Decision& decision) {
    EXPECT_TRUE(decision.Put(MakeWidget("a", "N2"), kUpdated).ok());
    EXPECT_TRUE(decision.Put(MakeWidget("b", "N1"), kUpdated).ok());
    return absl::StatusOr<std::string>("");
  }));
  EXPECT_TRUE(result.ok()) << result.status();
  ExpectSound();
}

TEST_F(WriterTest, HiddenResourcesAreNotFoundInADecision) {
  TestReplica& replica = NewReplica();
  ASSERT_TRUE(replica.Put(MakePerson("p", "p@example.org"), kCreated).ok());
  auto get = [](Decision& decision) -> absl::StatusOr<std::string> {
    auto person = decision.Get<test::Person>("people/p");
    if (!person.ok()) return person.status();
    return (*person)->email();
  };
  EXPECT_EQ(*replica.Do(TestReplica::Call(get))->answer.c_str(), 'p');
  Command stranger = TestReplica::Call(get);
  stranger.caller = {"stranger", {}};
  EXPECT_EQ(status::Reason(replica.Do(stranger).status()),
            "RESOURCE_NOT_FOUND");
}

// ---- request ids ----

TEST_F(WriterTest, TheSameRequestIdGetsTheFirstAnswer) {
  TestReplica& replica = NewReplica();
  auto first = replica.Put(MakeWidget("a", "N1"), kCreated, RequestId(1));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->repeated);
  auto again = replica.Put(MakeWidget("a", "N1"), kCreated, RequestId(1));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->repeated);
  EXPECT_EQ(again->answer, first->answer);
  EXPECT_EQ(again->revision_token, first->revision_token);
  TestReplica& other = NewReplica();
  auto there = other.Put(MakeWidget("a", "N1"), kCreated, RequestId(1));
  ASSERT_TRUE(there.ok()) << there.status();
  EXPECT_EQ(there->revision_token, first->revision_token);
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal"), 1);
}

TEST_F(WriterTest, AnotherRequestUnderTheIdIsRefused) {
  TestReplica& replica = NewReplica();
  const auto nothing = [](Decision&) {
    return absl::StatusOr<std::string>("x");
  };
  ASSERT_TRUE(replica.Do(TestReplica::Call(nothing, RequestId(1), "one")).ok());
  EXPECT_EQ(
      status::Reason(
          replica.Do(TestReplica::Call(nothing, RequestId(1), "two")).status()),
      "REQUEST_ID_REUSED");
  // Keys are caller, method and id.
  Command other = TestReplica::Call(nothing, RequestId(1), "two");
  other.caller.subject = "somebody else";
  EXPECT_TRUE(replica.Do(other).ok());
  other.method = "/journal.test.Workshop/Other";
  EXPECT_FALSE(replica.Do(other)->repeated);
  EXPECT_EQ(
      status::Reason(replica.Do(TestReplica::Call(nothing, "x")).status()),
      "INVALID_FIELDS");
}

TEST_F(WriterTest, WhatWaitsWhenItStopsIsRefused) {
  TestReplica& replica = NewReplica();
  replica.Stop();
  auto refused = replica.Put(MakeWidget("a", "1"), kCreated);
  EXPECT_EQ(status::Reason(refused.status()), "DRAINING");
}

TEST_F(WriterTest, TimesNeverGoBack) {
  TestReplica& replica = NewReplica();
  ASSERT_TRUE(replica.Put(MakeWidget("a", "1"), kCreated).ok());
  replica.clock().Advance(-absl::Hours(1));
  ASSERT_TRUE(replica.Put(MakeWidget("a", "2"), kUpdated).ok());
  TestReplica& behind = NewReplica();
  behind.clock().Advance(-absl::Hours(2));
  ASSERT_TRUE(behind.Put(MakeWidget("a", "3"), kUpdated).ok());
  EXPECT_EQ(database_.Number("SELECT count(DISTINCT record_time) FROM journal"),
            1);
  ExpectSound();
}

TEST_F(WriterTest, IsDenseAndInOrderUnderParallelWritersOnThreeReplicas) {
  constexpr int kThreads = 32;
  constexpr int kEach = 12;
  for (int i = 0; i < 3; ++i) NewReplica();
  std::vector<std::thread> threads;
  std::atomic<int> created{0};
  std::atomic<int> won{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      TestReplica& replica = *replicas_[static_cast<size_t>(t % 3)];
      for (int i = 0; i < kEach; ++i) {
        const std::string id = absl::StrCat("w", t, "x", i);
        if (replica.Put(MakeWidget(id, id), kCreated).ok()) ++created;
        // All race for one number; the rule reads the snapshot alone.
        auto race = replica.Do(TestReplica::Call(
            [&](Decision& decision) -> absl::StatusOr<std::string> {
              const std::string number = absl::StrCat("race", i);
              bool taken = false;
              decision.view().Lookup<test::Widget>(
                  resource::Key("number", number), [&](const auto& widget) {
                    taken = taken || widget.number() == number;
                    return true;
                  });
              if (taken) return absl::FailedPreconditionError("taken");
              auto item = decision.Put(MakeWidget(id, number), kUpdated);
              if (!item.ok()) return item.status();
              return number;
            }));
        if (race.ok()) ++won;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(created, kThreads * kEach);
  EXPECT_EQ(won, kEach);
  const int64_t entries = kThreads * kEach + kEach;
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal"), entries);
  EXPECT_EQ(database_.Number("SELECT max(revision) FROM journal"), entries - 1);
  for (auto& replica : replicas_) {
    EXPECT_TRUE(replica->Await(entries - 1));
    EXPECT_EQ(replica->store().Base()->digest(),
              replicas_[0]->store().Base()->digest());
  }
  ExpectSound();
}

// ---- the clock ----

TEST_F(WriterTest, TheClocksEntryIsWrittenOnceWhateverTheReplicas) {
  TestReplica& one = NewReplica();
  TestReplica& two = NewReplica();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(
        one.Put(MakeOffer(absl::StrCat("o", i), kStart + absl::Hours(1)),
                kCreated)
            .ok());
  }
  ASSERT_TRUE(two.Await(19));
  one.clock().Advance(absl::Hours(1));
  two.clock().Advance(absl::Hours(1));
  EXPECT_EQ(one.store().Current()->Get<test::Offer>("offers/o0")->state(),
            test::Offer::EXPIRED);
  EXPECT_EQ(two.store().Current()->Get<test::Offer>("offers/o1")->state(),
            test::Offer::EXPIRED);
  ASSERT_TRUE(one.Await(39));
  ASSERT_TRUE(two.Await(39));
  // A later change finds nothing left to do.
  ASSERT_TRUE(one.Put(MakeWidget("a", "1"), kCreated).ok());
  ASSERT_TRUE(two.Put(MakeWidget("b", "2"), kCreated).ok());
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal WHERE kind = 6 AND "
                             "step = 'clock' AND actor = ''"),
            20);
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal"), 42);
  EXPECT_EQ(
      database_.Number("SELECT count(*) FROM offers WHERE state = 'EXPIRED'"),
      20);
  ExpectSound();
}

TEST_F(WriterTest, TheClocksEntriesComeBeforeACommandsOwn) {
  TestReplica& replica = NewReplica([](ReplicaOptions* options) {
    options->writer.clock_interval = absl::Hours(1);
    options->writer.clock_batch_size = 3;
  });
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(
        replica
            .Put(MakeOffer(absl::StrCat("o", i), kStart + absl::Hours(1)),
                 kCreated)
            .ok());
  }
  const std::string etag =
      replica.store().Current()->Get<test::Offer>("offers/o3")->etag();
  replica.clock().Advance(absl::Hours(2));
  const std::string expired_etag =
      replica.store().Current()->Get<test::Offer>("offers/o3")->etag();
  EXPECT_NE(etag, expired_etag);
  ASSERT_TRUE(replica.Put(MakeWidget("a", "1"), kCreated).ok());
  EXPECT_EQ(
      database_.Number("SELECT max(revision) FROM journal WHERE kind = 6"), 19);
  EXPECT_EQ(database_.Number("SELECT revision FROM widgets"), 20);
  // Writing it down does not change what readers saw.
  EXPECT_EQ(replica.store().Current()->Get<test::Offer>("offers/o3")->etag(),
            expired_etag);
  ExpectSound();
}

TEST_F(WriterTest, AClockChangeTheDatabaseRefusesHoldsNobodyUp) {
  TestReplica& replica = NewReplica();
  for (const char* id : {"a", "jinx", "z"}) {
    ASSERT_TRUE(
        replica.Put(MakeOffer(id, kStart + absl::Hours(1)), kCreated).ok());
  }
  replica.clock().Advance(absl::Hours(2));
  ASSERT_TRUE(replica.Put(MakeWidget("a", "1"), kCreated).ok());
  EXPECT_TRUE(TestReplica::Eventually([&] {
    return database_.Number("SELECT count(*) FROM journal WHERE kind = 6") == 2;
  }));
  ASSERT_TRUE(replica.Put(MakeWidget("b", "2"), kCreated).ok());
  EXPECT_EQ(replica.store().Current()->Get<test::Offer>("offers/jinx")->state(),
            test::Offer::EXPIRED);
}

}  // namespace
}  // namespace transparency::journal
