#include "common/postgres/migrations.h"

#include <thread>
#include <vector>

#include "common/postgres/testing/test_database.h"
#include "gtest/gtest.h"

namespace transparency::postgres {
namespace {

const Migration kFirst{1, "0001_first", "-- suits: 1\nCREATE TABLE a (n int);"};
const Migration kSecond{2, "0002_second",
                        "-- suits: 1\nALTER TABLE a ADD COLUMN m int;"};
const Migration kThird{3, "0003_third",
                       "-- Why.\n-- suits: 2\nALTER TABLE a DROP COLUMN n;"};

Component Up(std::vector<Migration> migrations) {
  return {"test", std::move(migrations)};
}

TEST(Migrations, AreAppliedOnceEachInOrder) {
  TestDatabase database;
  auto session = database.Connect();
  auto done = Migrate(session.get(), {Up({kFirst, kSecond})});
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(*done,
            (std::vector<std::string>{"test/0001_first", "test/0002_second"}));
  done = Migrate(session.get(), {Up({kFirst, kSecond, kThird})});
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(*done, std::vector<std::string>{"test/0003_third"});
}

TEST(Migrations, RunFromManyProcessesAtOnce) {
  TestDatabase database;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&database] {
      auto session = database.Connect();
      EXPECT_TRUE(Migrate(session.get(), {Up({kFirst, kSecond})}).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(database.Number("SELECT count(*) FROM schema_migrations"), 2);
}

TEST(Migrations, AFailedOneLeavesNothing) {
  TestDatabase database;
  auto session = database.Connect();
  const Migration broken{2, "0002_broken",
                         "-- suits: 1\nCREATE TABLE b (n int); SELECT 1/0;"};
  EXPECT_FALSE(Migrate(session.get(), {Up({kFirst, broken})}).ok());
  EXPECT_EQ(database.Number(
                "SELECT count(*) FROM pg_class WHERE relname IN ('a', 'b')"),
            1);
  EXPECT_TRUE(Migrate(session.get(), {Up({kFirst, kSecond})}).ok());
}

TEST(Migrations, AFileThatChangedIsRefused) {
  TestDatabase database;
  auto session = database.Connect();
  ASSERT_TRUE(Migrate(session.get(), {Up({kFirst})}).ok());
  const Migration changed{1, "0001_first", "-- suits: 1\nCREATE TABLE c ();"};
  EXPECT_EQ(Migrate(session.get(), {Up({changed})}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CheckSchema(session.get(), {Up({changed})}).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(Migrations, SchemaAndBinarySuitEachOtherOrNot) {
  TestDatabase database;
  auto session = database.Connect();
  const auto suits = [&](const std::vector<Migration>& binary) {
    return CheckSchema(session.get(), {Up(binary)}).ok();
  };
  EXPECT_FALSE(suits({kFirst}));
  ASSERT_TRUE(Migrate(session.get(), {Up({kFirst, kSecond})}).ok());
  EXPECT_TRUE(suits({kFirst}));  // a step back
  EXPECT_TRUE(suits({kFirst, kSecond}));
  EXPECT_FALSE(suits({kFirst, kSecond, kThird}));
  ASSERT_TRUE(Migrate(session.get(), {Up({kFirst, kSecond, kThird})}).ok());
  EXPECT_FALSE(suits({kFirst}));  // too old for the third
  EXPECT_TRUE(suits({kFirst, kSecond}));
}

TEST(Migrations, EachNamesTheOldestBinaryItSuits) {
  EXPECT_EQ(*OldestSuited(kThird), 2);
  EXPECT_FALSE(OldestSuited({1, "0001_x", "CREATE TABLE x ();"}).ok());
  EXPECT_FALSE(OldestSuited({1, "0001_x", "-- suits: 2\n"}).ok());
}

}  // namespace
}  // namespace transparency::postgres
