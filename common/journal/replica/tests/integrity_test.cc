#include "common/journal/integrity.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/journal/replica/convert.h"
#include "common/journal/replica/tests/workshop.h"
#include "common/postgres/grants.h"
#include "common/postgres/migrations.h"
#include "schema/journal_schema.h"
#include "schema/workshop_schema.h"

namespace transparency::journal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class IntegrityTest : public WorkshopTest {
 protected:
  IntegrityTest() {
    TestReplica& replica = NewReplica();
    EXPECT_TRUE(replica.Put(MakeWidget("a", "1"), kCreated).ok());
    EXPECT_TRUE(replica.Put(MakeWidget("b", "2"), kCreated).ok());
    EXPECT_TRUE(replica.Put(MakePerson("p", "p@x.org"), kCreated).ok());
    EXPECT_TRUE(replica.Put(MakePerson("q", "q@x.org"), kCreated).ok());
    EXPECT_TRUE(replica
                    .Do(TestReplica::Call(
                        [](Decision& decision) -> absl::StatusOr<std::string> {
                          absl::Status status =
                              decision.ErasePersonal("people/q", "asked for");
                          if (!status.ok()) return status;
                          return std::string();
                        }))
                    .ok());
    replica.Stop();
  }

  // As somebody does who has the rights for it.
  void Tamper(const std::string& sql) {
    database_.Run("SET session_replication_role = replica; " + sql);
  }

  // A replica whose check begins again at once, `page` rows at a time.
  TestReplica& Checking(int64_t page = 2) {
    return NewReplica([page](ReplicaOptions* options) {
      options->auditor.interval = absl::Milliseconds(1);
      options->auditor.page = page;
      options->auditor.rest = 1;
    });
  }

  static double Metric(TestReplica& replica, const std::string& name) {
    for (const auto& family : replica.registry().Collect()) {
      if (family.name != name) continue;
      const auto& metric = family.metric.at(0);
      return std::max(metric.gauge.value, metric.counter.value);
    }
    return -1;
  }
  static double Problems(TestReplica& replica) {
    return Metric(replica, "transparency_integrity_problems");
  }
  // Waits for a pass that begins after now.
  static void AwaitPass(TestReplica& replica) {
    const char kPasses[] = "transparency_integrity_passes_total";
    const double before = Metric(replica, kPasses);
    EXPECT_TRUE(TestReplica::Eventually(
        [&] { return Metric(replica, kPasses) >= before + 2; }));
  }
  static bool Sound(TestReplica& replica) {
    return replica.replica().integrity().sound();
  }
};

TEST_F(IntegrityTest, ASoundDatabaseIsServed) {
  TestReplica& replica = Checking();
  AwaitPass(replica);
  EXPECT_TRUE(Sound(replica));
  EXPECT_EQ(Problems(replica), 0);
  replica.Stop();
  EXPECT_THAT(replica.serving_changes(), IsEmpty());
}

TEST_F(IntegrityTest, WritesGoOnBesideTheCheck) {
  TestReplica& replica = Checking(/*page=*/1);
  for (int i = 0; i < 50; ++i) {
    test::Widget widget = MakeWidget("c", absl::StrCat("c", i));
    ASSERT_TRUE(replica.Put(widget, i == 0 ? kCreated : kUpdated).ok());
  }
  AwaitPass(replica);
  EXPECT_TRUE(Sound(replica));
  replica.Stop();
  EXPECT_THAT(replica.serving_changes(), IsEmpty());
}

// What each of these changes is found by a replica that starts, and by one that
// runs.
struct Change {
  const char* what;
  const char* sql;
  // By the load alone, before anybody is served.
  bool at_start;
};

class TamperingTest : public IntegrityTest,
                      public testing::WithParamInterface<Change> {};

