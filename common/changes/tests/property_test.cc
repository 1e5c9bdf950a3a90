#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/random/random.h"
#include "common/changes/tests/journal_model.h"

namespace transparency::changes {
namespace {

using journal::kStart;
using journal::MakeNotice;
using journal::MakeOffer;
using journal::MakePerson;
using journal::MakeWidget;

constexpr int kSteps = 400;

// Changes of everything that there is, at random, on one of two replicas.
class PropertyTest : public ChangesTest {
 protected:
  static WatchOptions Small() {
    WatchOptions options;
    // Watches cross the border of what is in memory all the time, and none is
    // so slow as to be cut off.
    options.kept.entries = 200;
    options.kept.with_events = 20;
    return options;
  }

  int Any(int count) { return absl::Uniform(random_, 0, count); }

  void ChangeSomething() {
    Desk& desk = *desks_[static_cast<size_t>(Any(2))];
    const std::string id = absl::StrCat("x", Any(6));
    switch (Any(9)) {
      case 0:
        return Put(desk, MakeWidget(id, absl::StrCat(id, Any(3))));
      case 1:
        return Delete(desk, "widgets/" + id);
      case 2:
      case 3:
        return Put(desk, MakeNotice(id, Any(3) > 0, Soon()));
      case 4:
        return Delete(desk, "notices/" + id);
      case 5:
        return Put(desk, MakePerson(id, absl::StrCat(id, Any(100))));
      case 6:
        return Erase(desk, "people/" + id);
      case 7:
        return Put(desk, MakeOffer(id, Soon()));
      default:
        now_ += absl::Seconds(Any(20));
        for (const auto& other : desks_) other->replica().clock().Set(now_);
    }
  }

  absl::Time Soon() { return now_ + absl::Seconds(1 + Any(60)); }

  void Do(Desk& desk, std::function<void(journal::Decision&)> decide) {
    auto done = desk.replica().Do(TestReplica::Call(
        [&](journal::Decision& decision) -> absl::StatusOr<std::string> {
          decide(decision);
          return std::string();
        }));
    EXPECT_TRUE(done.ok()) << done.status();
  }
  void Put(Desk& desk, const google::protobuf::Message& resource) {
    Do(desk, [&](journal::Decision& decision) {
      const auto* item = Named(decision, resource);
      if (item == nullptr) {
        EXPECT_TRUE(decision.Put(resource, kCreated).ok());
      } else {
        EXPECT_TRUE(
            decision
                .Put(resource, item->deleted() ? Change::UNDELETED : kUpdated)
                .ok());
      }
    });
  }
  void Delete(Desk& desk, const std::string& name) {
    Do(desk, [&](journal::Decision& decision) {
      const resource::Item* item = decision.view().FindLive(name);
      if (item == nullptr) return;
      EXPECT_TRUE(decision.Put(item->message(), Change::DELETED).ok());
    });
  }
  void Erase(Desk& desk, const std::string& name) {
    Do(desk, [&](journal::Decision& decision) {
      if (decision.view().FindLive(name) == nullptr) return;
      EXPECT_TRUE(decision.ErasePersonal(name, "").ok());
    });
  }
  static const resource::Item* Named(
      journal::Decision& decision, const google::protobuf::Message& resource) {
    const auto* field = resource.GetDescriptor()->FindFieldByName("name");
    return decision.view().Find(
        resource.GetReflection()->GetString(resource, field));
  }

  // The journal as it is now, once both replicas have all of it.
  JournalModel Model() {
    auto session = database_.Connect();
    JournalModel model(session.get());
    head_ = static_cast<int64_t>(model.steps().size()) - 1;
    for (const auto& desk : desks_) EXPECT_TRUE(desk->replica().Await(head_));
    return model;
  }

  absl::BitGen random_;
  absl::Time now_ = kStart;
  int64_t head_ = -1;
};

// A client that is dropped again and again and resumes anywhere.
class Wanderer {
 public:
  Wanderer(const Caller& caller, Desk* desk) : caller_(caller) { Begin(desk); }

  void Move(Desk* desk) {
    const bool ended = watcher_->ended();
    watcher_->Drop();
    if (ended) return Begin(desk);
    Take();
    WatchChangesRequest request;
    request.set_resume_token(token_);
    watcher_ = std::make_unique<Watcher>(&desk->hub(), caller_, request);
  }
  void Finish(int64_t head, Desk* desk) {
    const auto has = [&](const auto& events) { return Has(events, head); };
    EXPECT_TRUE(watcher_->Until(has));
    if (watcher_->ended()) {
      Begin(desk);
      EXPECT_TRUE(watcher_->Until(has));
    }
    EXPECT_FALSE(watcher_->ended());
    Take();
  }

