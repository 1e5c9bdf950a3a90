#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/journal/replica/tests/gate.h"
#include "common/journal/replica/tests/workshop.h"
#include "common/journal/replica/writer.h"
#include "common/status/status.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::journal {
namespace {

bool Retryable(const absl::Status& status) {
  google::rpc::RetryInfo info;
  return status::FindDetail(status, &info);
}

class WriterBatchTest : public WorkshopTest {};

// Holds the writer with one command while others queue up, so that they share
// a batch.
class Blocker {
 public:
  explicit Blocker(TestReplica* replica) {
    Command command = TestReplica::Call([this](Decision&) {
      begun_.Notify();
      go_.WaitForNotification();
      return absl::StatusOr<std::string>("");
    });
    command.done = [this](auto) { done_.Notify(); };
    replica->writer().Submit(std::move(command));
    begun_.WaitForNotification();
  }
  ~Blocker() { done_.WaitForNotification(); }
  void Go() { go_.Notify(); }

 private:
  absl::Notification begun_, go_, done_;
};

// Submits without waiting.
class Pending {
 public:
  Pending(TestReplica* replica, Command command) {
    command.done = [this](absl::StatusOr<CommandResult> r) {
      result_ = std::move(r);
      told_.Notify();
    };
    replica->writer().Submit(std::move(command));
  }
  absl::StatusOr<CommandResult> Wait() {
    told_.WaitForNotification();
    return result_;
  }

