#include <string>
#include <vector>

#include "common/changes/tests/changes_desk.h"

namespace transparency::changes {
namespace {

using journal::kStart;
using journal::MakeNotice;
using journal::MakeOffer;
using journal::MakePart;
using journal::MakePerson;
using journal::MakeWidget;
using journal::test::Notice;
using journal::test::Widget;
using testing::ElementsAre;

constexpr auto kDeleted = Change::DELETED;
constexpr auto kUndeleted = Change::UNDELETED;

class WatchTest : public ChangesTest {
 protected:
  static WatchChangesRequest Present() {
    WatchChangesRequest request;
    request.set_include_present_state(true);
    return request;
  }
  static WatchChangesRequest After(const std::string& token) {
    WatchChangesRequest request;
    request.set_resume_token(token);
    return request;
  }
  static void Put(Desk& desk, const google::protobuf::Message& resource,
                  journal::ChangeKind kind = kCreated) {
    auto put = desk.replica().Put(resource, kind);
    ASSERT_TRUE(put.ok()) << put.status();
  }
};

TEST_F(WatchTest, TellsThePresentStateThenWhatHappens) {
  Desk& desk = NewDesk();
  Put(desk, MakeWidget("a", "1"));
  Put(desk, MakeWidget("b", "2"));
  Put(desk, MakeWidget("b", "2"), kDeleted);
  Watcher watcher(&desk.hub(), kPublic, Present());
  ASSERT_TRUE(watcher.UntilBookmark(2));
  EXPECT_TRUE(watcher.accepted());
  Widget changed = MakeWidget("a", "3");
  Put(desk, changed, kUpdated);
  Put(desk, changed, kDeleted);
  Put(desk, changed, kUndeleted);
  Put(desk, MakeWidget("c", "4"));
  ASSERT_TRUE(watcher.Until([](const auto& e) { return e.size() >= 6; }));
  const auto events = watcher.events();
  EXPECT_THAT(
      Told(events),
      ElementsAre("ADDED widgets/a", "BOOKMARK", "CHANGED widgets/a",
                  "REMOVED widgets/a", "ADDED widgets/a", "ADDED widgets/c"));
  EXPECT_EQ(events[0].resume_token(), "");
  EXPECT_EQ(events[2].resume_token().substr(0, 2), "3.");
  EXPECT_EQ(events[2].resource_type(), "journal.test/Widget");
  Widget seen;
  ASSERT_TRUE(events[2].resource().UnpackTo(&seen));
  EXPECT_EQ(seen.number(), "3");
  EXPECT_EQ(seen.secret_note(), "");
  EXPECT_EQ(events[2].record_time().seconds(), absl::ToUnixSeconds(kStart));
  EXPECT_FALSE(events[3].has_resource());
}

TEST_F(WatchTest, BeginsFromNowOnWithAToken) {
  Desk& desk = NewDesk();
  Put(desk, MakeWidget("a", "1"));
  Watcher watcher(&desk.hub(), kPublic, {});
  ASSERT_TRUE(watcher.UntilBookmark(0));
  EXPECT_THAT(Told(watcher.events()), ElementsAre("BOOKMARK"));
}

TEST_F(WatchTest, AnEmptyJournalHasATokenToo) {
  Desk& desk = NewDesk();
  Watcher watcher(&desk.hub(), kPublic, Present());
  ASSERT_TRUE(watcher.UntilBookmark(-1));
  const std::string token = watcher.events()[0].resume_token();
  Put(desk, MakeWidget("a", "1"));
  Watcher again(&desk.hub(), kPublic, After(token));
  ASSERT_TRUE(again.UntilBookmark(0));
  EXPECT_THAT(Told(again.events()), ElementsAre("ADDED widgets/a", "BOOKMARK"));
}

TEST_F(WatchTest, TellsNobodyOfWhatIsHiddenFromHim) {
  Desk& desk = NewDesk();
  Watcher everybody(&desk.hub(), kPublic, {});
  Watcher staff(&desk.hub(), kStaff, {});
  Watcher ann(&desk.hub(), kAnn, {});
  for (Watcher* watcher : {&everybody, &staff, &ann}) {
    ASSERT_TRUE(watcher->UntilBookmark(-1));
  }
  const absl::Time later = kStart + absl::Hours(1);
  Put(desk, MakePerson("p", "p@example.org"));
  Put(desk, MakeNotice("n", false, later));
  Put(desk, MakeNotice("n", true, later), kUpdated);
  Put(desk, MakeNotice("n", false, later), kUpdated);
  Put(desk, MakeWidget("end", "1"));
  const auto ended = [](const auto& events) {
    return events.back().name() == "widgets/end";
  };
  for (Watcher* watcher : {&everybody, &staff, &ann}) {
    ASSERT_TRUE(watcher->Until(ended));
  }
  EXPECT_THAT(Told(everybody.events()),
              ElementsAre("BOOKMARK", "ADDED notices/n", "REMOVED notices/n",
                          "ADDED widgets/end"));
  EXPECT_THAT(Told(staff.events()),
              ElementsAre("BOOKMARK", "ADDED people/p", "ADDED notices/n",
                          "CHANGED notices/n", "CHANGED notices/n",
                          "ADDED widgets/end"));
  Notice to_everybody, to_ann;
  ASSERT_TRUE(everybody.events()[1].resource().UnpackTo(&to_everybody));
  ASSERT_TRUE(ann.events()[1].resource().UnpackTo(&to_ann));
  EXPECT_EQ(to_everybody.note(), "");
  EXPECT_EQ(to_ann.note(), "for ann alone");
  EXPECT_EQ(to_everybody.etag(), to_ann.etag());
}

TEST_F(WatchTest, TheClockRemoves) {
  Desk& desk = NewDesk();
  Put(desk, MakeNotice("n", true, kStart + absl::Hours(1)));
  Watcher watcher(&desk.hub(), kPublic, Present());
  ASSERT_TRUE(watcher.UntilBookmark(0));
  desk.replica().clock().Advance(absl::Hours(2));
  ASSERT_TRUE(watcher.Until([](const auto& e) { return e.size() >= 3; }));
  EXPECT_THAT(Told(watcher.events()),
              ElementsAre("ADDED notices/n", "BOOKMARK", "REMOVED notices/n"));
}

TEST_F(WatchTest, WhatTheClockChangedBeforeALoadIsToldWhenItIsRecorded) {
  std::string token;
  {
    Desk& desk = NewDesk();
    Put(desk, MakeNotice("n", true, kStart + absl::Hours(1)));
    Watcher watcher(&desk.hub(), kPublic, {});
    ASSERT_TRUE(watcher.UntilBookmark(0));
    token = watcher.events()[0].resume_token();
    desks_.clear();
  }
  // Its writer cannot write the change of the clock meanwhile.
  auto session = database_.Connect();
  ASSERT_TRUE(session
                  ->Execute("SET idle_in_transaction_session_timeout = 0;"
                            "BEGIN; SELECT pg_advisory_xact_lock(7301550442)",
                            absl::Now() + absl::Minutes(1))
                  .ok());
  Desk desk(database_.conninfo(), {}, kStart + absl::Hours(2));
  Watcher present(&desk.hub(), kPublic, Present());
  Watcher resumed(&desk.hub(), kPublic, After(token));
  ASSERT_TRUE(present.UntilBookmark(0));
  ASSERT_TRUE(resumed.UntilBookmark(0));
  session->Rollback(absl::Now() + absl::Minutes(1));
  ASSERT_TRUE(present.Until([](const auto& e) { return e.size() >= 3; }));
  ASSERT_TRUE(resumed.Until([](const auto& e) { return e.size() >= 2; }));
  EXPECT_THAT(Told(present.events()),
              ElementsAre("ADDED notices/n", "BOOKMARK", "REMOVED notices/n"));
  EXPECT_THAT(Told(resumed.events()),
              ElementsAre("BOOKMARK", "REMOVED notices/n"));
}

TEST_F(WatchTest, NarrowsByTypeAndName) {
  Desk& desk = NewDesk();
  WatchChangesRequest offers, parts, one;
  offers.add_types("journal.test/Offer");
  parts.set_name("widgets/-/parts/-");
  one.set_name("widgets/b");
  Watcher of_type(&desk.hub(), kPublic, offers);
  Watcher of_pattern(&desk.hub(), kPublic, parts);
  Watcher of_name(&desk.hub(), kPublic, one);
  for (Watcher* w : {&of_type, &of_pattern, &of_name}) {
    ASSERT_TRUE(w->UntilBookmark(-1));
  }
  Put(desk, MakeWidget("a", "1"));
  Put(desk, MakeWidget("b", "2"));
  journal::test::Part part;
  part.set_name("widgets/a/parts/p");
  Put(desk, part);
  Put(desk, MakeOffer("o", kStart + absl::Hours(1)));
  for (Watcher* w : {&of_type, &of_pattern, &of_name}) {
    ASSERT_TRUE(w->Until([](const auto& e) { return e.size() >= 2; }));
  }
  EXPECT_THAT(Told(of_type.events()),
              ElementsAre("BOOKMARK", "ADDED offers/o"));
  EXPECT_THAT(Told(of_pattern.events()),
              ElementsAre("BOOKMARK", "ADDED widgets/a/parts/p"));
  EXPECT_THAT(Told(of_name.events()),
              ElementsAre("BOOKMARK", "ADDED widgets/b"));
}

TEST_F(WatchTest, ResumesOnAnotherReplicaBeforeWhatItHasInMemory) {
  Desk& one = NewDesk();
  Put(one, MakeWidget("a", "1"));
  Watcher first(&one.hub(), kPublic, {});
  ASSERT_TRUE(first.UntilBookmark(0));
  const std::string token = first.events()[0].resume_token();
  for (int i = 0; i < 250; ++i) {
    const std::string id = absl::StrCat("w", i);
    Put(one, MakeWidget(id, id));
  }
  Put(one, MakeWidget("a", "1"), kDeleted);
  Desk& two = NewDesk();
  Watcher other(&two.hub(), kPublic, After(token));
  EXPECT_EQ(status::Reason(other.End()), "HISTORY_CHANGED");
  EXPECT_THAT(Told(other.events()), ElementsAre());
  Watcher again(&two.hub(), kStaff, After(token));
  ASSERT_TRUE(again.UntilBookmark(251));
  const auto told = Told(again.events());
  ASSERT_EQ(told.size(), 252u);
  EXPECT_EQ(told[0], "ADDED widgets/w0");
  EXPECT_EQ(told[249], "ADDED widgets/w249");
  EXPECT_EQ(told[250], "REMOVED widgets/a");
  EXPECT_EQ(told[251], "BOOKMARK");
}

// Out of memory and out of the journal: a replica that has just loaded holds no
// entries.
TEST_F(WatchTest, WhatWasPublishedAndDeletedIsToldToNobodyWhoComesLater) {
  Desk& one = NewDesk();
  Put(one, MakeWidget("seen", "1"));
  Put(one, MakeWidget("before", "2"));
  Put(one, MakeWidget("mistake", "3"));
  Watcher live(&one.hub(), kPublic, Present());
  ASSERT_TRUE(live.UntilBookmark(2));
  Put(one, MakeWidget("mistake", "4"), kUpdated);
  Put(one, MakeWidget("seen", "1"), kDeleted);
  Put(one, MakeWidget("mistake", "4"), kDeleted);
  Put(one, MakeWidget("after", "5"));
  ASSERT_TRUE(live.Until([](const auto& e) { return e.size() >= 8; }));
  // Who had seen it is told that it is gone.
  auto told = Told(live.events());
  told.erase(told.begin(), told.begin() + 4);
  EXPECT_THAT(told,
              ElementsAre("CHANGED widgets/mistake", "REMOVED widgets/seen",
                          "REMOVED widgets/mistake", "ADDED widgets/after"));
  auto session = database_.Connect();
  auto row = session->Query("SELECT digest FROM journal WHERE revision = 0", {},
                            absl::Now() + absl::Seconds(20));
  ASSERT_TRUE(row.ok());
  // Behind the first entry `seen` was there, and `mistake` was not yet: whoever
  // says that he was there may know `seen` or not, and is not told its name.
  const std::string token = journal::Store::RevisionToken(0, row->Bytes(0, 0));
  Desk& two = NewDesk();
  for (Desk* desk : {&one, &two}) {
    Watcher again(&desk->hub(), kPublic, After(token));
    EXPECT_EQ(status::Reason(again.End()), "HISTORY_CHANGED");
    EXPECT_THAT(Told(again.events()), ElementsAre());
    // What the watch is narrowed to makes no difference, so that guesses tell
    // nothing.
    for (const char* name : {"widgets/seen", "widgets/guess", "notices/-"}) {
      WatchChangesRequest narrowed = After(token);
      narrowed.set_name(name);
      Watcher guessing(&desk->hub(), kPublic, narrowed);
      EXPECT_EQ(status::Reason(guessing.End()), "HISTORY_CHANGED") << name;
    }
    Watcher staff(&desk->hub(), kStaff, After(token));
    ASSERT_TRUE(staff.UntilBookmark(6));
    EXPECT_EQ(staff.events().size(), 7u);
  }
  Put(two, MakeWidget("mistake", "4"), Change::UNDELETED);
  Put(two, MakeWidget("seen", "1"), Change::UNDELETED);
  ASSERT_TRUE(one.replica().Await(8));
  for (Desk* desk : {&one, &two}) {
    Watcher again(&desk->hub(), kPublic, After(token));
    ASSERT_TRUE(again.UntilBookmark(8));
    EXPECT_THAT(
        Told(again.events()),
        ElementsAre("ADDED widgets/before", "ADDED widgets/mistake",
                    "CHANGED widgets/mistake", "REMOVED widgets/seen",
                    "REMOVED widgets/mistake", "ADDED widgets/after",
                    "ADDED widgets/mistake", "ADDED widgets/seen", "BOOKMARK"));
  }
}

// Some watches are still among the present state and some among the changes
// that are kept when what they have yet to be told of becomes old.
TEST_F(WatchTest, NoOldStateNamesWhatWasDeletedSince) {
  Desk& desk = NewDesk();
  constexpr int kMany = 100;  // more than is under way to a client
  const auto put_many = [&](journal::ChangeKind kind) {
    for (int i = 0; i < kMany; ++i) {
      Put(desk, MakeWidget(absl::StrCat("a", i), absl::StrCat(kind, "/", i)),
          kind);
    }
  };
  put_many(kCreated);
  for (const char* id : {"mistake", "y", "z"}) Put(desk, MakeWidget(id, id));
  Put(desk, MakePart("z", "widgets/mistake"));
  const std::vector<Caller> callers = {kPublic, kAnn, kStaff};
  std::vector<std::unique_ptr<Watcher>> present, live;
  for (const Caller& caller : callers) {
    live.push_back(
        std::make_unique<Watcher>(&desk.hub(), caller, WatchChangesRequest()));
    ASSERT_TRUE(live.back()->UntilBookmark(-1));
    live.back()->TakeNothing(true);
    present.push_back(std::make_unique<Watcher>(&desk.hub(), caller, Present(),
                                                /*nothing=*/true));
    ASSERT_TRUE(
        present.back()->Until([](const auto& e) { return !e.empty(); }));
  }
  put_many(kUpdated);
  Put(desk, MakePart("y", "widgets/mistake"));
  Put(desk, MakePart("y", "widgets/a1"), kUpdated);
  Put(desk, MakePart("z", "widgets/a1"), kUpdated);
  Put(desk, MakeWidget("mistake", "mistake"), kDeleted);
  Put(desk, MakeWidget("last", "l"));
  const auto fits = [](Watcher& watcher, const std::string& name) {
    std::vector<std::string> found;
    for (const auto& event : watcher.events()) {
      if (event.name() != name) continue;
      journal::test::Part part;
      EXPECT_TRUE(event.resource().UnpackTo(&part));
      found.push_back(part.fits());
    }
    return found;
  };
  for (size_t i = 0; i < callers.size(); ++i) {
    const std::string expected =
        callers[i].HasRole("staff") ? "widgets/mistake" : "";
    for (Watcher* watcher : {present[i].get(), live[i].get()}) {
      watcher->TakeNothing(false);
      ASSERT_TRUE(watcher->Until([](const auto& events) {
        return events.back().name() == "widgets/last";
      }));
      EXPECT_THAT(fits(*watcher, "widgets/y/parts/p"),
                  ElementsAre(expected, "widgets/a1"));
    }
    EXPECT_THAT(fits(*live[i], "widgets/z/parts/p"), ElementsAre("widgets/a1"));
    EXPECT_THAT(fits(*present[i], "widgets/z/parts/p"),
                ElementsAre(expected, "widgets/a1"));
  }
}

TEST_F(WatchTest, AnErasureIsToldAlsoToWhomItReachesLate) {
  Desk& one = NewDesk();
  Put(one, MakePerson("p", "p@example.org"));
  Watcher watcher(&one.hub(), kStaff, Present());
  ASSERT_TRUE(watcher.UntilBookmark(0));
  auto erased =
      one.replica().Do(TestReplica::Call([](journal::Decision& decision) {
        EXPECT_TRUE(decision.ErasePersonal("people/p", "asked for").ok());
        return absl::StatusOr<std::string>("");
      }));
  ASSERT_TRUE(erased.ok()) << erased.status();
  ASSERT_TRUE(watcher.Until([](const auto& e) { return e.size() >= 3; }));
  const auto events = watcher.events();
  journal::test::Person before, after, late;
  ASSERT_TRUE(events[0].resource().UnpackTo(&before));
  ASSERT_TRUE(events[2].resource().UnpackTo(&after));
  EXPECT_EQ(before.email(), "p@example.org");
  EXPECT_EQ(after.email(), "");
  Desk& two = NewDesk();
  Watcher again(&two.hub(), kStaff, After(events[1].resume_token()));
  ASSERT_TRUE(again.UntilBookmark(1));
  EXPECT_THAT(Told(again.events()),
              ElementsAre("CHANGED people/p", "BOOKMARK"));
  ASSERT_TRUE(again.events()[0].resource().UnpackTo(&late));
  EXPECT_EQ(late.SerializeAsString(), after.SerializeAsString());
}

TEST_F(WatchTest, SendsBookmarksWhenNothingElseHappens) {
  Desk& desk = NewDesk();
  WatchChangesRequest request;
  request.mutable_heartbeat_interval()->set_seconds(1);
  Watcher watcher(&desk.hub(), kPublic, request);
  ASSERT_TRUE(watcher.Until([](const auto& e) { return e.size() >= 3; }));
  EXPECT_THAT(Told(watcher.events()),
              ElementsAre("BOOKMARK", "BOOKMARK", "BOOKMARK"));
}

TEST_F(WatchTest, RefusesWhatCannotBe) {
  Desk& desk = NewDesk();
  Put(desk, MakeWidget("a", "1"));
  const auto refused =
      [&](const std::function<void(WatchChangesRequest*)>& set) {
        WatchChangesRequest request;
        set(&request);
        Watcher watcher(&desk.hub(), kPublic, request);
        const absl::Status status = watcher.End();
        EXPECT_FALSE(watcher.accepted());
        return absl::StrCat(absl::StatusCodeToString(status.code()), " ",
                            status::Reason(status));
      };
  const std::string bad = "INVALID_ARGUMENT INVALID_FIELDS";
  EXPECT_EQ(refused([](auto* r) { r->add_types("journal.test/None"); }), bad);
  EXPECT_EQ(refused([](auto* r) { r->set_name("nothings/x"); }), bad);
  EXPECT_EQ(refused([](auto* r) { r->set_name("widgets/X"); }), bad);
  EXPECT_EQ(refused([](auto* r) { r->set_resume_token("x"); }), bad);
  EXPECT_EQ(refused([](auto* r) { r->set_resume_token("0.9"); }), bad);
  EXPECT_EQ(refused([](auto* r) {
              r->set_resume_token("0.00000000");
              r->set_include_present_state(true);
            }),
            bad);
  EXPECT_EQ(refused([](auto* r) {
              r->mutable_heartbeat_interval()->set_seconds(61);
            }),
            bad);
  EXPECT_EQ(
      refused([](auto* r) { r->mutable_heartbeat_interval()->set_nanos(999); }),
      bad);
  EXPECT_EQ(refused([](auto* r) { r->set_resume_token("0.00000000"); }),
            "FAILED_PRECONDITION HISTORY_CHANGED");
  EXPECT_EQ(refused([](auto* r) { r->set_resume_token("7.00000000"); }),
            "OUT_OF_RANGE REVISION_ABOVE_HEAD");
}

TEST_F(WatchTest, CutsOffWhoTakesNothing) {
  WatchOptions options;
  options.kept.entries = 8;
  Desk& desk = NewDesk(options);
  Watcher slow(&desk.hub(), kPublic, {});
  Watcher quick(&desk.hub(), kPublic, {});
  ASSERT_TRUE(slow.UntilBookmark(-1));
  slow.TakeNothing(true);
  for (int i = 0; i < 30; ++i) {
    const std::string id = absl::StrCat("w", i);
    Put(desk, MakeWidget(id, id));
    ASSERT_TRUE(quick.Until([&](const auto& events) {
      return events.back().name() == "widgets/" + id;
    }));
  }
  const absl::Status status = slow.End();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status::Reason(status), "WATCH_TOO_SLOW");
  EXPECT_FALSE(quick.ended());
  // Nothing is lost to it.
  Watcher again(&desk.hub(), kPublic,
                After(slow.events().back().resume_token()));
  ASSERT_TRUE(again.UntilBookmark(29));
  EXPECT_EQ(again.events().size() + slow.events().size(), 32u);
}

TEST_F(WatchTest, LetsInAsManyAsItMay) {
  WatchOptions options;
  options.watches = 1;
  Desk& desk = NewDesk(options);
  auto first =
      std::make_unique<Watcher>(&desk.hub(), kPublic, WatchChangesRequest());
  ASSERT_TRUE(first->UntilBookmark(-1));
  Watcher second(&desk.hub(), kPublic, {});
  EXPECT_EQ(status::Reason(second.End()), "OVERLOADED");
  first.reset();
  EXPECT_TRUE(TestReplica::Eventually([&] {
    Watcher third(&desk.hub(), kPublic, {});
    return third.Until([](const auto& e) { return !e.empty(); }) &&
           !third.ended();
  }));
}

TEST_F(WatchTest, TellsVeryManyAtOnce) {
  constexpr size_t kWatchers = 500;
  constexpr size_t kChanges = 20;
  Desk& desk = NewDesk();
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (size_t i = 0; i < kWatchers; ++i) {
    const Caller& caller = i % 2 == 0 ? kPublic : kStaff;
    watchers.push_back(
        std::make_unique<Watcher>(&desk.hub(), caller, WatchChangesRequest()));
  }
  for (const auto& watcher : watchers) ASSERT_TRUE(watcher->UntilBookmark(-1));
  for (size_t i = 0; i < kChanges; ++i) {
    const std::string id = absl::StrCat("w", i);
    Put(desk, MakeWidget(id, id));
  }
  for (const auto& watcher : watchers) {
    ASSERT_TRUE(watcher->Until(
        [](const auto& events) { return events.size() > kChanges; }));
    EXPECT_EQ(watcher->events().back().name(), "widgets/w19");
  }
}

TEST_F(WatchTest, AnEventIsMadeOnceForAllOfOneForm) {
  Desk& desk = NewDesk();
  RecentChanges::Limits limits;
  limits.entries = 4;
  limits.with_events = 2;
  RecentChanges recent(limits);
  recent.Load(resource::Snapshot(&journal::WorkshopCatalogue()));
  for (int64_t revision = 0; revision < 6; ++revision) {
    const std::string id = absl::StrCat("w", revision);
    Put(desk, MakeWidget(id, id));
    auto applied = std::make_shared<journal::Applied>();
    applied->entry.revision = revision;
    applied->entry.name = "widgets/" + id;
    applied->item =
        desk.replica().store().Current()->Share(applied->entry.name);
    recent.Append({revision, std::string(32, 'd'), std::move(applied)});
  }
  EXPECT_EQ(recent.first(), 1);
  EXPECT_EQ(recent.size(), 4u);
  const auto event = recent.EventAt(5, "public", kPublic);
  EXPECT_EQ(recent.EventAt(5, "public", kPublic), event);
  EXPECT_NE(*recent.EventAt(5, "staff", kStaff), *event);
  // Of older ones none is kept.
  EXPECT_NE(recent.EventAt(2, "public", kPublic),
            recent.EventAt(2, "public", kPublic));
}

TEST_F(WatchTest, EndsWithTheHistory) {
  Desk& desk = NewDesk();
  Put(desk, MakeWidget("a", "1"));
  Put(desk, MakeWidget("b", "2"));
  Watcher watcher(&desk.hub(), kPublic, {});
  ASSERT_TRUE(watcher.UntilBookmark(1));
  auto session = database_.Connect();
  ASSERT_TRUE(session
                  ->Execute("ALTER TABLE journal DISABLE TRIGGER ALL;"
                            "DELETE FROM widgets WHERE name = 'widgets/b';"
                            "DELETE FROM journal WHERE revision = 1;"
                            "ALTER TABLE journal ENABLE TRIGGER ALL",
                            absl::Now() + absl::Minutes(1))
                  .ok());
  EXPECT_EQ(status::Reason(watcher.End()), "HISTORY_CHANGED");
  ASSERT_TRUE(TestReplica::Eventually(
      [&] { return desk.replica().store().Fresh().ok(); }));
  Put(desk, MakeWidget("c", "3"));
  Watcher again(&desk.hub(), kPublic,
                After(watcher.events().back().resume_token()));
  EXPECT_EQ(status::Reason(again.End()), "HISTORY_CHANGED");
}

TEST_F(WatchTest, OneCallersWatchesThatWaitLeaveRoomForOthers) {
  WatchOptions options;
  options.waits = 8;
  Desk& desk = NewDesk(options);
  const WatchChangesRequest above_head = After("99.00000000");
  Watcher one(&desk.hub(), kPublic, above_head);
  Watcher two(&desk.hub(), kPublic, above_head);
  Watcher three(&desk.hub(), kPublic, above_head);
  EXPECT_EQ(status::Reason(three.End()), "OVERLOADED");
  Watcher other(&desk.hub(), kAnn, above_head);
  for (Watcher* watcher : {&one, &two, &other}) {
    EXPECT_EQ(status::Reason(watcher->End()), "REVISION_ABOVE_HEAD");
  }
  // The seats are given back.
  Watcher again(&desk.hub(), kPublic, above_head);
  EXPECT_EQ(status::Reason(again.End()), "REVISION_ABOVE_HEAD");
}

// Keeps what a replica applies.
class Keeper : public journal::StoreObserver {
 public:
  explicit Keeper(RecentChanges::Limits limits) : recent_(limits) {}

