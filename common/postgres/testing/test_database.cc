#include "common/postgres/testing/test_database.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/postgres/grants.h"

namespace transparency::postgres {
namespace {

absl::Time Soon() { return absl::Now() + absl::Seconds(60); }

[[noreturn]] void Die(absl::string_view what) {
  std::fprintf(stderr, "test database: %s\n", std::string(what).c_str());
  std::abort();
}

void DieUnlessOk(const absl::Status& status) {
  if (!status.ok()) Die(status.ToString());
}

std::unique_ptr<Session> MustConnect(const std::string& conninfo) {
  SessionOptions options;
  options.conninfo = conninfo;
  options.application_name = "test";
  options.idle_in_transaction_timeout = absl::ZeroDuration();
  auto session = Session::Connect(options);
  DieUnlessOk(session.status());
  return *std::move(session);
}

void Admin(const std::string& statement) {
  DieUnlessOk(MustConnect(TestServerConninfo())->Execute(statement, Soon()));
}

// The role of every service under test.
constexpr char kServiceRole[] = "transparency_test_service";

// Several test programs may want to be first.
constexpr char kMakeRole[] = R"sql(
  DO $$ BEGIN
    CREATE ROLE transparency_test_service LOGIN;
  EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
  END $$)sql";

std::string InDatabase(absl::string_view name) {
  auto conninfo = WithKeyword(TestServerConninfo(), "dbname", name);
  DieUnlessOk(conninfo.status());
  return *conninfo;
}

bool HasMigrations(Session& session) {
  auto found = session.Query("SELECT to_regclass('schema_migrations') IS NULL",
                             Params(), Soon());
  DieUnlessOk(found.status());
  return !found->Bool(0, 0);
}

std::string NewName() {
  static std::atomic<int> next{0};
  return absl::StrCat("t_", getpid(), "_", next++);
}

std::string Drop(absl::string_view name) {
  return absl::StrCat("DROP DATABASE IF EXISTS ", name, " WITH (FORCE)");
}

// Templates of this process, dropped at its end.
class Templates {
 public:
  ~Templates() {
    for (const auto& [key, name] : names_) Admin(Drop(name));
  }

  std::string Get(const std::string& key, const TestDatabase::Build& build) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::string& name = names_[key];
    if (name.empty()) {
      name = NewName();
      Admin(absl::StrCat("CREATE DATABASE ", name));
      auto session = MustConnect(InDatabase(name));
      DieUnlessOk(build(*session));
      if (HasMigrations(*session)) {
        Admin(kMakeRole);
        DieUnlessOk(GrantService(session.get(), kServiceRole));
      }
    }
    return name;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> names_;
};

Templates& AllTemplates() {
  static Templates templates;
  return templates;
}

}  // namespace

std::string TestServerConninfo() {
  const char* conninfo = std::getenv("TRANSPARENCY_TEST_PG");
  if (conninfo == nullptr || *conninfo == '\0') {
    Die("set TRANSPARENCY_TEST_PG to the conninfo of a superuser of a "
        "PostgreSQL server for tests (tests/run does)");
  }
  return conninfo;
}

TestDatabase::TestDatabase() : name_(NewName()) { Create("template0"); }

TestDatabase::TestDatabase(absl::string_view key, const Build& build)
    : name_(NewName()) {
  Create(AllTemplates().Get(std::string(key), build));
}

TestDatabase::~TestDatabase() {
  Admin(Drop(name_));
  Admin(Drop(absl::StrCat(name_, "_saved")));
}

void TestDatabase::Create(absl::string_view from) {
  Admin(absl::StrCat("CREATE DATABASE ", name_, " TEMPLATE ", from));
  admin_conninfo_ = InDatabase(name_);
  conninfo_ = admin_conninfo_;
  if (HasMigrations(*Connect())) {
    auto conninfo = WithKeyword(admin_conninfo_, "user", kServiceRole);
    DieUnlessOk(conninfo.status());
    conninfo_ = *conninfo;
  }
}

SessionOptions TestDatabase::options() const {
  SessionOptions options;
  options.conninfo = conninfo_;
  return options;
}

std::unique_ptr<Session> TestDatabase::Connect() const {
  return MustConnect(admin_conninfo_);
}

void TestDatabase::Run(absl::string_view script) const {
  DieUnlessOk(Try(script));
}

absl::Status TestDatabase::Try(absl::string_view script) const {
  return Connect()->Execute(script, Soon());
}

int64_t TestDatabase::Number(absl::string_view query) const {
  auto result = Connect()->Query(query, Params(), Soon());
  DieUnlessOk(result.status());
  if (result->rows() != 1) Die(absl::StrCat("not one row: ", query));
  return result->Int(0, 0);
}

void TestDatabase::TerminateSessions() const {
  Admin(absl::StrCat("SELECT pg_terminate_backend(pid) FROM pg_stat_activity ",
                     "WHERE datname = '", name_, "'"));
}

void TestDatabase::Save() {
  const std::string saved = absl::StrCat(name_, "_saved");
  Admin(Drop(saved));
  Admin(absl::StrCat("ALTER DATABASE ", name_, " ALLOW_CONNECTIONS false"));
  TerminateSessions();
  Admin(absl::StrCat("CREATE DATABASE ", saved, " TEMPLATE ", name_));
  Admin(absl::StrCat("ALTER DATABASE ", name_, " ALLOW_CONNECTIONS true"));
}

void TestDatabase::Restore() {
  const std::string saved = absl::StrCat(name_, "_saved");
  Admin(Drop(name_));
  Admin(absl::StrCat("CREATE DATABASE ", name_, " TEMPLATE ", saved));
}

}  // namespace transparency::postgres