 private:
  absl::StatusOr<CommandResult> result_ = absl::UnknownError("");
  absl::Notification told_;
};

Command PutCommand(const test::Widget& widget, ChangeKind kind,
                   std::string request_id = "") {
  return TestReplica::Call(
      [widget, kind](Decision& decision) -> absl::StatusOr<std::string> {
        auto item = decision.Put(widget, kind);
        if (!item.ok()) return item.status();
        return (*item)->name();
      },
      std::move(request_id));
}

TEST_F(WriterBatchTest, TwoOfOneRequestIdInOneBatchAreOne) {
  TestReplica& replica = NewReplica();
  Blocker blocker(&replica);
  Pending one(&replica,
              PutCommand(MakeWidget("a", "N1"), kCreated, RequestId(1)));
  Pending two(&replica,
              PutCommand(MakeWidget("a", "N1"), kCreated, RequestId(1)));
  Command reused = PutCommand(MakeWidget("b", "N1"), kCreated, RequestId(1));
  reused.request_digest = "another";
  Pending three(&replica, reused);
  blocker.Go();
  ASSERT_TRUE(one.Wait().ok());
  ASSERT_TRUE(two.Wait().ok());
  EXPECT_TRUE(two.Wait()->repeated);
  EXPECT_EQ(one.Wait()->revision_token, two.Wait()->revision_token);
  EXPECT_EQ(status::Reason(three.Wait().status()), "REQUEST_ID_REUSED");
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal"), 1);
}

TEST_F(WriterBatchTest, OneDefectInABatchFailsAlone) {
  TestReplica& replica = NewReplica();
  std::vector<std::unique_ptr<Pending>> good;
  Blocker blocker(&replica);
  for (int i = 0; i < 5; ++i) {
    good.push_back(std::make_unique<Pending>(
        &replica, PutCommand(MakeWidget(absl::StrCat("w", i), absl::StrCat(i)),
                             kCreated)));
  }
  test::Widget wrong = MakeWidget("wrong", "X");
  wrong.set_count(-1);  // a rule forgot what the table knows
  Pending bad(&replica, PutCommand(wrong, kCreated));
  Pending taken(&replica, PutCommand(MakeWidget("taken", "3"), kCreated));
  blocker.Go();
  for (auto& pending : good) EXPECT_TRUE(pending->Wait().ok());
  EXPECT_EQ(status::Reason(bad.Wait().status()), "DEFECT");
  EXPECT_EQ(bad.Wait().status().message().find("widgets_count"),
            std::string::npos);
  EXPECT_EQ(status::Reason(taken.Wait().status()), "DEFECT");
  EXPECT_EQ(replica.store().Current()->revision(), 4);
  EXPECT_EQ(replica.store().Current()->Find("widgets/wrong"), nullptr);
  ExpectSound();
}

TEST_F(WriterBatchTest, LaterCommandsOfABatchSeeEarlierOnes) {
  TestReplica& replica = NewReplica();
  Blocker blocker(&replica);
  Pending one(&replica, PutCommand(MakeWidget("a", "1"), kCreated));
  Pending two(&replica, PutCommand(MakeWidget("a", "1"), kCreated));
  Pending three(&replica, PutCommand(MakeWidget("a", "2"), kUpdated));
  blocker.Go();
  EXPECT_TRUE(one.Wait().ok());
  EXPECT_EQ(status::Reason(two.Wait().status()), "RESOURCE_EXISTS");
  EXPECT_EQ(three.Wait()->revision_token.substr(0, 2), "1.");
  EXPECT_EQ(database_.Number("SELECT revision FROM widgets"), 1);
  ExpectSound();
}

TEST_F(WriterBatchTest, WhatRestsOnALostCommitIsUnknownToo) {
  Gate gate;
  TestReplica& replica = NewReplicaAt(
      gate.Through(database_.conninfo()),
      [](auto* options) { options->writer.max_batch_time = absl::Seconds(2); });
  Blocker blocker(&replica);
  Command early = PutCommand(MakeWidget("early", "0"), kCreated);
  early.decide = [](Decision&) -> absl::StatusOr<std::string> {
    return status::InvalidField("x", "is wrong whatever happened before");
  };
  Pending before(&replica, early);
  Pending one(&replica, PutCommand(MakeWidget("a", "1"), kCreated));
  // Both were decided on a widget that nobody knows to exist.
  Pending refused(&replica, PutCommand(MakeWidget("a", "1"), kCreated));
  Pending nothing_new(&replica, PutCommand(MakeWidget("a", "1"), kUpdated));
  gate.CutAtCommit(Gate::Cut::kBefore, /*close=*/true);
  blocker.Go();
  EXPECT_TRUE(absl::IsInvalidArgument(before.Wait().status()));
  for (Pending* pending : {&one, &refused, &nothing_new}) {
    EXPECT_EQ(status::Reason(pending->Wait().status()), "OUTCOME_UNKNOWN");
  }
  gate.Open();
}

TEST_F(WriterBatchTest, AFullQueueRefusesAtOnce) {
  TestReplica& replica = NewReplica(
      [](ReplicaOptions* options) { options->writer.queue_length = 3; });
  Blocker blocker(&replica);
  std::vector<std::unique_ptr<Pending>> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.push_back(std::make_unique<Pending>(
        &replica, PutCommand(MakeWidget(absl::StrCat("w", i), absl::StrCat(i)),
                             kCreated)));
  }
  auto refused = replica.Put(MakeWidget("x", "x"), kCreated);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status::Reason(refused.status()), "OVERLOADED");
  EXPECT_TRUE(Retryable(refused.status()));
  blocker.Go();
  for (auto& pending : waiting) EXPECT_TRUE(pending->Wait().ok());
}

TEST_F(WriterBatchTest, ExpiredAndAbandonedCommandsAreNotDecided) {
  TestReplica& replica = NewReplica();
  Blocker blocker(&replica);
  Command expired = PutCommand(MakeWidget("a", "1"), kCreated);
  expired.deadline = absl::Now();
  Command abandoned = PutCommand(MakeWidget("b", "2"), kCreated);
  abandoned.abandoned = [] { return true; };
  Pending one(&replica, expired), two(&replica, abandoned);
  blocker.Go();
  EXPECT_EQ(status::Reason(one.Wait().status()), "DEADLINE_PASSED");
  EXPECT_EQ(status::Reason(two.Wait().status()), "CALL_CANCELLED");
  EXPECT_EQ(replica.store().Current()->revision(), -1);
}

}  // namespace
}  // namespace transparency::journal
