// The constraints of the database refuse what the rules refuse, by hand-written
// SQL: the second wall.
#include <string>

#include "absl/strings/str_cat.h"
#include "common/postgres/migrations.h"
#include "common/postgres/sqlstate.h"
#include "common/postgres/testing/test_database.h"
#include "gtest/gtest.h"
#include "schema/standards_schema.h"

namespace transparency::standards {
namespace {

class SchemaTest : public ::testing::Test {
 protected:
  SchemaTest()
      : database_("standards", [](postgres::Session& session) {
          return postgres::Migrate(&session, {schema::Standards()}).status();
        }) {
    database_.Run(Organization("etsi") + Organization("ccsa"));
  }

  static std::string Organization(const std::string& id,
                                  const std::string& parent = "NULL") {
    return absl::StrCat(
        "INSERT INTO organizations"
        " (name, revision, body, display_name, parent_organization) VALUES"
        " ('organizations/",
        id, "', 0, '', 'A name', ", parent, ");");
  }
  // `period` gives period_from, period_until and period_open_ended.
  static std::string Member(const std::string& id, const std::string& period,
                            const std::string& partner = "NULL",
                            const std::string& entity = "'Huawei'") {
    return absl::StrCat(
        "INSERT INTO memberships"
        " (name, revision, body, parent, legal_entity, partner, period_from,"
        " period_until, period_open_ended) VALUES"
        " ('organizations/etsi/memberships/",
        id, "', 0, '', 'organizations/etsi', ", entity, ", ", partner, ", ",
        period, ");");
  }
  static std::string Standard(const std::string& id, const std::string& more,
                              const std::string& values) {
    return absl::StrCat(
        "INSERT INTO standards (name, revision, body, designation", more,
        ") VALUES ('standards/", id, "', 0, '', 'O-TTPS'", values, ");");
  }
  static std::string Publication(const std::string& more,
                                 const std::string& values) {
    return absl::StrCat("INSERT INTO publications (name, revision, body, title",
                        more, ") VALUES ('publications/p', 0, '', 'P'", values,
                        ");");
  }
  static std::string Commitment(const std::string& more,
                                const std::string& values) {
    return absl::StrCat(
        "INSERT INTO commitments (name, revision, body, initiative", more,
        ") VALUES ('commitments/c', 0, '', 'Call'", values, ");");
  }

  void ExpectRefused(const std::string& script, const std::string& constraint) {
    const absl::Status refused = database_.Try(script);
    EXPECT_FALSE(refused.ok()) << script;
    EXPECT_EQ(postgres::ErrorOf(refused).constraint, constraint) << script;
  }

