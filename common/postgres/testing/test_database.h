#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/postgres/session.h"

namespace transparency::postgres {

// A database of one test, on the server that TRANSPARENCY_TEST_PG (conninfo of
// a superuser) names; dropped at the end, whoever is still connected. Aborts
// the test program when there is no server: a test that cannot run must not
// pass. What is tested reaches it with the rights of a service, where
// migrations made its tables; the functions here have a superuser's.
class TestDatabase {
 public:
  using Build = std::function<absl::Status(Session&)>;

  // An empty database.
  TestDatabase();
  // A copy of a template that `build` fills once per process and `key`.
  TestDatabase(absl::string_view key, const Build& build);
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  const std::string& name() const { return name_; }
  // With the rights of a service.
  const std::string& conninfo() const { return conninfo_; }
  SessionOptions options() const;

  // A new session on it, as superuser; aborts when that fails.
  std::unique_ptr<Session> Connect() const;
  // Runs statements, also several; aborts when one fails.
  void Run(absl::string_view script) const;
  // What a query refuses with.
  absl::Status Try(absl::string_view script) const;
  // The one value of a query that gives one bigint.
  int64_t Number(absl::string_view query) const;

  // Ends every other connection to this database, as a failover does.
  void TerminateSessions() const;
  // Replaces this database by a copy of itself as it was at `Save`.
  void Save();
  void Restore();

 private:
  void Create(absl::string_view from);

  std::string name_;
  std::string admin_conninfo_;
  std::string conninfo_;
};

// TRANSPARENCY_TEST_PG.
std::string TestServerConninfo();

}  // namespace transparency::postgres
