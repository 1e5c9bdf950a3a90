#include "common/journal/replica/tests/workshop.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/postgres/migrations.h"
#include "common/status/status.h"
#include "google/protobuf/util/time_util.h"
#include "schema/journal_schema.h"
#include "schema/workshop_schema.h"

namespace transparency::journal {
namespace {

absl::Status Migrate(postgres::Session& session) {
  return postgres::Migrate(&session, {schema::Journal(), schema::Workshop()})
      .status();
}

absl::Time FromProto(const google::protobuf::Timestamp& stamp) {
  return absl::FromUnixSeconds(stamp.seconds()) +
         absl::Nanoseconds(stamp.nanos());
}

absl::Time OfferInEffect(test::Offer* offer, absl::Time now) {
  const absl::Time expires = FromProto(offer->expire_time());
  offer->set_state(now < expires ? test::Offer::OPEN : test::Offer::EXPIRED);
  return now < expires ? expires : absl::InfiniteFuture();
}

absl::Time NoticeInEffect(test::Notice* notice, absl::Time now) {
  const absl::Time expires = FromProto(notice->expire_time());
  notice->set_past(now >= expires);
  return now < expires ? expires : absl::InfiniteFuture();
}

}  // namespace

const resource::Catalogue& WorkshopCatalogue() {
  static const resource::Catalogue* catalogue = [] {
    auto* made = new resource::Catalogue;
    resource::Rules<test::Widget> widget;
    widget.keys = [](const test::Widget& w, auto* keys) {
      keys->push_back(resource::Key("number", w.number()));
    };
    resource::Rules<test::Offer> offer;
    offer.effective = OfferInEffect;
    absl::Status status = made->Add<test::Widget>(widget);
    status.Update(made->Add<test::Part>({}));
    status.Update(made->Add<test::Person>({}));
    status.Update(made->Add<test::Offer>(offer));
    resource::Rules<test::Notice> notice;
    notice.effective = NoticeInEffect;
    status.Update(made->Add<test::Notice>(notice));
    if (!status.ok()) {
      ADD_FAILURE() << status;
      abort();
    }
    return made;
  }();
  return *catalogue;
}

// ---- TestReplica ----

TestReplica::TestReplica(const std::string& conninfo,
                         const std::function<void(ReplicaOptions*)>& adjust) {
  ReplicaOptions options;
  options.conninfo = conninfo;
  options.writer.clock_interval = absl::Milliseconds(10);
  options.follower.poll_interval = absl::Milliseconds(10);
  options.follower.on_serving_change = [changes = changes_.get()](bool on) {
    changes->push_back(on);
  };
  if (adjust) adjust(&options);
  replica_ = std::make_unique<Replica>(options, &WorkshopCatalogue(), &clock_,
                                       &registry_);
}

absl::StatusOr<CommandResult> TestReplica::Do(Command command) {
  absl::Notification told;
  absl::StatusOr<CommandResult> result = absl::UnknownError("not told");
  command.done = [&](absl::StatusOr<CommandResult> r) {
    result = std::move(r);
    told.Notify();
  };
  writer().Submit(std::move(command));
  told.WaitForNotification();
  return result;
}

Command TestReplica::Call(
    std::function<absl::StatusOr<std::string>(Decision&)> decide,
    std::string request_id, std::string digest) {
  Command command;
  command.caller = {"tester", {"staff"}};
  command.method = "/journal.test.Workshop/Change";
  command.request_id = std::move(request_id);
  command.request_digest = std::move(digest);
  command.deadline = absl::Now() + absl::Seconds(60);
  command.decide = std::move(decide);
  return command;
}

absl::StatusOr<CommandResult> TestReplica::Put(
    const google::protobuf::Message& resource, ChangeKind kind,
    std::string request_id) {
  return Do(Call(
      [&resource, kind](Decision& decision) -> absl::StatusOr<std::string> {
        auto item = decision.Put(resource, kind);
        if (!item.ok()) return item.status();
        return (*item)->name();
      },
      std::move(request_id)));
}

bool TestReplica::Eventually(const std::function<bool()>& holds) {
  const absl::Time limit = absl::Now() + absl::Seconds(60);
  absl::Mutex mutex;
  absl::MutexLock lock(&mutex);
  while (!holds()) {
    if (absl::Now() > limit) return false;
    const bool never = false;
    mutex.AwaitWithTimeout(absl::Condition(&never), absl::Milliseconds(5));
  }
  return true;
}

bool TestReplica::Await(int64_t revision) {
  return Eventually([&] { return this->revision() >= revision; });
}

// ---- WorkshopTest ----

WorkshopTest::WorkshopTest() : database_("workshop", Migrate) {}

WorkshopTest::~WorkshopTest() { replicas_.clear(); }

TestReplica& WorkshopTest::NewReplica(
    const std::function<void(ReplicaOptions*)>& adjust) {
  return NewReplicaAt(database_.conninfo(), adjust);
}

TestReplica& WorkshopTest::NewReplicaAt(
    const std::string& conninfo,
    const std::function<void(ReplicaOptions*)>& adjust) {
  replicas_.push_back(std::make_unique<TestReplica>(conninfo, adjust));
  const absl::Status status = replicas_.back()->Start();
  EXPECT_TRUE(status.ok()) << status;
  return *replicas_.back();
}

CheckReport WorkshopTest::RunCheck() {
  auto session = database_.Connect();
  absl::Time now = kStart;
  for (const auto& replica : replicas_) {
    now = std::max(now, replica->clock().Now());
  }
  auto report = Check(session.get(), WorkshopCatalogue(), now);
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? *report : CheckReport();
}

void WorkshopTest::ExpectSound() {
  EXPECT_THAT(RunCheck().problems, testing::IsEmpty());
}

// ---- resources ----

test::Part MakePart(const std::string& widget, const std::string& fits) {
  test::Part part;
  part.set_name(absl::StrCat("widgets/", widget, "/parts/p"));
  part.set_fits(fits);
  return part;
}

test::Widget MakeWidget(const std::string& id, const std::string& number) {
  test::Widget widget;
  widget.set_name(absl::StrCat("widgets/", id));
  widget.set_number(number);
  widget.set_title("Widget \"" + id + "\" é");
  widget.set_colour(test::Widget::BLUE);
  widget.mutable_made_on()->set_year(2024);
  widget.mutable_made_on()->set_month(2);
  widget.mutable_made_on()->set_day(29);
  widget.add_labels("a,b");
  widget.add_labels("{c}");
  widget.mutable_maker()->set_city("Gent");
  widget.mutable_maker()->mutable_since()->set_year(1999);
  widget.set_secret_note("not for everybody");
  return widget;
}

test::Person MakePerson(const std::string& id, const std::string& email) {
  test::Person person;
  person.set_name(absl::StrCat("people/", id));
  person.set_role("guest");
  person.set_email(email);
  if (!email.empty()) person.add_phones("+32 " + email);
  return person;
}

test::Offer MakeOffer(const std::string& id, absl::Time expires) {
  test::Offer offer;
  offer.set_name(absl::StrCat("offers/", id));
  *offer.mutable_expire_time() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(
          absl::ToUnixMicros(expires));
  return offer;
}

test::Notice MakeNotice(const std::string& id, bool posted,
                        absl::Time expires) {
  test::Notice notice;
  notice.set_name(absl::StrCat("notices/", id));
  notice.set_posted(posted);
  notice.set_author("ann");
  notice.set_note("for ann alone");
  *notice.mutable_expire_time() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(
          absl::ToUnixMicros(expires));
  return notice;
}

std::string RequestId(int n) {
  return absl::StrFormat("00000000-0000-4000-8000-%012d", n);
}

}  // namespace transparency::journal
