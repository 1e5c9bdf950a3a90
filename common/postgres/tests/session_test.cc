#include "common/postgres/session.h"

#include <soci/soci.h>

#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "common/postgres/sqlstate.h"
#include "common/postgres/testing/test_database.h"
#include "gtest/gtest.h"

namespace transparency::postgres {
namespace {

absl::Time Soon() { return absl::Now() + absl::Seconds(20); }

TEST(Session, CarriesEveryTypeThereAndBack) {
  TestDatabase database;
  auto session = database.Connect();
  const absl::Time when = absl::FromUnixMicros(1700000000123456);
  const std::string bytes("\0\x01\xff'\\", 5);
  Params params;
  params.Text("it's \"so\" é").Bytes(bytes).Int(-42).Time(when).Null();
  auto result = session->Query(
      "SELECT $1::text, $2::bytea, $3::bigint, $4::timestamptz, $5::text, "
      "true, $3::bigint::int",
      params, Soon());
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->rows(), 1);
  ASSERT_EQ(result->columns(), 7);
  EXPECT_EQ(result->Text(0, 0), "it's \"so\" é");
  EXPECT_EQ(result->Text(0, 1), bytes);
  EXPECT_EQ(result->Int(0, 2), -42);
  EXPECT_EQ(result->Time(0, 3), when);
  EXPECT_TRUE(result->IsNull(0, 4));
  EXPECT_TRUE(result->Bool(0, 5));
  EXPECT_EQ(result->Int(0, 6), -42);
}

TEST(Session, UnnestsArrays) {
  TestDatabase database;
  auto session = database.Connect();
  const std::string bytes("\0b", 2);
  const absl::Time when = absl::FromUnixMicros(-5);
  Params params;
  params.Texts({"a", ""})
      .OptionalTexts({absl::nullopt, "x"})
      .ByteStrings({bytes, "c"})
      .OptionalByteStrings({absl::nullopt, bytes})
      .Ints({1, -2})
      .Times({when, absl::UnixEpoch()});
  auto result = session->Query(
      "SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], "
      "$5::bigint[], $6::timestamptz[])",
      params, Soon());
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->rows(), 2);
  EXPECT_EQ(result->Text(0, 0), "a");
  EXPECT_TRUE(result->IsNull(0, 1));
  EXPECT_EQ(result->Text(1, 1), "x");
  EXPECT_EQ(result->Text(0, 2), bytes);
  EXPECT_TRUE(result->IsNull(0, 3));
  EXPECT_EQ(result->Text(1, 3), bytes);
  EXPECT_EQ(result->Int(1, 4), -2);
  EXPECT_EQ(result->Time(0, 5), when);

  Params empty;
  empty.Ints({});
  auto none =
      session->Query("SELECT * FROM unnest($1::bigint[])", empty, Soon());
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(none->rows(), 0);
}

TEST(Session, RunsAPipelineAndReportsItsFirstError) {
  TestDatabase database;
  database.Run(
      "CREATE TABLE t (n bigint CONSTRAINT t_n_positive CHECK (n > 0))");
  auto session = database.Connect();
  Params one, minus;
  one.Int(1);
  minus.Int(-1);
  constexpr char kInsert[] = "INSERT INTO t VALUES ($1::bigint)";
  auto good = session->QueryAll({{"BEGIN", {}},
                                 {kInsert, one},
                                 {kInsert, one},
                                 {"SELECT count(*) FROM t", {}}},
                                Soon());
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ((*good)[3].Int(0, 0), 2);
  EXPECT_EQ((*good)[1].affected(), 1);
  EXPECT_TRUE(session->in_transaction());
  ASSERT_TRUE(session->Commit(Soon()).ok());

  auto bad = session->QueryAll(
      {{"BEGIN", {}}, {kInsert, minus}, {"SELECT 7::bigint", {}}}, Soon());
  EXPECT_EQ(ErrorOf(bad.status()).constraint, "t_n_positive");
  EXPECT_TRUE(session->usable());
  EXPECT_FALSE(session->Commit(Soon()).ok());
  session->Rollback(Soon());
  EXPECT_FALSE(session->in_transaction());
  auto after = session->Query("SELECT 7::bigint", {}, Soon());
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->Int(0, 0), 7);
  EXPECT_EQ(database.Number("SELECT count(*) FROM t"), 2);
}

