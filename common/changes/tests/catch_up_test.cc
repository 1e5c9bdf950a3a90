#include <memory>
#include <string>
#include <vector>

#include "common/changes/tests/changes_desk.h"

namespace transparency::changes {
namespace {

using journal::MakePerson;
using journal::MakeWidget;
using testing::ElementsAre;
using testing::StartsWith;

// Keeps every session of a reader busy until it is let go of.
class ReaderHold {
 public:
  explicit ReaderHold(JournalReader* reader) {
    for (int i = 0; i < JournalReaderOptions().sessions; ++i) {
      reader->Submit({absl::InfiniteFuture(), nullptr,
                      [over = over_](const auto&, bool) {
                        over->WaitForNotification();
                        return true;
                      },
                      /*of_stream=*/true});
    }
  }
  ~ReaderHold() { Release(); }
  ReaderHold(const ReaderHold&) = delete;
  ReaderHold& operator=(const ReaderHold&) = delete;

  void Release() {
    if (!over_->HasBeenNotified()) over_->Notify();
  }

 private:
  const std::shared_ptr<absl::Notification> over_ =
      std::make_shared<absl::Notification>();
};

// Watches that resume before what a replica has in memory.
class CatchUpTest : public ChangesTest {
 protected:
  static WatchChangesRequest After(const std::string& token) {
    WatchChangesRequest request;
    request.set_resume_token(token);
    request.mutable_heartbeat_interval()->set_seconds(1);
    return request;
  }
  static void PutAll(
      Desk& desk, int count,
      const std::function<absl::Status(journal::Decision&, std::string)>& put) {
    auto done = desk.replica().Do(TestReplica::Call(
        [&](journal::Decision& decision) -> absl::StatusOr<std::string> {
          const int64_t from = decision.view().revision();
          for (int i = 1; i <= count; ++i) {
            absl::Status status = put(decision, absl::StrCat("n", from + i));
            if (!status.ok()) return status;
          }
          return "";
        }));
    ASSERT_TRUE(done.ok()) << done.status();
  }
  // Hidden from the public.
  static void PutPeople(Desk& desk, int count) {
    PutAll(desk, count, [](journal::Decision& decision, const std::string& id) {
      return decision.Put(MakePerson(id, id), kCreated).status();
    });
  }
  // The token of what there is now.
  static std::string TokenOf(Desk& desk) {
    Watcher watcher(&desk.hub(), kPublic, {});
    EXPECT_TRUE(watcher.UntilBookmark(-1));
    return watcher.events().front().resume_token();
  }
  // Until each watch that is open has been due so many signs of life.
  static void UntilHeartbeats(Desk& desk, size_t count) {
    WatchChangesRequest request;
    request.mutable_heartbeat_interval()->set_seconds(1);
    Watcher witness(&desk.hub(), kPublic, request);
    ASSERT_TRUE(witness.Until(
        [&](const auto& events) { return events.size() > count; }));
    ASSERT_FALSE(witness.ended());
  }
  // Nothing but BOOKMARKs up to this revision.
  static void ExpectResumes(Desk& desk, const std::string& token,
                            int64_t revision) {
    Watcher again(&desk.hub(), kPublic, After(token));
    ASSERT_TRUE(again.UntilBookmark(revision));
    EXPECT_FALSE(again.ended());
  }
  // Of a counter or a gauge.
  static double Value(Desk& desk, const std::string& name) {
    for (const auto& family : desk.replica().registry().Collect()) {
      if (family.name != name) continue;
      const auto& metric = family.metric.front();
      return metric.counter.value + metric.gauge.value;
    }
    ADD_FAILURE() << "no " << name;
    return -1;
  }
};

TEST_F(CatchUpTest, WhoSeesNothingOfItIsToldHowFarHeHasCome) {
  Desk& one = NewDesk();
  PutPeople(one, 1);
  const std::string token = TokenOf(one);
  PutPeople(one, 250);
  Desk& two = NewDesk();
  ReaderHold hold(&two.reader());
  Watcher watcher(&two.hub(), kPublic, After(token));
  UntilHeartbeats(two, 1);
  EXPECT_FALSE(watcher.accepted());
  hold.Release();
  ASSERT_TRUE(watcher.UntilBookmark(250));
  const auto events = watcher.events();
  EXPECT_THAT(Told(events), ElementsAre("BOOKMARK", "BOOKMARK"));
  EXPECT_THAT(events[0].resume_token(), StartsWith("100."));
  ExpectResumes(two, events[0].resume_token(), 250);
}

TEST_F(CatchUpTest, WhoAsksForNothingOfItIsToldHowFarHeHasCome) {
  WatchOptions options;
  options.kept.entries = 8;
  Desk& one = NewDesk();
  PutPeople(one, 1);
  WatchChangesRequest request = After(TokenOf(one));
  request.set_name("widgets/none");
  PutPeople(one, 50);
  Desk& two = NewDesk(options);
  ReaderHold hold(&two.reader());
  Watcher watcher(&two.hub(), kPublic, request);
  TokenOf(two);  // by then it has asked for a page
  PutPeople(one, 50);
  // The hub is further than what it keeps.
  ASSERT_TRUE(TestReplica::Eventually(
      [&] { return Value(two, "transparency_watch_kept_entries") == 8; }));
  UntilHeartbeats(two, 1);
  hold.Release();
  ASSERT_TRUE(watcher.UntilBookmark(100));
  const auto events = watcher.events();
  EXPECT_THAT(Told(events), ElementsAre("BOOKMARK", "BOOKMARK"));
  EXPECT_THAT(events[0].resume_token(), StartsWith("50."));
  ExpectResumes(two, events[0].resume_token(), 100);
}

TEST_F(CatchUpTest, SignsOfLifeGoOnWhileAPageIsAwaited) {
  Desk& one = NewDesk();
  PutPeople(one, 1);
  const std::string token = TokenOf(one);
  PutPeople(one, 250);
  Desk& two = NewDesk();
  auto first = std::make_unique<ReaderHold>(&two.reader());
  Watcher watcher(&two.hub(), kPublic, After(token));
  TokenOf(two);  // by then it has asked for a page
  ReaderHold second(&two.reader());
  first.reset();
  ASSERT_TRUE(
      watcher.Until([](const auto& events) { return events.size() >= 2; }));
  for (const auto& event : watcher.events()) {
    EXPECT_THAT(event.resume_token(), StartsWith("100."));
  }
  second.Release();
  ASSERT_TRUE(watcher.UntilBookmark(250));
  EXPECT_FALSE(watcher.ended());
}

TEST_F(CatchUpTest, TheTimeInTheQueueIsNotThePages) {
  WatchOptions options;
  options.page_time = absl::Seconds(2);
  Desk& one = NewDesk();
  PutPeople(one, 1);
  const std::string token = TokenOf(one);
  PutPeople(one, 10);
  Desk& two = NewDesk(options);
  ReaderHold hold(&two.reader());
  Watcher watcher(&two.hub(), kPublic, After(token));
  UntilHeartbeats(two, 3);
  hold.Release();
  ASSERT_TRUE(watcher.UntilBookmark(10));
  EXPECT_FALSE(watcher.ended());
}

TEST_F(CatchUpTest, APageHoldsFewLargeEvents) {
  constexpr int kLarge = 40;
  constexpr int kSmall = 60;
  Desk& one = NewDesk();
  PutPeople(one, 1);
  const std::string token = TokenOf(one);
  PutAll(one, kLarge, [](journal::Decision& decision, const std::string& id) {
    auto widget = MakeWidget(id, id);
    widget.set_title(std::string(20'000, 'x'));
    return decision.Put(widget, kCreated).status();
  });
  PutAll(one, kSmall, [](journal::Decision& decision, const std::string& id) {
    return decision.Put(MakeWidget(id, id), kCreated).status();
  });
  Desk& two = NewDesk();
  Watcher watcher(&two.hub(), kPublic, After(token));
  ASSERT_TRUE(watcher.UntilBookmark(kLarge + kSmall));
  std::vector<std::string> expected;
  for (int i = 1; i <= kLarge + kSmall; ++i) {
    expected.push_back(absl::StrCat("ADDED widgets/n", i));
  }
  std::vector<std::string> told;
  for (const std::string& event : Told(watcher.events())) {
    if (event != "BOOKMARK") told.push_back(event);
  }
  EXPECT_EQ(told, expected);
  // Four of the large ones fill a page; the small ones soon share one again.
  const double reads = Value(two, "transparency_watch_old_reads_total");
  EXPECT_GE(reads, kLarge / 4);
  EXPECT_LE(reads, kLarge / 4 + 6);
}

TEST_F(CatchUpTest, WatchesThatGoBeforeTheirPlaceComesTakeNoRoom) {
  Desk& desk = NewDesk();
  for (size_t i = 0; i < journal::StoreOptions().waiters; ++i) {
    Watcher(&desk.hub(), kPublic, After("7.00000000")).Drop();
  }
  journal::Store& store = desk.replica().store();
  absl::Status status;
  const int64_t wait =
      store.Await(7, "", absl::InfiniteFuture(),
                  [&](absl::Status over) { status = std::move(over); });
  ASSERT_NE(wait, 0) << status;
  store.GiveUp(wait);
}

}  // namespace
}  // namespace transparency::changes
