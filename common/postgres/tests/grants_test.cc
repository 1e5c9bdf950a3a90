#include "common/postgres/grants.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/postgres/migrations.h"
#include "common/postgres/testing/test_database.h"
#include "gtest/gtest.h"

namespace transparency::postgres {
namespace {

// A table that grows alone, one of a single row, and an ordinary one.
const Migration kTables{1, "0001_tables", R"sql(
-- suits: 1
CREATE TABLE history (n int PRIMARY KEY);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no'; END $$;
CREATE TRIGGER history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON history
  FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE TABLE secret (one boolean PRIMARY KEY DEFAULT true, key int NOT NULL,
  CONSTRAINT secret_is_one CHECK (one));
INSERT INTO secret (key) VALUES (7);
CREATE TABLE things (n int PRIMARY KEY REFERENCES history);
)sql"};

absl::Status Build(Session& session) {
  return Migrate(&session, {{"test", {kTables}}}).status();
}

class Grants : public testing::Test {
 protected:
  absl::Status AsService(absl::string_view script) const {
    auto session = Session::Connect(database_.options());
    if (!session.ok()) return session.status();
    return (*session)->Execute(script, absl::Now() + absl::Seconds(60));
  }

  // All that the service may do with a table: "SELECT,INSERT".
  std::string RightsOn(absl::string_view table) const {
    const auto session = database_.Connect();
    auto result = session->Query(
        "SELECT string_agg(privilege_type, ',' ORDER BY privilege_type) "
        "FROM information_schema.table_privileges "
        "WHERE table_name = $1::text AND grantee = 'transparency_test_service'",
        Params().Text(table), absl::Now() + absl::Seconds(60));
    EXPECT_TRUE(result.ok()) << result.status();
    return result->Text(0, 0);
  }

  TestDatabase database_{"grants", Build};
};

TEST_F(Grants, FollowWhatATableIsLike) {
  EXPECT_EQ(RightsOn("schema_migrations"), "SELECT");
  EXPECT_EQ(RightsOn("secret"), "SELECT");
  EXPECT_EQ(RightsOn("history"), "INSERT,SELECT");
  EXPECT_EQ(RightsOn("things"), "DELETE,INSERT,SELECT,UPDATE");
}

TEST_F(Grants, LetAServiceReadAndWrite) {
  for (const absl::string_view script :
       {"INSERT INTO history VALUES (1), (2)", "INSERT INTO things VALUES (1)",
        "UPDATE things SET n = 2", "DELETE FROM things",
        "SELECT key FROM secret", "SELECT * FROM schema_migrations"}) {
    absl::Status status = AsService(script);
    EXPECT_TRUE(status.ok()) << script << ": " << status;
  }
  EXPECT_EQ(database_.Number("SELECT count(*) FROM history"), 2);
}

TEST_F(Grants, RefuseAServiceWhatChangesHistoryOrSchema) {
  database_.Run("INSERT INTO history VALUES (1)");
  for (const absl::string_view script :
       {"UPDATE history SET n = 2",
        "DELETE FROM history",
        "TRUNCATE history CASCADE",
        "TRUNCATE things",
        "ALTER TABLE history DISABLE TRIGGER history_append_only",
        "ALTER TABLE history DISABLE TRIGGER ALL",
        "DROP TRIGGER history_append_only ON history",
        R"(CREATE OR REPLACE FUNCTION refuse() RETURNS trigger
               LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$)",
        "ALTER TABLE history ADD COLUMN m int",
        "DROP TABLE history CASCADE",
        "DROP TABLE things",
        "CREATE TABLE mine (n int)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE INDEX ON things (n)",
        "CREATE RULE mine AS ON INSERT TO history DO INSTEAD NOTHING",
        "SET session_replication_role = replica",
        "UPDATE secret SET key = 8",
        "DELETE FROM secret",
        "INSERT INTO secret (key) VALUES (8)",
        "UPDATE schema_migrations SET suits = 9",
        "DELETE FROM schema_migrations",
        "COPY history TO PROGRAM 'cat'"}) {
    EXPECT_FALSE(AsService(script).ok()) << script;
  }
  // PostgreSQL warns of this one, and does nothing.
  (void)AsService("GRANT ALL ON history TO transparency_test_service");
  EXPECT_EQ(RightsOn("history"), "INSERT,SELECT");
  EXPECT_EQ(database_.Number("SELECT count(*) FROM history WHERE n = 1"), 1);
}

TEST_F(Grants, TakeBackWhatWasGrantedOtherwise) {
  database_.Run(
      "GRANT ALL ON history TO transparency_test_service;"
      "GRANT CREATE ON SCHEMA public TO transparency_test_service, PUBLIC;"
      "GRANT ALL ON things TO PUBLIC");
  const auto session = database_.Connect();
  for (int again = 0; again < 2; ++again) {
    absl::Status status =
        GrantService(session.get(), "transparency_test_service");
    ASSERT_TRUE(status.ok()) << status;
  }
  EXPECT_EQ(RightsOn("history"), "INSERT,SELECT");
  EXPECT_EQ(RightsOn("things"), "DELETE,INSERT,SELECT,UPDATE");
  EXPECT_FALSE(AsService("CREATE TABLE mine (n int)").ok());
  EXPECT_FALSE(AsService("CREATE TEMPORARY TABLE mine (n int)").ok());
  EXPECT_FALSE(AsService("TRUNCATE things").ok());
}

TEST_F(Grants, DoNotLetAServiceMigrate) {
  auto session = Session::Connect(database_.options());
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(Build(**session).code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(Grants, AreNotForRolesThatCouldChangeTheSchema) {
  const auto session = database_.Connect();
  EXPECT_EQ(GrantService(session.get(), "no such role").code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(GrantService(session.get(), "postgres").code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace transparency::postgres