  const Caller& caller() const { return caller_; }
  int64_t begun() const { return begun_; }
  const std::vector<std::string>& told() const { return told_; }
  // By name, as the events left it.
  const std::map<std::string, std::string>& state() const { return state_; }

 private:
  // Begins, or begins anew when the last watch ended: something that he may
  // have been told of was deleted while he was not there.
  void Begin(Desk* desk) {
    if (watcher_ != nullptr) {
      EXPECT_FALSE(caller_.HasRole("staff"));
      EXPECT_EQ(status::Reason(watcher_->End()), "HISTORY_CHANGED");
    }
    state_.clear();
    told_.clear();
    begun_ = kNowhere;
    WatchChangesRequest request;
    request.set_include_present_state(true);
    watcher_ = std::make_unique<Watcher>(&desk->hub(), caller_, request);
    EXPECT_TRUE(watcher_->UntilBookmark(-1));
  }

  static bool Has(const std::vector<WatchChangesResponse>& events,
                  int64_t revision) {
    return std::any_of(events.begin(), events.end(), [&](const auto& event) {
      return !event.resume_token().empty() &&
             std::stoll(event.resume_token()) >= revision;
    });
  }

  void Take() {
    for (const auto& event : watcher_->events()) {
      if (!event.resume_token().empty()) token_ = event.resume_token();
      if (event.type() == WatchChangesResponse::BOOKMARK) {
        if (begun_ == kNowhere) begun_ = std::stoll(token_);
        continue;
      }
      if (!event.resume_token().empty()) {
        told_.push_back(absl::StrCat(
            std::stoll(event.resume_token()), " ",
            WatchChangesResponse::Type_Name(event.type()), " ", event.name()));
      }
      // A removal may be of a resource that he was not told of: it was deleted
      // when its addition was passed over, and undeleted before the removal was
      // reached.
      const bool known = state_.count(event.name()) > 0;
      if (event.type() != WatchChangesResponse::REMOVED) {
        EXPECT_EQ(known, event.type() == WatchChangesResponse::CHANGED)
            << event.ShortDebugString();
      }
      if (event.type() == WatchChangesResponse::REMOVED) {
        state_.erase(event.name());
      } else {
        state_[event.name()] = event.resource().value();
      }
    }
  }

