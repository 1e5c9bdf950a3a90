#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/journal/entry.h"
#include "common/journal/replica/check.h"
#include "common/journal/replica/replica.h"
#include "common/journal/tests/workshop.pb.h"
#include "common/postgres/testing/test_database.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"

namespace transparency::journal {

// The kinds of workshop.proto with their rules.
const resource::Catalogue& WorkshopCatalogue();

inline const absl::Time kStart = absl::FromUnixSeconds(1750000000);

// One replica with a clock that tests move.
class TestReplica {
 public:
  explicit TestReplica(const std::string& conninfo,
                       const std::function<void(ReplicaOptions*)>& adjust = {});

  absl::Status Start() { return replica_->Start(); }
  prometheus::Registry& registry() { return registry_; }
  void Stop() { replica_->Stop(); }
  Store& store() { return replica_->store(); }
  Writer& writer() { return replica_->writer(); }
  Replica& replica() { return *replica_; }
  ManualClock& clock() { return clock_; }
  const std::vector<bool>& serving_changes() const { return *changes_; }

  // Submits and waits.
  absl::StatusOr<CommandResult> Do(Command command);
  // A command of a staff caller.
  static Command Call(
      std::function<absl::StatusOr<std::string>(Decision&)> decide,
      std::string request_id = "", std::string digest = "d");
  // Creates or replaces a resource; answers its name.
  absl::StatusOr<CommandResult> Put(const google::protobuf::Message& resource,
                                    ChangeKind kind,
                                    std::string request_id = "");

  // Waits until this replica has applied a revision; false when it does not.
  bool Await(int64_t revision);
  int64_t revision() { return store().Base()->revision(); }
  // Waits (60 s at most) until something holds.
  static bool Eventually(const std::function<bool()>& holds);

 private:
  prometheus::Registry registry_;
  ManualClock clock_{kStart};
  std::unique_ptr<std::vector<bool>> changes_ =
      std::make_unique<std::vector<bool>>();
  std::unique_ptr<Replica> replica_;
};

// A database with the journal's and the workshop's tables, and replicas on it.
class WorkshopTest : public testing::Test {
 protected:
  WorkshopTest();
  ~WorkshopTest() override;

  // A started replica; it lives until the test ends.
  TestReplica& NewReplica(
      const std::function<void(ReplicaOptions*)>& adjust = {});
  // As NewReplica, over another way to the same database.
  TestReplica& NewReplicaAt(
      const std::string& conninfo,
      const std::function<void(ReplicaOptions*)>& adjust = {});

  // Fails the test when the database is not in order.
  void ExpectSound();
  CheckReport RunCheck();

  postgres::TestDatabase database_;
  std::vector<std::unique_ptr<TestReplica>> replicas_;
};

test::Widget MakeWidget(const std::string& id, const std::string& number);
// widgets/<widget>/parts/p.
test::Part MakePart(const std::string& widget, const std::string& fits);
test::Person MakePerson(const std::string& id, const std::string& email);
test::Offer MakeOffer(const std::string& id, absl::Time expires);

// Seen by everybody while it is posted and not expired, its note by ann alone.
test::Notice MakeNotice(const std::string& id, bool posted, absl::Time expires);

inline constexpr auto kCreated = transparency::journal::v1::Change::CREATED;
inline constexpr auto kUpdated = transparency::journal::v1::Change::UPDATED;

// A UUID made of one number.
std::string RequestId(int n);

}  // namespace transparency::journal