TEST_P(TamperingTest, IsFoundAtStart) {
  Tamper(GetParam().sql);
  if (GetParam().at_start) {
    TestReplica& replica = NewReplica([](ReplicaOptions* options) {
      options->auditor.interval = absl::InfiniteDuration();
      options->auditor.rest = 1'000'000;
    });
    EXPECT_FALSE(Sound(replica));
    EXPECT_THAT(replica.serving_changes(), ElementsAre(false));
    return;
  }
  TestReplica& replica = Checking();
  EXPECT_TRUE(TestReplica::Eventually([&] { return !Sound(replica); }));
}

TEST_P(TamperingTest, IsFoundWhileServing) {
  TestReplica& replica = Checking();
  AwaitPass(replica);
  ASSERT_TRUE(Sound(replica));
  Tamper(GetParam().sql);
  EXPECT_TRUE(TestReplica::Eventually([&] { return !Sound(replica); }));
  EXPECT_GE(Problems(replica), 1);
  AwaitPass(replica);
  EXPECT_FALSE(Sound(replica));
  replica.Stop();
  EXPECT_THAT(replica.serving_changes(), ElementsAre(false));
}

INSTANTIATE_TEST_SUITE_P(
    Changes, TamperingTest,
    testing::Values(
        Change{"body",
               "UPDATE widgets SET body = set_byte(body, 3, 88) WHERE "
               "number = '2'",
               true},
        Change{"revision", "UPDATE widgets SET revision = 0 WHERE number = '2'",
               true},
        Change{"personal", "UPDATE personal SET body = set_byte(body, 3, 88)",
               true},
        Change{"personal_gone", "DELETE FROM personal", true},
        Change{"personal_back",
               "INSERT INTO personal SELECT 'people/q', salt, body FROM "
               "personal",
               true},
        Change{"row_gone", "DELETE FROM widgets WHERE number = '2'", false},
        Change{"old_body",
               "UPDATE journal SET body = set_byte(body, 3, 88) "
               "WHERE revision = 0",
               false},
        Change{"old_actor",
               "UPDATE journal SET actor = 'mallory' WHERE revision = 1",
               false},
        Change{"old_digest",
               "UPDATE journal SET digest = set_byte(digest, 3, "
               "get_byte(digest, 3) # 1) WHERE revision = 1",
               false}),
    [](const auto& of) { return std::string(of.param.what); });

TEST_F(IntegrityTest, ARepairIsSeen) {
  TestReplica& replica = Checking();
  Tamper("UPDATE journal SET actor = 'mallory' WHERE revision = 1");
  EXPECT_TRUE(TestReplica::Eventually([&] { return !Sound(replica); }));
  Tamper("UPDATE journal SET actor = 'tester' WHERE revision = 1");
  EXPECT_TRUE(TestReplica::Eventually([&] { return Sound(replica); }));
  EXPECT_EQ(Problems(replica), 0);
  replica.Stop();
  EXPECT_THAT(replica.serving_changes(), ElementsAre(false, true));
}

TEST_F(IntegrityTest, WhatWasLoadedWrongIsLoadedAgainOnceItIsRepaired) {
  const auto colour = [&](int value) {
    Tamper("UPDATE widgets SET body = set_byte(body, 3, " +
           std::to_string(value) + ") WHERE number = '2'");
  };
  const auto byte = database_.Number(
      "SELECT get_byte(body, 3) FROM widgets WHERE number = '2'");
  colour(88);
  TestReplica& replica = Checking();
  EXPECT_FALSE(Sound(replica));
  colour(static_cast<int>(byte));
  EXPECT_TRUE(TestReplica::Eventually([&] {
    return Sound(replica) &&
           replica.store().Current()->Find("widgets/b") != nullptr;
  }));
}

TEST_F(IntegrityTest, ADatabasePutBackIsNoTampering) {
  database_.Save();
  TestReplica& replica = Checking(/*page=*/1);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(replica
                    .Put(MakeWidget("c", absl::StrCat("c", i)),
                         i == 0 ? kCreated : kUpdated)
                    .ok());
  }
  AwaitPass(replica);
  database_.Restore();
  EXPECT_TRUE(TestReplica::Eventually([&] { return replica.revision() == 4; }));
  AwaitPass(replica);
  EXPECT_TRUE(Sound(replica));
}

