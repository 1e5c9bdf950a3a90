#include <set>

#include "absl/time/clock.h"
#include "common/base/bytes.h"
#include "common/base/digest.h"
#include "common/journal/json.h"
#include "common/journal/replica/tests/workshop.h"
#include "common/journal/replica/workbench.h"
#include "common/journal/replica/writer.h"
#include "common/status/status.h"

namespace transparency::journal {
namespace {

// Rows of any table that hold `text`, in any spelling.
int64_t Traces(const postgres::TestDatabase& database,
               const std::string& text) {
  database.Run(R"sql(
    CREATE OR REPLACE FUNCTION traces(wanted text) RETURNS bigint AS $$
    DECLARE t regclass; n bigint; total bigint := 0;
    BEGIN
      FOR t IN SELECT c.oid FROM pg_class c JOIN pg_namespace s
               ON s.oid = c.relnamespace
               WHERE c.relkind = 'r' AND s.nspname = 'public' LOOP
        EXECUTE format('SELECT count(*) FROM %s t WHERE strpos(t::text, $1) > 0 '
          'OR strpos(t::text, encode(convert_to($1, ''UTF8''), ''hex'')) > 0', t)
          INTO n USING wanted;
        total := total + n;
      END LOOP;
      RETURN total;
    END $$ LANGUAGE plpgsql)sql");
  return database.Number("SELECT traces('" + text + "')");
}

class WriterPersonalTest : public WorkshopTest {};

TEST_F(WriterPersonalTest, RecordsLoseTheirPersonalFieldsAndAge) {
  TestReplica& replica = NewReplica([](ReplicaOptions* options) {
    options->writer.purge_interval = absl::Milliseconds(1);
  });
  Command command = TestReplica::Call(
      [](Decision&) { return absl::StatusOr<std::string>("name and mail"); },
      RequestId(1));
  command.recordable = [](const std::string&) { return std::string("name"); };
  EXPECT_EQ(replica.Do(command)->answer, "name and mail");
  EXPECT_EQ(replica.Do(command)->answer, "name");
  replica.clock().Advance(absl::Hours(23));
  EXPECT_EQ(replica.Do(command)->answer, "name");
  replica.clock().Advance(absl::Hours(2));
  EXPECT_TRUE(TestReplica::Eventually(
      [&] { return database_.Number("SELECT count(*) FROM requests") == 0; }));
}

// ---- batches ----

TEST_F(WriterPersonalTest,
       PersonalFieldsLiveInOneTableAndLeaveNoTraceOnceErased) {
  TestReplica& replica = NewReplica();
  TestReplica& other = NewReplica();
  const std::string mail = "ada.lovelace@example.org";
  Command create = TestReplica::Call(
      [&](Decision& decision) -> absl::StatusOr<std::string> {
        auto item = decision.Put(MakePerson("p", mail), kCreated);
        if (!item.ok()) return item.status();
        return (*item)->bytes();
      },
      RequestId(1));
  create.recordable = [](const std::string& answer) {
    test::Person person;
    person.ParseFromString(answer);
    person.clear_email();
    person.clear_phones();
    return person.SerializeAsString();
  };
  ASSERT_TRUE(replica.Do(create).ok());
  ASSERT_TRUE(replica.Put(MakePerson("q", "q@example.org"), kCreated).ok());
  EXPECT_EQ(Traces(database_, mail), 1);
  ASSERT_TRUE(other.Await(1));
  const auto person = [&](TestReplica& at) {
    return *at.store().Current()->Get<test::Person>("people/p");
  };
  EXPECT_EQ(person(other).email(), mail);
  EXPECT_EQ(person(other).phones(0), "+32 " + mail);
  EXPECT_EQ(person(other).etag(), person(replica).etag());
  EXPECT_EQ(
      NewReplica().store().Current()->Get<test::Person>("people/p")->email(),
      mail);
  ExpectSound();

  const auto erase = [](Decision& decision) -> absl::StatusOr<std::string> {
    absl::Status status = decision.ErasePersonal("people/p", "asked for");
    if (!status.ok()) return status;
    return "";
  };
  ASSERT_TRUE(replica.Do(TestReplica::Call(erase)).ok());
  ASSERT_TRUE(replica.Do(TestReplica::Call(erase)).ok());  // idempotent
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal WHERE kind = 5 AND "
                             "octet_length(body) = 0 AND reason = 'asked for'"),
            1);
  EXPECT_EQ(Traces(database_, mail), 0);
  EXPECT_EQ(Traces(database_, "lovelace"), 0);
  ASSERT_TRUE(other.Await(2));
  for (TestReplica* at : {&replica, &other}) {
    EXPECT_EQ(person(*at).email(), "");
    EXPECT_EQ(person(*at).phones_size(), 0);
    EXPECT_EQ(person(*at).role(), "guest");
    EXPECT_EQ(person(*at).etag(), person(replica).etag());
  }
  EXPECT_EQ(database_.Number("SELECT count(*) FROM personal"), 1);
  ExpectSound();
}