  postgres::TestDatabase database_;
};

constexpr char kYear2019[] = "'2019-01-01', '2019-12-31', false";
constexpr char kSinceMid2019[] = "'2019-07-01', NULL, true";
constexpr char kUnknown[] = "NULL, NULL, false";

TEST_F(SchemaTest, MembershipsNeverSurelyOverlap) {
  database_.Run(Member("a", kYear2019));
  ExpectRefused(Member("b", kSinceMid2019), "memberships_never_surely_overlap");
  database_.Run(Member("b", kSinceMid2019, "'organizations/ccsa'"));
  ExpectRefused(Member("c", kYear2019, "'organizations/ccsa'"),
                "memberships_never_surely_overlap");
  database_.Run(Member("c", kSinceMid2019, "NULL", "'Other'"));
}

TEST_F(SchemaTest, MembershipsWithOpenDatesMayStandTogether) {
  database_.Run(Member("a", kYear2019));
  database_.Run(Member("b", "NULL, NULL, true"));
  database_.Run(Member("c", "'2019-07-01', NULL, false"));
  database_.Run(Member("d", kUnknown));
}

TEST_F(SchemaTest, AMembershipMayEndAndAnotherBeginInOneTransaction) {
  database_.Run(Member("a", kSinceMid2019));
  database_.Run(
      absl::StrCat("BEGIN;", Member("b", kYear2019),
                   "DELETE FROM memberships WHERE name LIKE '%/a'; COMMIT;"));
}

TEST_F(SchemaTest, DeletedMembershipsStandInNobodysWay) {
  database_.Run(Member("a", kYear2019) +
                "UPDATE memberships SET delete_time = '2026-03-02';");
  database_.Run(Member("b", kSinceMid2019));
  ExpectRefused(
      "UPDATE memberships SET delete_time = NULL WHERE name LIKE '%/a';",
      "memberships_never_surely_overlap");
  ExpectRefused(Member("c", kYear2019), "memberships_never_surely_overlap");
}

TEST_F(SchemaTest, DeletedStandardsGiveTheirDesignationFree) {
  const std::string more = ", publisher, version";
  const std::string values = ", 'organizations/etsi', '1.0'";
  database_.Run(Standard("a", more, values) +
                "UPDATE standards SET delete_time = '2026-03-02';");
  database_.Run(Standard("b", more, values));
  ExpectRefused(
      "UPDATE standards SET delete_time = NULL WHERE name = 'standards/a';",
      "standards_unique_per_publisher");
  ExpectRefused(Standard("c", more, values), "standards_unique_per_publisher");
}

TEST_F(SchemaTest, MembershipsNameWhatExists) {
  ExpectRefused(Member("a", kUnknown, "'organizations/none'"),
                "memberships_partner_exists");
  ExpectRefused(Member("a", kUnknown, "'organizations/etsi'"),
                "memberships_not_its_own_partner");
  ExpectRefused(Member("a", kUnknown, "NULL", "''"),
                "memberships_legal_entity_given");
  ExpectRefused(
      "INSERT INTO memberships (name, revision, body, parent, legal_entity)"
      " VALUES ('organizations/x/memberships/m', 0, '', 'organizations/x',"
      " 'Huawei')",
      "memberships_organization_exists");
  ExpectRefused(
      "INSERT INTO memberships (name, revision, body, parent, legal_entity)"
      " VALUES ('organizations/etsi/memberships/m', 0, '',"
      " 'organizations/ccsa', 'Huawei')",
      "memberships_name_under_parent");
  database_.Run(Member("a", kUnknown));
  ExpectRefused(Member("a", kUnknown), "memberships_pkey");
  ExpectRefused(Member("b", "'2019-01-01', '2019-12-31', true"),
                "memberships_ends_or_is_open_ended");
  ExpectRefused("UPDATE memberships SET revision = -1",
                "memberships_revision_not_negative");
  ExpectRefused("DELETE FROM organizations WHERE name = 'organizations/etsi'",
                "memberships_organization_exists");
}

TEST_F(SchemaTest, Organizations) {
  ExpectRefused(Organization("etsi"), "organizations_pkey");
  ExpectRefused(Organization("ETSI"), "organizations_name_form");
  ExpectRefused(Organization("a", "'organizations/none'"),
                "organizations_parent_exists");
  ExpectRefused(Organization("a", "'organizations/a'"),
                "organizations_not_its_own_parent");
  ExpectRefused("UPDATE organizations SET display_name = ''",
                "organizations_display_name_given");
  ExpectRefused("UPDATE organizations SET revision = -1",
                "organizations_revision_not_negative");
}

TEST_F(SchemaTest, Standards) {
  database_.Run(
      Standard("a", ", publisher, version", ", 'organizations/etsi', '1.0'"));
  database_.Run(Standard("b", ", publisher", ", 'organizations/etsi'"));
  ExpectRefused(
      Standard("c", ", publisher, version", ", 'organizations/etsi', '1.0'"),
      "standards_unique_per_publisher");
  ExpectRefused(Standard("c", ", publisher", ", 'organizations/etsi'"),
                "standards_unique_per_publisher");
  ExpectRefused(Standard("a", "", ""), "standards_pkey");
  ExpectRefused(Standard("C", "", ""), "standards_name_form");
  ExpectRefused(Standard("c", ", publisher", ", 'organizations/none'"),
                "standards_publisher_exists");
  ExpectRefused(Standard("c", ", successor", ", 'standards/a'"),
                "standards_successor_when_superseded");
  ExpectRefused(
      Standard("c", ", successor, status", ", 'standards/none', 'SUPERSEDED'"),
      "standards_successor_exists");
  ExpectRefused(
      Standard("c", ", successor, status", ", 'standards/c', 'SUPERSEDED'"),
      "standards_not_its_own_successor");
  ExpectRefused("UPDATE standards SET designation = ''",
                "standards_designation_given");
  ExpectRefused("UPDATE standards SET revision = -1",
                "standards_revision_not_negative");
}

TEST_F(SchemaTest, Publications) {
  ExpectRefused(Publication(", state", ", 'LOST'"), "publications_state_known");
  ExpectRefused(
      Publication(", state, retirement_date", ", 'PUBLISHED', '2020-01-01'"),
      "publications_retirement_when_retired");
  database_.Run(Publication(", state", ", 'DRAFT'"));
  ExpectRefused(Publication(", state", ", 'DRAFT'"), "publications_pkey");
  ExpectRefused("UPDATE publications SET name = 'publications/P'",
                "publications_name_form");
  ExpectRefused("UPDATE publications SET title = ''",
                "publications_title_given");
  ExpectRefused("UPDATE publications SET revision = -1",
                "publications_revision_not_negative");
}

TEST_F(SchemaTest, Commitments) {
  ExpectRefused(
      Commitment(", join_date, end_date", ", '2020-01-02', '2020-01-01'"),
      "commitments_end_not_before_joining");
  ExpectRefused(Commitment(", organization", ", 'organizations/none'"),
                "commitments_organization_exists");
  database_.Run(Commitment(", organization", ", 'organizations/etsi'"));
  ExpectRefused(Commitment("", ""), "commitments_pkey");
  ExpectRefused("UPDATE commitments SET name = 'commitments/C'",
                "commitments_name_form");
  ExpectRefused("UPDATE commitments SET initiative = ''",
                "commitments_initiative_given");
  ExpectRefused("UPDATE commitments SET revision = -1",
                "commitments_revision_not_negative");
}

// A database of version 1 with records in it becomes one of today, and is then
// no longer for binaries of version 1.
TEST(Upgrade, KeepsTheRecordsThatAreThere) {
  postgres::Component first = schema::Standards();
  first.migrations.resize(1);
  const postgres::TestDatabase database;
  const auto session = database.Connect();
  ASSERT_TRUE(postgres::Migrate(session.get(), {first}).ok());
  ASSERT_TRUE(postgres::CheckSchema(session.get(), {first}).ok());
  database.Run(
      "INSERT INTO organizations (name, revision, body, display_name)"
      " VALUES ('organizations/o', 0, '', 'O');"
      "INSERT INTO standards (name, revision, body, designation, publisher)"
      " VALUES ('standards/s', 0, '', 'D', 'organizations/o');"
      "INSERT INTO memberships (name, revision, body, parent, legal_entity,"
      " period_from, period_open_ended) VALUES"
      " ('organizations/o/memberships/m', 0, '', 'organizations/o', 'L',"
      " '2020-01-01', true);");
  const auto done = postgres::Migrate(session.get(), {schema::Standards()});
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_TRUE(postgres::CheckSchema(session.get(), {schema::Standards()}).ok());
  EXPECT_FALSE(postgres::CheckSchema(session.get(), {first}).ok());
  EXPECT_EQ(database.Number("SELECT count(*) FROM memberships"
                            " WHERE delete_time IS NULL"),
            1);
}

}  // namespace
}  // namespace transparency::standards
