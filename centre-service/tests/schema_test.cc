// Each constraint of the schema, reached by hand-written SQL: the service's
// rules decide first, so that only a defect of theirs would get here.

#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "common/postgres/migrations.h"
#include "common/postgres/testing/test_database.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "schema/centre_schema.h"
#include "schema/journal_schema.h"

namespace transparency::centre {
namespace {

constexpr char kCentreAndSpaces[] = R"sql(
  INSERT INTO centres (name, revision, body, country, time_zone)
    VALUES ('centres/c', 0, '', 'BE', 'Europe/Brussels');
  INSERT INTO spaces (name, revision, body, parent, category, occupancy, capacity)
    VALUES ('centres/c/spaces/room', 0, '', 'centres/c', 'MEETING_ROOM', 'EXCLUSIVE', 10),
           ('centres/c/spaces/hall', 0, '', 'centres/c', 'MEETING_ROOM', 'SHARED', 20);
)sql";

std::string Booking(absl::string_view id, absl::string_view space,
                    absl::string_view start, absl::string_view end,
                    absl::string_view free_from,
                    absl::string_view state = "CONFIRMED", int party = 8) {
  return absl::StrCat(
      "INSERT INTO bookings (name, revision, body, parent, owner, purpose,"
      " state, start_time, end_time, hold_expire_time, party, occupied_spaces)"
      " VALUES ('centres/c/bookings/",
      id, "', 0, '', 'centres/c', 'alice', 'SHOWCASE', '", state,
      "', '2026-03-04 ", start, "Z', '2026-03-04 ", end, "Z', ",
      state == "HELD" ? "'2026-03-04 00:00Z'" : "NULL", ", '{\"size\": ", party,
      "}', '[{\"space\": \"centres/c/spaces/", space,
      "\", \"free_from\": \"2026-03-04T", free_from, ":00Z\"",
      space == "hall" ? ", \"shared\": true" : "", "}]');");
}

class Schema : public ::testing::Test {
 protected:
  Schema() { database_.Run(kCentreAndSpaces); }

  static absl::Status Build(postgres::Session& session) {
    return postgres::Migrate(&session, {schema::Journal(), schema::Centre()})
        .status();
  }

  // Runs a transaction to its end, deferred constraints included.
  bool Refused(absl::string_view constraint, absl::string_view script) {
    const absl::Status status = database_.Try(absl::StrCat(
        "BEGIN; ", script, " SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK;"));
    EXPECT_FALSE(status.ok()) << script;
    return !status.ok() && absl::StrContains(status.ToString(), constraint);
  }
  bool Taken(absl::string_view script) {
    const absl::Status status = database_.Try(script);
    EXPECT_TRUE(status.ok()) << status;
    return status.ok();
  }

