// The constraints of the database refuse what the rules refuse, by hand-written
// SQL: the second wall.
#include <string>

#include "absl/strings/str_cat.h"
#include "common/postgres/migrations.h"
#include "common/postgres/sqlstate.h"
#include "common/postgres/testing/test_database.h"
#include "gtest/gtest.h"
#include "schema/certification_schema.h"

namespace transparency::certification {
namespace {

class SchemaTest : public ::testing::Test {
 protected:
  SchemaTest()
      : database_("certification", [](postgres::Session& session) {
          return postgres::Migrate(&session, {schema::Certification()})
              .status();
        }) {
    database_.Run(
        "INSERT INTO schemes (name, revision, body, title)"
        " VALUES ('schemes/s', 0, '', 'S');"
        "INSERT INTO bodies (name, revision, body, display_name)"
        " VALUES ('bodies/a', 0, '', 'A'), ('bodies/b', 0, '', 'B');");
  }

  // `columns` and `values` begin with a comma where they are not empty.
  static std::string Certificate(const std::string& id,
                                 const std::string& columns = "",
                                 const std::string& values = "",
                                 const std::string& state = "ACTIVE",
                                 const std::string& recorded = "false") {
    return absl::StrCat(
        "INSERT INTO certificates (name, revision, body, scheme, state,"
        " recorded_not_decided",
        columns, ") VALUES ('certificates/", id, "', 0, '', 'schemes/s', '",
        state, "', ", recorded, values, ");");
  }
  static std::string Numbered(const std::string& id, const std::string& body,
                              const std::string& number) {
    return Certificate(id, ", certification_body, certificate_number",
                       absl::StrCat(", ", body, ", ", number));
  }

  void ExpectRefused(const std::string& script, const std::string& constraint) {
    const absl::Status refused = database_.Try(script);
    EXPECT_FALSE(refused.ok()) << script;
    EXPECT_EQ(postgres::ErrorOf(refused).constraint, constraint) << script;
  }