  void OnLoad(const resource::Snapshot& snapshot) override {
    absl::MutexLock lock(&mutex_);
    recent_.Load(snapshot);
  }
  void OnApplied(const std::vector<journal::Store::Mark>& marks) override {
    absl::MutexLock lock(&mutex_);
    for (const auto& mark : marks) recent_.Append(mark);
  }
  void OnInvalid() override {}

  // Asks for every entry's event as a caller who shares his with nobody.
  void AskAs(const std::string& subject, int64_t head) {
    absl::MutexLock lock(&mutex_);
    const Caller caller{subject, {}};
    for (int64_t revision = 0; revision <= head; ++revision) {
      EXPECT_FALSE(recent_.EventAt(revision, subject, caller)->empty());
    }
  }
  size_t event_bytes() {
    absl::MutexLock lock(&mutex_);
    return recent_.event_bytes();
  }

 private:
  absl::Mutex mutex_;
  RecentChanges recent_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(WatchTest, EventsOfManyCallersTakeNoMoreThanTheyMay) {
  constexpr int64_t kHead = 49;
  RecentChanges::Limits limits;
  limits.event_bytes = 100'000;
  Keeper keeper(limits);
  TestReplica replica(database_.conninfo());
  replica.store().SetObserver(&keeper);
  replica.clock().Set(journal::kStart);
  ASSERT_TRUE(replica.Start().ok());
  Desk& desk = NewDesk();
  for (int64_t i = 0; i <= kHead; ++i) {
    Put(desk, MakeWidget(absl::StrCat("w", i), absl::StrCat(i)));
  }
  ASSERT_TRUE(replica.Await(kHead));
  size_t most = 0;
  for (int i = 0; i < 200; ++i) {
    keeper.AskAs(absl::StrCat("caller", i), kHead);
    most = std::max(most, keeper.event_bytes());
  }
  EXPECT_GT(most, limits.event_bytes / 2);
  EXPECT_LE(most, limits.event_bytes);
  replica.Stop();
}

}  // namespace
}  // namespace transparency::changes
