#include "common/journal/tests/workshop.h"
#include "common/journal/writer.h"
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

}  // namespace
}  // namespace transparency::journal