// ---- the format before ----

// Brings a database back to what the version before 0002_salted_entries left.
constexpr char kFormatBefore[] = R"sql(
  DROP TABLE secret;
  ALTER TABLE journal DROP COLUMN salt, DROP COLUMN body_commitment,
    DROP COLUMN personal_commitment;
  ALTER TABLE requests DROP COLUMN personal_digest, DROP COLUMN personal_salt,
    DROP COLUMN personal_of, DROP CONSTRAINT requests_digest_length;
  DELETE FROM schema_migrations WHERE component = 'journal' AND version = 2)sql";

class ConvertTest : public IntegrityTest {};

TEST_F(ConvertTest, WritesAJournalOfTheFormatBeforeAnew) {
  {
    TestReplica& replica = NewReplica();
    ASSERT_TRUE(
        replica.Put(MakeWidget("a", "1"), v1::Change::DELETED, RequestId(1))
            .ok());
    ASSERT_TRUE(
        replica.Put(MakeOffer("o", kStart + absl::Seconds(1)), kCreated).ok());
    replica.clock().Advance(absl::Seconds(2));
    ASSERT_TRUE(replica.Await(7));
    replica.Stop();
  }
  database_.Run(kFormatBefore);
  const int64_t before = database_.Number("SELECT count(*) FROM journal");
  const std::string said =
      "SELECT hashtextextended(string_agg(concat_ws('|', revision, "
      "record_time, "
      "name, kind, step, actor, reason, request_id, body), '|' ORDER BY "
      "revision), 0) FROM journal";
  const int64_t was = database_.Number(said);
  auto session = database_.Connect();
  ASSERT_TRUE(
      postgres::Migrate(session.get(), {schema::Journal(), schema::Workshop()})
          .ok());
  ASSERT_TRUE(
      postgres::GrantService(session.get(), "transparency_test_service").ok());
  TestReplica early(database_.conninfo());
  EXPECT_TRUE(absl::IsFailedPrecondition(early.Start()));

  auto converted = ConvertJournal(session.get(), WorkshopCatalogue());
  ASSERT_TRUE(converted.ok()) << converted.status();
  EXPECT_EQ(*converted, before);
  EXPECT_EQ(*ConvertJournal(session.get(), WorkshopCatalogue()), 0);
  EXPECT_THAT(RunCheck().problems, IsEmpty());
  EXPECT_EQ(database_.Number(said), was);
  EXPECT_EQ(database_.Number("SELECT count(*) FROM requests"), 0);
  EXPECT_FALSE(database_.Try("UPDATE journal SET actor = 'x'").ok());
  TestReplica& replica = Checking();
  AwaitPass(replica);
  EXPECT_TRUE(Sound(replica));
  EXPECT_TRUE(replica.Put(MakeWidget("c", "3"), kCreated).ok());
}

TEST(Convert, AnEmptyDatabaseIsOfTodaysFormatAtOnce) {
  postgres::TestDatabase database;
  auto session = database.Connect();
  ASSERT_TRUE(
      postgres::Migrate(session.get(), {schema::Journal(), schema::Workshop()})
          .ok());
  EXPECT_EQ(*ConvertJournal(session.get(), WorkshopCatalogue()), 0);
  EXPECT_EQ(database.Number("SELECT count(*) FROM secret"), 1);
  TestReplica replica(database.conninfo());
  EXPECT_TRUE(replica.Start().ok());
}

TEST(Secret, IsOfEachDatabaseItsOwn) {
  const auto key = [](postgres::TestDatabase& database) {
    auto session = database.Connect();
    EXPECT_TRUE(postgres::Migrate(session.get(), {schema::Journal()}).ok());
    auto rows = session->Query("SELECT key FROM secret", {},
                               absl::Now() + absl::Seconds(20));
    return rows->Text(0, 0);
  };
  postgres::TestDatabase one, two;
  EXPECT_NE(key(one), key(two));
}

}  // namespace
}  // namespace transparency::journal