  postgres::TestDatabase database_;
};

TEST_F(SchemaTest, ABodyGivesANumberOnce) {
  database_.Run(Numbered("one", "'bodies/a'", "'N-1'"));
  ExpectRefused(Numbered("two", "'bodies/a'", "'N-1'"),
                "certificates_number_unique");
  database_.Run(Numbered("two", "'bodies/b'", "'N-1'"));
  database_.Run(Numbered("three", "'bodies/a'", "'N-2'"));
  database_.Run(Numbered("four", "NULL", "'N-1'"));
  database_.Run(Numbered("five", "NULL", "'N-1'"));
}

TEST_F(SchemaTest, ANumberMayChangeHandsInOneTransaction) {
  database_.Run(Numbered("one", "'bodies/a'", "'N-1'"));
  database_.Run(
      absl::StrCat("BEGIN;", Numbered("two", "'bodies/a'", "'N-1'"),
                   "UPDATE certificates SET certificate_number = 'N-2'"
                   " WHERE name = 'certificates/one'; COMMIT;"));
}

TEST_F(SchemaTest, ADeletedCertificateGivesItsNumberFree) {
  const std::string undelete =
      "UPDATE certificates SET delete_time = NULL"
      " WHERE name = 'certificates/one';";
  database_.Run(Numbered("one", "'bodies/a'", "'N-1'") +
                "UPDATE certificates SET delete_time = '2026-03-02';");
  database_.Run(Numbered("two", "'bodies/a'", "'N-1'"));
  ExpectRefused(undelete, "certificates_number_unique");
  ExpectRefused(Numbered("three", "'bodies/a'", "'N-1'"),
                "certificates_number_unique");
  database_.Run(
      absl::StrCat("BEGIN;", undelete,
                   "UPDATE certificates SET delete_time = '2026-03-03'"
                   " WHERE name = 'certificates/two'; COMMIT;"));
}

TEST_F(SchemaTest, TheLastValidDayIsNotBeforeTheFirst) {
  const std::string columns = ", first_valid_date, last_valid_date";
  database_.Run(Certificate("one", columns, ", '2026-03-02', '2026-03-02'"));
  database_.Run(Certificate("two", columns, ", NULL, '2026-03-02'"));
  ExpectRefused(Certificate("three", columns, ", '2026-03-02', '2026-03-01'"),
                "certificates_last_day_not_before_first");
}

TEST_F(SchemaTest, WhatACertificateRefersToExists) {
  for (const char* column :
       {"certification_body", "laboratory", "predecessor", "successor"}) {
    const bool body = column[0] == 'c' || column[0] == 'l';
    ExpectRefused(
        Certificate("one", absl::StrCat(", ", column),
                    body ? ", 'bodies/none'" : ", 'certificates/none'"),
        absl::StrCat("certificates_", column, "_fkey"));
  }
  ExpectRefused(
      "INSERT INTO certificates (name, revision, body, scheme, state,"
      " recorded_not_decided) VALUES ('certificates/one', 0, '', 'schemes/x',"
      " 'ACTIVE', false);",
      "certificates_scheme_fkey");
  database_.Run(Numbered("one", "'bodies/a'", "NULL"));
  ExpectRefused("DELETE FROM schemes", "certificates_scheme_fkey");
  ExpectRefused("DELETE FROM bodies", "certificates_certification_body_fkey");
}

TEST_F(SchemaTest, ACertificateDoesNotSucceedItself) {
  ExpectRefused(Certificate("one", ", predecessor", ", 'certificates/one'"),
                "certificates_predecessor_is_another");
  ExpectRefused(Certificate("one", ", successor", ", 'certificates/one'"),
                "certificates_successor_is_another");
}

TEST_F(SchemaTest, StatesAreThoseOfTheContract) {
  ExpectRefused(Certificate("one", "", "", "VALID"),
                "certificates_state_known");
  ExpectRefused(Certificate("one", "", "", "UNDETERMINED"),
                "certificates_undetermined_is_recorded");
  database_.Run(Certificate("one", "", "", "UNDETERMINED", "true"));
}

TEST_F(SchemaTest, NamesHaveTheirForm) {
  ExpectRefused(Certificate("One"), "certificates_name_form");
  ExpectRefused(Certificate("one-"), "certificates_name_form");
  ExpectRefused(
      "INSERT INTO schemes (name, revision, body, title)"
      " VALUES ('bodies/s', 0, '', 'S')",
      "schemes_name_form");
  ExpectRefused(
      "INSERT INTO bodies (name, revision, body, display_name, country)"
      " VALUES ('bodies/c', 0, '', 'C', 'Germany')",
      "bodies_country_form");
  ExpectRefused(
      "INSERT INTO bodies (name, revision, body, display_name)"
      " VALUES ('bodies/c/d', 0, '', 'C')",
      "bodies_name_form");
  ExpectRefused(
      "INSERT INTO products (name, revision, body, display_name)"
      " VALUES ('products/', 0, '', 'P')",
      "products_name_form");
  ExpectRefused(
      "INSERT INTO management_systems (name, revision, body, display_name)"
      " VALUES ('management_systems/m', 0, '', 'M')",
      "management_systems_name_form");
}

TEST_F(SchemaTest, NamesAreTakenOnceAndRevisionsCountFromZero) {
  database_.Run(Certificate("one"));
  ExpectRefused(Certificate("one"), "certificates_pkey");
  for (const char* table : {"schemes", "bodies", "certificates"}) {
    ExpectRefused(absl::StrCat("UPDATE ", table, " SET revision = -1"),
                  absl::StrCat(table, "_revision_not_negative"));
  }
}

// A database of version 1 with records in it becomes one of today, and is then
// no longer for binaries of version 1.
TEST(Upgrade, KeepsTheRecordsThatAreThere) {
  postgres::Component first = schema::Certification();
  first.migrations.resize(1);
  const postgres::TestDatabase database;
  const auto session = database.Connect();
  ASSERT_TRUE(postgres::Migrate(session.get(), {first}).ok());
  ASSERT_TRUE(postgres::CheckSchema(session.get(), {first}).ok());
  database.Run(
      "INSERT INTO schemes (name, revision, body, title)"
      " VALUES ('schemes/s', 0, '', 'S');"
      "INSERT INTO bodies (name, revision, body, display_name)"
      " VALUES ('bodies/a', 0, '', 'A');"
      "INSERT INTO certificates (name, revision, body, scheme, state,"
      " recorded_not_decided, certification_body, certificate_number)"
      " VALUES ('certificates/c', 0, '', 'schemes/s', 'ACTIVE', false,"
      " 'bodies/a', 'N-1');");
  const auto done = postgres::Migrate(session.get(), {schema::Certification()});
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_TRUE(
      postgres::CheckSchema(session.get(), {schema::Certification()}).ok());
  EXPECT_FALSE(postgres::CheckSchema(session.get(), {first}).ok());
  EXPECT_EQ(database.Number("SELECT count(*) FROM certificates"
                            " WHERE delete_time IS NULL"),
            1);
}

}  // namespace
}  // namespace transparency::certification
