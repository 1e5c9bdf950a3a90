#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/changes/journal_reader.h"
#include "common/changes/journal_reads.h"
#include "common/changes/tests/watcher.h"
#include "common/changes/watch_hub.h"
#include "common/journal/replica/tests/workshop.h"
#include "common/status/status.h"

namespace transparency::changes {

using journal::kCreated;
using journal::kUpdated;
using journal::TestReplica;
using journal::v1::Change;
using journal::v1::GetResourceAtRequest;
using journal::v1::GetResourceAtResponse;
using journal::v1::ListChangesRequest;
using journal::v1::ListChangesResponse;

// One replica with its journal service, called without a server.
class Desk {
 public:
  explicit Desk(const std::string& conninfo, WatchOptions options = {},
                absl::Time now = journal::kStart)
      : replica_(conninfo),
        reader_({conninfo}, &replica_.registry()),
        hub_(options, &replica_.store(), &reader_, &replica_.registry()),
        reads_(*JournalReads::Make(&replica_.store(), &reader_)) {
    replica_.store().SetObserver(&hub_);
    replica_.clock().Set(now);
    reader_.Start();
    hub_.Start();
    const absl::Status started = replica_.Start();
    EXPECT_TRUE(started.ok()) << started;
  }
  ~Desk() {
    replica_.Stop();
    hub_.Stop();
    reader_.Stop();
  }

  TestReplica& replica() { return replica_; }
  WatchHub& hub() { return hub_; }
  JournalReader& reader() { return reader_; }

  absl::StatusOr<ListChangesResponse> List(const Caller& caller,
                                           const ListChangesRequest& request) {
    return Ask<ListChangesResponse>(caller, request, "ListChanges",
                                    &JournalReads::ListChanges);
  }
  absl::StatusOr<GetResourceAtResponse> At(
      const Caller& caller, const GetResourceAtRequest& request) {
    return Ask<GetResourceAtResponse>(caller, request, "GetResourceAt",
                                      &JournalReads::GetResourceAt);
  }
  // Every page.
  std::vector<Change> ListAll(const Caller& caller,
                              ListChangesRequest request) {
    std::vector<Change> all;
    do {
      auto page = List(caller, request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      all.insert(all.end(), page->changes().begin(), page->changes().end());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return all;
  }

 private:
  using Row = void (JournalReads::*)(std::shared_ptr<rpc::Call>,
                                     std::unique_ptr<google::protobuf::Message>,
                                     rpc::UnaryDone) const;

  template <class Answer, class Request>
  absl::StatusOr<Answer> Ask(const Caller& caller, const Request& request,
                             const std::string& method, Row row) {
    absl::Notification told;
    absl::StatusOr<std::string> bytes;
    ((*reads_).*row)(MakeCall(caller, method),
                     std::make_unique<Request>(request),
                     [&](absl::StatusOr<std::string> answer) {
                       bytes = std::move(answer);
                       told.Notify();
                     });
    told.WaitForNotification();
    if (!bytes.ok()) return bytes.status();
    Answer answer;
    EXPECT_TRUE(answer.ParseFromString(*bytes));
    return answer;
  }

  TestReplica replica_;
  JournalReader reader_;
  WatchHub hub_;
  const std::unique_ptr<JournalReads> reads_;
};

class ChangesTest : public journal::WorkshopTest {
 protected:
  ~ChangesTest() override { desks_.clear(); }

  Desk& NewDesk(WatchOptions options = {}) {
    desks_.push_back(std::make_unique<Desk>(database_.conninfo(), options));
    return *desks_.back();
  }

  // "ADDED widgets/a", "BOOKMARK".
  static std::vector<std::string> Told(
      const std::vector<WatchChangesResponse>& events) {
    std::vector<std::string> told;
    for (const auto& event : events) {
      std::string text = WatchChangesResponse::Type_Name(event.type());
      if (!event.name().empty()) text += " " + event.name();
      told.push_back(std::move(text));
    }
    return told;
  }

  std::vector<std::unique_ptr<Desk>> desks_;
};

}  // namespace transparency::changes