  const Caller caller_;
  std::unique_ptr<Watcher> watcher_;
  std::string token_;
  static constexpr int64_t kNowhere = -2;
  int64_t begun_ = kNowhere;
  std::vector<std::string> told_;
  std::map<std::string, std::string> state_;
};

// In order, each event once; what is missing was deleted later.
void ExpectToldAllButWithheld(const Wanderer& wanderer,
                              const JournalModel& model) {
  const auto head = static_cast<int64_t>(model.steps().size()) - 1;
  const auto expected = model.Events(wanderer.caller(), wanderer.begun(), head);
  auto told = wanderer.told().begin();
  for (const std::string& event : expected) {
    if (told != wanderer.told().end() && *told == event) {
      ++told;
      continue;
    }
    const std::string name = event.substr(event.rfind(' ') + 1);
    EXPECT_GE(model.LastDeletion(name), std::stoll(event)) << event;
    EXPECT_FALSE(wanderer.caller().HasRole("staff")) << event;
  }
  EXPECT_TRUE(told == wanderer.told().end()) << *told;
}

TEST_F(PropertyTest, WhatEachIsToldIsTheJournalInHisEyes) {
  NewDesk(Small());
  NewDesk(Small());
  const std::vector<Caller> callers = {
      kPublic, kStaff, kAnn, {"bob", {}}, {"eve", {"guest", "staff"}}};
  std::vector<std::unique_ptr<Wanderer>> wanderers;
  for (int i = 0; i < kSteps; ++i) {
    ChangeSomething();
    if (i % 20 == 0) {
      wanderers.push_back(std::make_unique<Wanderer>(
          callers[wanderers.size() % callers.size()],
          desks_[static_cast<size_t>(Any(2))].get()));
    }
    if (Any(3) == 0) {
      wanderers[static_cast<size_t>(Any(static_cast<int>(wanderers.size())))]
          ->Move(desks_[static_cast<size_t>(Any(2))].get());
    }
  }
  // The last one is for everybody.
  Put(*desks_[0], MakeWidget("end", "end"));
  const JournalModel model = Model();
  for (const auto& wanderer : wanderers) {
    wanderer->Finish(head_, desks_[0].get());
    ExpectToldAllButWithheld(*wanderer, model);
    Wanderer now(wanderer->caller(), desks_[1].get());
    now.Finish(head_, desks_[1].get());
    EXPECT_EQ(wanderer->state(), now.state());
  }
}

TEST_F(PropertyTest, ListChangesIsTheJournalInHisEyes) {
  Desk& desk = NewDesk(Small());
  NewDesk(Small());
  for (int i = 0; i < kSteps; ++i) ChangeSomething();
  const JournalModel model = Model();
  for (const Caller& caller : {kPublic, kStaff, kAnn}) {
    for (int i = 0; i < 20; ++i) {
      ListChangesRequest request;
      const bool ascending = Any(2) == 0;
      if (ascending) request.set_order_by("revision");
      request.set_page_size(1 + Any(40));
      const std::string name =
          std::vector<std::string>{"", "notices/-", "widgets/x1",
                                   "people/-"}[static_cast<size_t>(Any(4))];
      request.set_name(name);
      if (name.empty() && Any(2) == 0) {
        request.add_types("journal.test/Widget");
        request.add_types("journal.test/Offer");
      }
      const absl::Time from = kStart + (now_ - kStart) * Any(3) / 4;
      const absl::Time until = kStart + (now_ - kStart) * (2 + Any(3)) / 4;
      const bool period = Any(2) == 0;
      if (period) {
        request.mutable_start_time()->set_seconds(absl::ToUnixSeconds(from));
        request.mutable_end_time()->set_seconds(absl::ToUnixSeconds(until));
      }
      auto expected = model.Told(caller, [&](const JournalModel::Step& step) {
        const auto& kind = step.after->kind();
        const auto& entry = step.entry;
        return (request.types_size() == 0 ||
                kind.type == "journal.test/Widget" ||
                kind.type == "journal.test/Offer") &&
               (name.empty() || entry.name == name ||
                (name.back() == '-' &&
                 absl::StartsWith(entry.name,
                                  name.substr(0, name.size() - 1)))) &&
               (!period ||
                (entry.record_time >=
                     absl::FromUnixSeconds(absl::ToUnixSeconds(from)) &&
                 entry.record_time <
                     absl::FromUnixSeconds(absl::ToUnixSeconds(until))));
      });
      if (!ascending) std::reverse(expected.begin(), expected.end());
      std::vector<int64_t> revisions;
      for (const Change& change : desk.ListAll(caller, request)) {
        revisions.push_back(change.revision());
        EXPECT_EQ(change.actor().empty(),
                  !caller.HasRole("staff") || change.kind() == Change::CLOCK);
      }
      EXPECT_EQ(revisions, expected) << request.ShortDebugString();
    }
  }
}

TEST_F(PropertyTest, GetResourceAtIsTheJournalInHisEyes) {
  Desk& desk = NewDesk(Small());
  NewDesk(Small());
  for (int i = 0; i < kSteps; ++i) ChangeSomething();
  const JournalModel model = Model();
  const auto expect = [&](const Caller& caller,
                          const GetResourceAtRequest& request, int64_t revision,
                          absl::Time time) {
    auto got = desk.At(caller, request);
    const auto wanted = model.At(caller, request.name(), revision, time);
    if (wanted == nullptr) {
      EXPECT_EQ(got.status().code(), absl::StatusCode::kNotFound);
      return;
    }
    ASSERT_TRUE(got.ok()) << got.status() << request.ShortDebugString();
    EXPECT_EQ(got->resource().value(), wanted->SerializeAsString());
    EXPECT_EQ(got->change().name(), request.name());
    EXPECT_LE(got->change().revision(), revision);
  };
  for (int i = 0; i < 300; ++i) {
    const auto& place =
        model.steps()[static_cast<size_t>(Any(static_cast<int>(head_ + 1)))];
    const Caller caller =
        std::vector{kPublic, kStaff, kAnn}[static_cast<size_t>(Any(3))];
    GetResourceAtRequest request;
    request.set_name(place.entry.name);
    const int64_t revision = Any(static_cast<int>(head_ + 1));
    request.set_revision(revision);
    expect(caller, request, revision,
           model.steps()[static_cast<size_t>(revision)].entry.record_time);
    const absl::Time time =
        kStart + absl::Seconds(Any(static_cast<int>(
                     absl::ToInt64Seconds(now_ - kStart) + 1)));
    request.mutable_time()->set_seconds(absl::ToUnixSeconds(time));
    int64_t last = -1;
    for (const auto& step : model.steps()) {
      if (step.entry.record_time <= time) last = step.entry.revision;
    }
    expect(caller, request, last, time);
  }
}

}  // namespace
}  // namespace transparency::changes