TEST_F(WriterPersonalTest, ChangedPersonalFieldsGetANewSaltAndEtag) {
  TestReplica& replica = NewReplica();
  const auto etag = [&] {
    return replica.store().Current()->Get<test::Person>("people/p")->etag();
  };
  ASSERT_TRUE(replica.Put(MakePerson("p", "a@example.org"), kCreated).ok());
  const std::string first = etag();
  ASSERT_TRUE(replica.Put(MakePerson("p", "b@example.org"), kUpdated).ok());
  EXPECT_NE(etag(), first);
  ASSERT_TRUE(replica.Put(MakePerson("p", ""), kUpdated).ok());
  EXPECT_EQ(database_.Number("SELECT count(*) FROM personal"), 0);
  EXPECT_EQ(Traces(database_, "example.org"), 0);
  ASSERT_TRUE(replica.Put(MakePerson("p", "a@example.org"), kUpdated).ok());
  EXPECT_EQ(Traces(database_, "a@example.org"), 1);
  ExpectSound();
}

// Every value of every table that might be a key, a salt or a digest.
std::vector<std::string> Values(const postgres::TestDatabase& database) {
  database.Run(R"sql(
    CREATE OR REPLACE FUNCTION byte_values() RETURNS SETOF bytea AS $$
    DECLARE c record;
    BEGIN
      FOR c IN SELECT table_name, column_name FROM information_schema.columns
               WHERE table_schema = 'public' AND data_type = 'bytea' LOOP
        RETURN QUERY EXECUTE format('SELECT %I FROM %I WHERE %I IS NOT NULL',
                                    c.column_name, c.table_name, c.column_name);
      END LOOP;
    END $$ LANGUAGE plpgsql)sql");
  auto session = database.Connect();
  auto rows = session->Query("SELECT v FROM byte_values() AS v", {},
                             absl::Now() + absl::Seconds(20));
  std::vector<std::string> values = {""};
  for (int row = 0; rows.ok() && row < rows->rows(); ++row) {
    values.push_back(rows->Text(row, 0));
  }
  return values;
}

// Whether some value tells that a guess is right: a digest of it, plain or
// under any key that the database holds or that is made of its secret or of a
// salt as this code makes them.
bool Confirms(const postgres::TestDatabase& database,
              const std::string& guess) {
  const std::vector<std::string> values = Values(database);
  const std::set<std::string> known(values.begin(), values.end());
  for (const std::string& value : values) {
    std::vector<std::string> keys = {value};
    for (const char* label : {"etag", "request", "actor", "body", "personal"}) {
      keys.push_back(digest::Hmac(value, label));
    }
    for (const std::string& other : values) {
      keys.push_back(digest::Hmac(value, "personal" + other));
    }
    for (const std::string& key : keys) {
      for (const std::string& made :
           {digest::Hmac(key, guess), digest::Sha256(key + guess)}) {
        if (known.count(made) > 0) return true;
      }
    }
  }
  return false;
}