  postgres::TestDatabase database_{"centre", Build};
};

TEST_F(Schema, AnExclusiveSpaceIsNeverTakenTwice) {
  ASSERT_TRUE(Taken(Booking("a", "room", "10:00", "11:00", "11:30")));
  EXPECT_TRUE(Refused("booking_spaces_never_twice",
                      Booking("b", "room", "10:30", "12:00", "12:00")));
  EXPECT_TRUE(Refused("booking_spaces_never_twice",
                      Booking("b", "room", "11:29", "12:00", "12:00")));
  EXPECT_TRUE(Taken(Booking("b", "room", "11:30", "12:00", "12:00")));
}

TEST_F(Schema, EveryStateThatTakesASpaceIsBehindTheWall) {
  ASSERT_TRUE(Taken(Booking("a", "room", "10:00", "11:00", "11:00")));
  for (const char* state :
       {"HELD", "REQUESTED", "CONFIRMED", "CHECKED_IN", "COMPLETED"}) {
    EXPECT_TRUE(Refused("booking_spaces_never_twice",
                        Booking("b", "room", "10:00", "11:00", "11:00", state)))
        << state;
  }
  int number = 0;
  for (const char* state : {"DECLINED", "CANCELLED", "EXPIRED", "NO_SHOW"}) {
    EXPECT_TRUE(Taken(Booking(absl::StrCat("n", ++number), "room", "10:00",
                              "11:00", "11:00", state)))
        << state;
  }
}

TEST_F(Schema, ACancelledBookingLetsTheNextOneIn) {
  ASSERT_TRUE(Taken(Booking("a", "room", "10:00", "11:00", "11:00")));
  ASSERT_TRUE(Taken("UPDATE bookings SET state = 'CANCELLED'"));
  EXPECT_TRUE(Taken(Booking("b", "room", "10:00", "11:00", "11:00")));
  EXPECT_TRUE(Refused("booking_spaces_never_twice",
                      "UPDATE bookings SET state = 'CONFIRMED';"));
}

TEST_F(Schema, OneTransactionMayCancelAndBookAnew) {
  ASSERT_TRUE(Taken(Booking("a", "room", "10:00", "11:00", "11:00")));
  EXPECT_TRUE(Taken(absl::StrCat(
      "BEGIN; ", Booking("b", "room", "10:00", "11:00", "11:00"),
      " UPDATE bookings SET state = 'CANCELLED' WHERE name LIKE '%/a';"
      " COMMIT;")));
}

TEST_F(Schema, ASharedSpaceNeverHoldsMoreThanItsCapacity) {
  ASSERT_TRUE(
      Taken(Booking("a", "hall", "10:00", "12:00", "12:00", "CONFIRMED", 12)));
  EXPECT_TRUE(
      Taken(Booking("b", "hall", "11:00", "13:00", "13:00", "CONFIRMED", 8)));
  EXPECT_TRUE(
      Refused("booking_spaces_within_capacity",
              Booking("d", "hall", "09:00", "11:01", "11:01", "CONFIRMED", 9)));
  EXPECT_TRUE(
      Refused("booking_spaces_within_capacity",
              Booking("d", "hall", "11:30", "11:31", "11:31", "CONFIRMED", 1)));
  EXPECT_TRUE(
      Taken(Booking("d", "hall", "12:00", "13:00", "13:00", "CONFIRMED", 12)));
}

// A space that holds fewer people than it did: what is not changed stays.
TEST_F(Schema, ABookingKeepsWhatItTookWhenItIsWrittenAgain) {
  ASSERT_TRUE(
      Taken(Booking("a", "hall", "08:00", "10:00", "10:00", "CONFIRMED", 15)));
  ASSERT_TRUE(Taken("UPDATE spaces SET capacity = 10"));
  // As the service writes: every column, whatever has changed.
  EXPECT_TRUE(Taken(
      "UPDATE bookings SET revision = 1, state = 'COMPLETED',"
      " start_time = start_time, party = party || '{\"category\": \"X\"}',"
      " occupied_spaces = occupied_spaces"));
  EXPECT_EQ(database_.Number("SELECT sum(party_size) FROM booking_spaces"), 15);
  EXPECT_TRUE(Refused("booking_spaces_within_capacity",
                      "UPDATE bookings SET party = '{\"size\": 14}';"));
  EXPECT_TRUE(
      Refused("booking_spaces_within_capacity",
              "UPDATE bookings SET start_time = start_time + '1 hour';"));
  EXPECT_TRUE(Taken("UPDATE bookings SET state = 'CANCELLED'"));
  EXPECT_EQ(database_.Number("SELECT count(*) FROM booking_spaces"), 0);
  EXPECT_TRUE(Refused("booking_spaces_within_capacity",
                      "UPDATE bookings SET state = 'CONFIRMED';"));
}

TEST_F(Schema, ABookingIsLookedAtForAsLongAsItLasts) {
  ASSERT_TRUE(Taken(absl::StrCat(
      "UPDATE spaces SET capacity = 30;",
      Booking("a", "hall", "07:00", "08:30", "08:30", "COMPLETED", 18),
      Booking("b", "hall", "08:00", "11:30", "11:30", "COMPLETED", 12),
      Booking("c", "hall", "11:00", "14:00", "14:00", "CHECKED_IN", 8))));
  ASSERT_TRUE(Taken("UPDATE spaces SET capacity = 20"));
  // At 08:00 there were 30 people, but this one had not come yet.
  EXPECT_TRUE(Taken(
      "UPDATE bookings SET party = '{\"size\": 7}' WHERE name LIKE '%/c'"));
  EXPECT_TRUE(Refused(
      "booking_spaces_within_capacity",
      "UPDATE bookings SET party = '{\"size\": 9}' WHERE name LIKE '%/c';"));
}

TEST_F(Schema, NamesStandBelowTheirParents) {
  EXPECT_TRUE(
      Refused("centres_name_form", "UPDATE centres SET name = 'centres/No';"));
  EXPECT_TRUE(Refused("spaces_name_below_parent",
                      "UPDATE spaces SET name = 'centres/d/spaces/x'"
                      " WHERE occupancy = 'SHARED';"));
  EXPECT_TRUE(Refused("spaces_parent_fkey",
                      "UPDATE spaces SET parent = 'centres/d',"
                      " name = 'centres/d/spaces/x'"
                      " WHERE occupancy = 'SHARED';"));
  ASSERT_TRUE(Taken(Booking("a", "room", "10:00", "11:00", "11:00")));
  EXPECT_TRUE(Refused("bookings_name_below_parent",
                      "UPDATE bookings SET name = 'centres/d/bookings/a';"));
  EXPECT_TRUE(Refused("bookings_parent_fkey",
                      absl::StrReplaceAll(Booking("a", "room", "10:00", "11:00",
                                                  "11:00", "CANCELLED"),
                                          {{"centres/c", "centres/d"}})));
  EXPECT_TRUE(Refused("booking_spaces_booking_fkey",
                      "DELETE FROM booking_spaces;"
                      " INSERT INTO booking_spaces VALUES"
                      " ('centres/c/bookings/z', 'centres/c/spaces/room',"
                      " '[2026-03-04,2026-03-05)', false, 1);"));
  EXPECT_TRUE(Refused(
      "visitors_parent_fkey",
      "INSERT INTO visitors (name, revision, body, parent, owner, category)"
      " VALUES ('centres/c/bookings/z/visitors/v', 0, '',"
      " 'centres/c/bookings/z', 'alice', 'MEDIA');"));
  EXPECT_TRUE(Refused(
      "visitors_name_below_parent",
      "INSERT INTO visitors (name, revision, body, parent, owner, category)"
      " VALUES ('centres/c/bookings/z/visitors/v', 0, '',"
      " 'centres/c/bookings/a', 'alice', 'MEDIA');"));
}

TEST_F(Schema, ABookingNamesSpacesThatExist) {
  EXPECT_TRUE(Refused("booking_spaces_space_fkey",
                      Booking("a", "attic", "10:00", "11:00", "11:00")));
}

TEST_F(Schema, FieldsKeepTheirForm) {
  EXPECT_TRUE(Refused("centres_country_form",
                      "UPDATE centres SET country = 'Belgium';"));
  EXPECT_TRUE(Refused("centres_revision_not_negative",
                      "UPDATE centres SET revision = -1;"));
  EXPECT_TRUE(
      Refused("spaces_capacity_positive", "UPDATE spaces SET capacity = 0;"));
  EXPECT_TRUE(Refused("spaces_occupancy_known",
                      "UPDATE spaces SET occupancy = 'BOTH';"));
  ASSERT_TRUE(Taken(Booking("a", "room", "10:00", "11:00", "11:00")));
  EXPECT_TRUE(Refused("bookings_end_after_start",
                      "UPDATE bookings SET end_time = start_time;"));
  EXPECT_TRUE(
      Refused("bookings_state_known", "UPDATE bookings SET state = 'LOST';"));
  EXPECT_TRUE(
      Refused("bookings_hold_expires", "UPDATE bookings SET state = 'HELD';"));
  EXPECT_TRUE(
      Refused("bookings_owner_named", "UPDATE bookings SET owner = '';"));
  EXPECT_TRUE(Refused("booking_spaces_party_size_positive",
                      "UPDATE bookings SET party = '{\"size\": 0}';"));
  EXPECT_TRUE(Refused(
      "visitors_owner_named",
      "INSERT INTO visitors (name, revision, body, parent, owner, category)"
      " VALUES ('centres/c/bookings/a/visitors/v', 0, '',"
      " 'centres/c/bookings/a', '', 'MEDIA');"));
}

TEST_F(Schema, HoldsNoColumnForAPersonalField) {
  EXPECT_EQ(database_.Number(
                "SELECT count(*) FROM information_schema.columns WHERE"
                " table_name IN ('bookings', 'visitors') AND column_name IN"
                " ('contact', 'display_name', 'email', 'organization')"),
            0);
}

// A database of version 1 with records in it becomes one of today, and is then
// no longer for binaries of version 1.
TEST(Upgrade, KeepsTheRecordsThatAreThere) {
  postgres::Component first = schema::Centre();
  first.migrations.resize(1);
  const postgres::TestDatabase database;
  const auto session = database.Connect();
  ASSERT_TRUE(postgres::Migrate(session.get(), {first}).ok());
  ASSERT_TRUE(postgres::CheckSchema(session.get(), {first}).ok());
  database.Run(kCentreAndSpaces);
  const auto done = postgres::Migrate(session.get(), {schema::Centre()});
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_TRUE(postgres::CheckSchema(session.get(), {schema::Centre()}).ok());
  EXPECT_FALSE(postgres::CheckSchema(session.get(), {first}).ok());
  EXPECT_EQ(database.Number("SELECT count(*) FROM spaces"
                            " WHERE delete_time IS NULL"),
            2);
}

}  // namespace
}  // namespace transparency::centre
