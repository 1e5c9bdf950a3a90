#include "absl/strings/str_cat.h"
#include "common/journal/entry.h"
#include "common/journal/replica/tests/workshop.h"
#include "common/journal/table.h"
#include "common/postgres/sqlstate.h"

namespace transparency::journal {
namespace {

using testing::HasSubstr;

class SchemaTest : public WorkshopTest {
 protected:
  std::string Violated(const std::string& sql) {
    return postgres::ErrorOf(database_.Try(sql)).constraint;
  }
  static std::string Insert(const std::string& revision,
                            const std::string& digest = "sha256('x')") {
    return absl::StrCat(
        "INSERT INTO journal (revision, record_time, name, kind, step, actor, "
        "reason, request_id, body, salt, body_commitment, "
        "personal_commitment, digest) VALUES (",
        revision,
        ", now(), 'widgets/x', 1, '', '', '', '', '', sha256('s'), "
        "sha256('b'), sha256('p'), ",
        digest, ")");
  }
};

TEST_F(SchemaTest, TheDatabaseItselfKeepsTheJournalDense) {
  TestReplica& replica = NewReplica();
  ASSERT_TRUE(replica.Put(MakeWidget("a", "1"), kCreated).ok());
  replica.Stop();
  EXPECT_EQ(Violated(Insert("0")), "journal_pkey");
  EXPECT_EQ(Violated(Insert("2")), "journal_previous_fkey");
  EXPECT_EQ(Violated(Insert("-1")), "journal_revision_not_negative");
  EXPECT_EQ(Violated(Insert("1", "'short'")), "journal_digest_length");
  EXPECT_EQ(Violated("UPDATE journal SET actor = 'x'"), "journal_append_only");
  EXPECT_EQ(Violated("DELETE FROM journal"), "journal_append_only");
  EXPECT_FALSE(database_.Try("TRUNCATE journal CASCADE").ok());
  EXPECT_TRUE(database_.Try(Insert("1")).ok());
}

TEST_F(SchemaTest, TheOtherConstraintsHoldToo) {
  EXPECT_EQ(Violated("INSERT INTO personal VALUES ('people/x', 'short', '')"),
            "personal_salt_length");
  const std::string request =
      "INSERT INTO requests VALUES ('a', 'm', "
      "'00000000-0000-4000-8000-000000000001', sha256('d'), -1, '', now(), "
      "NULL, NULL, '{}');";
  EXPECT_EQ(Violated(request + request), "requests_pkey");
  EXPECT_EQ(Violated("INSERT INTO secret VALUES (true, sha256('x'))"),
            "secret_pkey");
  EXPECT_EQ(Violated("UPDATE secret SET key = 'short'"), "secret_key_length");
}

TEST_F(SchemaTest, ATableThatDoesNotSuitItsKindKeepsTheWriterFromStarting) {
  const auto start = [&] {
    TestReplica replica(database_.conninfo());
    return replica.Start();
  };
  EXPECT_TRUE(start().ok());
  database_.Run("ALTER TABLE people ADD COLUMN email text");
  EXPECT_THAT(std::string(start().message()), HasSubstr("personal"));
  database_.Run("ALTER TABLE people DROP COLUMN email, ADD COLUMN salary int");
  EXPECT_THAT(std::string(start().message()), HasSubstr("salary"));
  database_.Run("DROP TABLE people");
  EXPECT_THAT(std::string(start().message()), HasSubstr("people"));
}

TEST(Names, HaveParents) {
  EXPECT_EQ(ParentOf("a/b/c/d"), "a/b");
  EXPECT_EQ(ParentOf("a/b"), "");
}

// ---- check ----

class CheckTest : public SchemaTest {
 protected:
  CheckTest() {
    TestReplica& replica = NewReplica();
    EXPECT_TRUE(replica.Put(MakeWidget("a", "1"), kCreated).ok());
    EXPECT_TRUE(replica.Put(MakeWidget("b", "2"), kCreated).ok());
    EXPECT_TRUE(replica.Put(MakePerson("p", "p@x.org"), kCreated).ok());
    test::Part part;
    part.set_name("widgets/a/parts/p");
    part.set_fits("widgets/b");
    EXPECT_TRUE(replica.Put(part, kCreated).ok());
    replica.Stop();
  }
  std::vector<std::string> After(const std::string& sql) {
    database_.Run("SET session_replication_role = replica; " + sql);
    return RunCheck().problems;
  }
};

TEST_F(CheckTest, FindsNothingWrongWithASoundDatabase) {
  const CheckReport report = RunCheck();
  EXPECT_THAT(report.problems, testing::IsEmpty());
  EXPECT_EQ(report.entries, 4);
  EXPECT_EQ(report.resources, 4);
  EXPECT_EQ(report.personal_bodies, 1);
}

TEST_F(CheckTest, DeletedRecordsAreInOrderAndNothingLivesOnThem) {
  TestReplica& replica = NewReplica();
  const auto put = [&replica](const std::string& id, ChangeKind kind) {
    return replica.Put(MakeWidget(id, id == "a" ? "1" : "2"), kind).ok();
  };
  // No rule stands before the journal here: the part is left behind.
  ASSERT_TRUE(put("a", v1::Change::DELETED));
  EXPECT_THAT(RunCheck().problems,
              testing::ElementsAre(
                  HasSubstr("widgets/a/parts/p: its parent is not there")));
  ASSERT_TRUE(put("b", v1::Change::DELETED));
  EXPECT_THAT(RunCheck().problems,
              testing::UnorderedElementsAre(
                  HasSubstr("widgets/a/parts/p: its parent is not there"),
                  HasSubstr("fits refers to widgets/b")));
  ASSERT_TRUE(put("a", v1::Change::UNDELETED));
  ASSERT_TRUE(put("b", v1::Change::UNDELETED));
  EXPECT_THAT(RunCheck().problems, testing::IsEmpty());
}

TEST_F(CheckTest, FindsAnEntryThatWasChanged) {
  EXPECT_THAT(After("UPDATE journal SET actor = 'mallory' WHERE revision = 1"),
              testing::ElementsAre(
                  HasSubstr("entry 1 (widgets/b) is not what its digest")));
}

TEST_F(CheckTest, FindsAMissingEntry) {
  EXPECT_THAT(After("DELETE FROM journal WHERE revision = 1"),
              testing::Contains(HasSubstr("1 is missing")));
}

TEST_F(CheckTest, FindsTimeGoingBack) {
  EXPECT_THAT(After("UPDATE journal SET record_time = record_time - interval "
                    "'1 hour' WHERE revision = 2"),
              testing::Contains(HasSubstr("2 is earlier")));
}

TEST_F(CheckTest, FindsAColumnThatIsNotAsTheBody) {
  EXPECT_THAT(After("UPDATE widgets SET made_on = NULL WHERE number = '2'"),
              testing::ElementsAre(HasSubstr("widgets/b: its columns")));
}

TEST_F(CheckTest, FindsABodyThatIsNotAsTheJournal) {
  EXPECT_THAT(After("UPDATE people SET body = body || '\\x1203626f62'"),
              testing::Contains(HasSubstr("people/p: its row is not what")));
}

TEST_F(CheckTest, FindsARowTooManyAndARowTooFew) {
  EXPECT_THAT(
      After("UPDATE widgets SET revision = 0 WHERE number = '2'"),
      testing::ElementsAre(HasSubstr("widgets/b: its row is not what")));
  EXPECT_THAT(After("DELETE FROM widgets WHERE number = '2'"),
              testing::UnorderedElementsAre(
                  HasSubstr("widgets/b: it has journal entries and no row"),
                  HasSubstr("fits refers to widgets/b")));
}

TEST_F(CheckTest, FindsAByteOfAnOldEntry) {
  EXPECT_THAT(After("UPDATE journal SET body = set_byte(body, 3, 88) "
                    "WHERE revision = 0"),
              testing::Contains(HasSubstr("entry 0 (widgets/a)")));
}

TEST_F(CheckTest, FindsARowPutBackToAnEarlierEntry) {
  TestReplica& replica = NewReplica();
  ASSERT_TRUE(replica.Put(MakeWidget("a", "3"), kUpdated).ok());
  EXPECT_THAT(
      After("UPDATE widgets w SET body = j.body, revision = 0, "
            "number = '1' FROM journal j "
            "WHERE j.revision = 0 AND w.name = j.name"),
      testing::ElementsAre(HasSubstr("widgets/a: its row is of revision 0")));
}

TEST_F(CheckTest, FindsPersonalFieldsThatAreNotAsTheJournal) {
  EXPECT_THAT(After("UPDATE personal SET body = set_byte(body, 3, 88)"),
              testing::ElementsAre(
                  HasSubstr("people/p: its personal fields are not what")));
  EXPECT_THAT(After("DELETE FROM personal"),
              testing::ElementsAre(
                  HasSubstr("people/p: its personal fields are not what")));
}

TEST_F(CheckTest, FindsAPersonalBodyOfNobody) {
  EXPECT_THAT(After("UPDATE personal SET resource = 'people/nobody'"),
              testing::Contains(HasSubstr("people/nobody")));
}

}  // namespace
}  // namespace transparency::journal