TEST_F(WriterPersonalTest, NothingConfirmsAGuessAtWhatWasErased) {
  TestReplica& replica = NewReplica();
  const std::string request = digest::Sha256("the request with p@x.org");
  const test::Person person = MakePerson("p", "p@x.org");
  test::Person personal;
  personal.set_email(person.email());
  *personal.mutable_phones() = person.phones();
  const std::string body = DeterministicBytes(personal);
  const auto make = [&](const std::string& plain, const std::string& whole) {
    Command command = TestReplica::Call(
        [&](Decision& decision) -> absl::StatusOr<std::string> {
          auto item = decision.Put(person, kCreated);
          if (!item.ok()) return item.status();
          return std::string("made");
        },
        RequestId(1), plain);
    command.personal_digest = whole;
    return command;
  };
  ASSERT_TRUE(replica.Do(make("plain", request)).ok());
  EXPECT_TRUE(Confirms(database_, request));
  EXPECT_TRUE(Confirms(database_, body));
  // Other personal fields are another request; without them too.
  EXPECT_FALSE(replica.Do(make("plain", digest::Sha256("other"))).ok());
  EXPECT_FALSE(replica.Do(make("other", "")).ok());
  EXPECT_TRUE(replica.Do(make("plain", request))->repeated);

  ASSERT_TRUE(replica
                  .Do(TestReplica::Call(
                      [](Decision& decision) -> absl::StatusOr<std::string> {
                        absl::Status status =
                            decision.ErasePersonal("people/p", "asked for");
                        if (!status.ok()) return status;
                        return std::string();
                      },
                      RequestId(2)))
                  .ok());
  EXPECT_FALSE(Confirms(database_, request));
  EXPECT_FALSE(Confirms(database_, body));
  // The request is still known: it is not carried out a second time.
  auto again = replica.Do(make("plain", request));
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->repeated);
  EXPECT_FALSE(replica.Do(make("other", request)).ok());
  ExpectSound();
}

TEST_F(WriterPersonalTest, WhatReplacedPersonalFieldsLeaveNothingToConfirm) {
  TestReplica& replica = NewReplica();
  const std::string request = digest::Sha256("the request with p@x.org");
  const auto put = [&](const std::string& mail, ChangeKind kind, int id,
                       const std::string& whole) {
    Command command = TestReplica::Call(
        [mail, kind](Decision& decision) -> absl::StatusOr<std::string> {
          auto item = decision.Put(MakePerson("p", mail), kind);
          if (!item.ok()) return item.status();
          return std::string("made");
        },
        RequestId(id));
    command.personal_digest = whole;
    return replica.Do(command).ok();
  };
  ASSERT_TRUE(put("p@x.org", kCreated, 1, request));
  // Asked for again under another id, it changes nothing and is recorded too.
  ASSERT_TRUE(put("p@x.org", kUpdated, 2, request));
  EXPECT_EQ(database_.Number("SELECT count(personal_digest) FROM requests"), 2);
  ASSERT_TRUE(put("q@x.org", kUpdated, 3, digest::Sha256("q@x.org")));
  EXPECT_FALSE(Confirms(database_, request));
  EXPECT_EQ(database_.Number("SELECT count(personal_digest) FROM requests"), 1);
}

TEST_F(WriterPersonalTest, PersonalFieldsThatNoResourceTookAreNotDigested) {
  TestReplica& replica = NewReplica();
  Command command = TestReplica::Call(
      [](Decision&) { return absl::StatusOr<std::string>("looked"); },
      RequestId(1));
  command.personal_digest = digest::Sha256("p@x.org");
  ASSERT_TRUE(replica.Do(command).ok());
  EXPECT_EQ(database_.Number("SELECT count(*) FROM requests WHERE "
                             "personal_digest IS NULL"),
            1);
}

TEST_F(WriterPersonalTest, PublicDigestIsNullWhereThePublicSeesNothing) {
  TestReplica& replica = NewReplica();
  ASSERT_TRUE(replica.Put(MakePerson("p", "a@example.org"), kCreated).ok());
  ASSERT_TRUE(replica.Put(MakeWidget("a", "1"), kCreated).ok());
  EXPECT_EQ(database_.Number(
                "SELECT count(*) FROM journal WHERE public_digest IS NULL"),
            1);
  // Hidden fields do not enter it.
  test::Widget other = MakeWidget("a", "1");
  other.set_secret_note("another");
  replica.clock().Advance(absl::ZeroDuration());
  ASSERT_TRUE(replica.Put(other, kUpdated).ok());
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal"), 3);
}

// Whoever has the public form can check it: the etag, which is the server's
// own, is left out.
TEST_F(WriterPersonalTest, PublicDigestIsThatOfTheFormWithoutItsEtag) {
  TestReplica& replica = NewReplica();
  test::Widget widget = MakeWidget("a", "1");
  widget.set_secret_note("hidden");
  ASSERT_TRUE(replica.Put(widget, kCreated).ok());
  test::Widget seen =
      *replica.store().Current()->Get<test::Widget>("widgets/a");
  seen.clear_secret_note();
  seen.clear_etag();
  const std::string digest = digest::Sha256(CanonicalJson(seen));
  auto rows = database_.Connect()->Query("SELECT public_digest FROM journal",
                                         {}, absl::Now() + absl::Seconds(20));
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows->Text(0, 0), digest);
}

}  // namespace
}  // namespace transparency::journal