TEST(Session, KeepsWhatWasPreparedByAPipelineThatFailed) {
  TestDatabase database;
  auto session = database.Connect();
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(session
                     ->QueryAll({{"SELECT 1::bigint", {}},
                                 {"SELECT 1/0", {}},
                                 {"SELECT 2::bigint", {}}},
                                Soon())
                     .ok());
  }
  auto results = session->QueryAll({{"SELECT 1::bigint", {}},
                                    {"SELECT 2::bigint", {}},
                                    {"SELECT 2::bigint", {}}},
                                   Soon());
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_EQ((*results)[2].Int(0, 0), 2);
}

TEST(Session, RefusesToCommitAFailedTransaction) {
  TestDatabase database;
  auto session = database.Connect();
  ASSERT_TRUE(session->Execute("BEGIN", Soon()).ok());
  EXPECT_FALSE(session->Execute("SELECT 1/0", Soon()).ok());
  EXPECT_EQ(session->Commit(Soon()).code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(session->usable());
}

TEST(Session, IsBrokenOnceTheServerEndsIt) {
  TestDatabase database;
  auto session = database.Connect();
  ASSERT_TRUE(session->Execute("BEGIN", Soon()).ok());
  database.TerminateSessions();
  auto result = session->Query("SELECT 1", {}, Soon());
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(session->usable());
  EXPECT_EQ(session->Commit(Soon()).code(), absl::StatusCode::kUnavailable);
}

TEST(Session, DoesNotWaitPastItsDeadline) {
  TestDatabase database;
  auto session = database.Connect();
  const absl::Time begun = absl::Now();
  auto result = session->Query("SELECT pg_sleep(60)", {},
                               begun + absl::Milliseconds(100));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_LT(absl::Now() - begun, absl::Seconds(10));
  EXPECT_FALSE(session->usable());
}

TEST(Session, CopiesRowsOut) {
  TestDatabase database;
  auto session = database.Connect();
  int64_t sum = 0;
  int nulls = 0;
  absl::Status status = session->CopyOut(
      "SELECT n::bigint, CASE WHEN n % 2 = 0 THEN 'x' END "
      "FROM generate_series(1, 1000) n",
      [&](const Session::Row& row) {
        sum += ReadInt(*row[0]);
        nulls += row[1].has_value() ? 0 : 1;
        return true;
      },
      Soon());
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(sum, 500500);
  EXPECT_EQ(nulls, 500);
  EXPECT_TRUE(session->Query("SELECT 1", {}, Soon()).ok());

  status = session->CopyOut(
      "SELECT 1 WHERE false",
      [](const auto&) {
        ADD_FAILURE();
        return true;
      },
      Soon());
  EXPECT_TRUE(status.ok()) << status;

  status = session->CopyOut(
      "SELECT 1/0", [](const auto&) { return true; }, Soon());
  EXPECT_EQ(ErrorOf(status).sqlstate, "22012");
  EXPECT_TRUE(session->usable());
}

TEST(Session, KeepsExceptionsOfSociInside) {
  TestDatabase database;
  auto session = database.Connect();
  EXPECT_TRUE(session
                  ->Plain("read",
                          [](soci::session& sql) {
                            int one = 0;
                            sql << "SELECT 1", soci::into(one);
                          })
                  .ok());
  const absl::Status status = session->Plain(
      "read", [](soci::session& sql) { sql << "SELECT * FROM nowhere"; });
  EXPECT_EQ(ErrorOf(status).sqlstate, "42P01");
}

TEST(Conninfo, KeepsWhatIsSetAndAddsWhatIsNot) {
  SessionOptions options;
  options.conninfo = "host=/run/x dbname='it''s' connect_timeout=7";
  EXPECT_FALSE(CompleteConninfo(options).ok());
  options.conninfo = "host=/run/x password='a\\'b' connect_timeout=7";
  auto complete = CompleteConninfo(options);
  ASSERT_TRUE(complete.ok());
  EXPECT_NE(complete->find("connect_timeout='7'"), std::string::npos);
  EXPECT_NE(complete->find("password='a\\'b'"), std::string::npos);
  EXPECT_NE(complete->find("tcp_user_timeout="), std::string::npos);
  EXPECT_NE(complete->find("application_name='transparency'"),
            std::string::npos);
}

}  // namespace
}  // namespace transparency::postgres
