#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "common/base/digest.h"
#include "common/changes/tests/changes_desk.h"
#include "common/postgres/params.h"
#include "google/protobuf/util/time_util.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::changes {
namespace {

using journal::kStart;
using journal::MakeNotice;
using journal::MakePart;
using journal::MakePerson;
using journal::MakeWidget;
using journal::test::Person;
using journal::test::Widget;
using testing::ElementsAre;

class ReadsTest : public ChangesTest {
 protected:
  ReadsTest() : desk_(NewDesk()) {}

  void Put(const google::protobuf::Message& resource,
           journal::ChangeKind kind = kCreated) {
    auto put = desk_.replica().Put(resource, kind);
    ASSERT_TRUE(put.ok()) << put.status();
  }
  // "1 UPDATED widgets/a".
  std::vector<std::string> Listed(const Caller& caller,
                                  const ListChangesRequest& request = {}) {
    std::vector<std::string> listed;
    for (const Change& change : desk_.ListAll(caller, request)) {
      listed.push_back(absl::StrCat(change.revision(), " ",
                                    Change::Kind_Name(change.kind()), " ",
                                    change.name()));
    }
    return listed;
  }
  template <class Request, class Method>
  std::string Refused(const Caller& caller, const Request& request,
                      Method method) {
    auto answer = (desk_.*method)(caller, request);
    EXPECT_FALSE(answer.ok());
    google::rpc::BadRequest bad;
    status::FindDetail(answer.status(), &bad);
    return absl::StrCat(absl::StatusCodeToString(answer.status().code()), " ",
                        bad.field_violations_size() > 0
                            ? bad.field_violations(0).field()
                            : status::Reason(answer.status()));
  }

  Desk& desk_;
};

TEST_F(ReadsTest, ListsTheNewestFirst) {
  Put(MakeWidget("a", "1"));
  Put(MakeWidget("a", "2"), kUpdated);
  Put(MakeWidget("b", "3"));
  EXPECT_THAT(Listed(kPublic),
              ElementsAre("2 CREATED widgets/b", "1 UPDATED widgets/a",
                          "0 CREATED widgets/a"));
  ListChangesRequest request;
  request.set_order_by(" revision ");
  request.set_name("widgets/a");
  EXPECT_THAT(Listed(kPublic, request),
              ElementsAre("0 CREATED widgets/a", "1 UPDATED widgets/a"));
}

TEST_F(ReadsTest, ActorAndReasonAreStaffs) {
  auto done =
      desk_.replica().Do(TestReplica::Call([](journal::Decision& decision) {
        auto put = decision.Put(MakeWidget("a", "1"), kCreated, "", "because");
        return absl::StatusOr<std::string>(std::string());
      }));
  ASSERT_TRUE(done.ok());
  const Change to_staff = desk_.ListAll(kStaff, {}).at(0);
  const Change to_public = desk_.ListAll(kPublic, {}).at(0);
  EXPECT_EQ(to_staff.actor(), "tester");
  EXPECT_EQ(to_staff.reason(), "because");
  EXPECT_EQ(to_staff.step(), "Change");
  EXPECT_EQ(to_staff.digest().size(), 64u);
  EXPECT_EQ(to_staff.public_digest().size(), 64u);
  Change less = to_staff;
  EXPECT_EQ(to_staff.salt().size(), 64u);
  EXPECT_FALSE(to_staff.body().empty());
  less.clear_actor();
  less.clear_reason();
  less.clear_salt();
  less.clear_request_id();
  less.clear_body();
  EXPECT_EQ(to_public.SerializeAsString(), less.SerializeAsString());
  ListChangesRequest request;
  request.set_actor("tester");
  EXPECT_EQ(Listed(kStaff, request).size(), 1u);
  EXPECT_EQ(Refused(kPublic, request, &Desk::List), "INVALID_ARGUMENT actor");
  request.set_actor("other");
  EXPECT_THAT(Listed(kStaff, request), testing::IsEmpty());
}

TEST_F(ReadsTest, WhatIsHiddenLeavesAGap) {
  Put(MakeWidget("a", "1"));
  Put(MakePerson("p", "p@example.org"));
  Put(MakeNotice("n", false, kStart + absl::Hours(1)));
  Put(MakeNotice("n", true, kStart + absl::Hours(1)), kUpdated);
  EXPECT_THAT(Listed(kPublic),
              ElementsAre("3 UPDATED notices/n", "0 CREATED widgets/a"));
  EXPECT_EQ(Listed(kStaff).size(), 4u);
}

TEST_F(ReadsTest, WhatIsDeletedIsToldToStaffAloneUntilItIsUndeleted) {
  Put(MakeWidget("a", "1"));
  Put(MakeWidget("b", "2"));
  Put(MakeWidget("a", "1"), Change::DELETED);
  GetResourceAtRequest at;
  at.set_name("widgets/a");
  at.set_revision(0);
  for (const Caller& caller : {kPublic, kAnn}) {
    EXPECT_THAT(Listed(caller), ElementsAre("1 CREATED widgets/b"));
    ListChangesRequest one;
    one.set_name("widgets/a");
    EXPECT_THAT(Listed(caller, one), testing::IsEmpty());
    EXPECT_EQ(Refused(caller, at, &Desk::At), "NOT_FOUND RESOURCE_NOT_FOUND");
  }
  EXPECT_EQ(Listed(kStaff).size(), 3u);
  EXPECT_TRUE(desk_.At(kStaff, at).ok());
  Put(MakeWidget("a", "1"), Change::UNDELETED);
  EXPECT_THAT(Listed(kPublic),
              ElementsAre("3 UNDELETED widgets/a", "2 DELETED widgets/a",
                          "1 CREATED widgets/b", "0 CREATED widgets/a"));
  EXPECT_TRUE(desk_.At(kPublic, at).ok());
}

TEST_F(ReadsTest, NoOldStateNamesWhatWasDeletedSince) {
  Put(MakeWidget("a", "1"));
  Put(MakeWidget("mistake", "2"));
  Put(MakePart("a", "widgets/mistake"));
  Put(MakePart("a", "widgets/a"), kUpdated);
  Put(MakeWidget("mistake", "2"), Change::DELETED);
  const auto at = [&](const Caller& caller, int64_t revision) {
    GetResourceAtRequest request;
    request.set_name("widgets/a/parts/p");
    request.set_revision(revision);
    auto answer = desk_.At(caller, request);
    EXPECT_TRUE(answer.ok()) << answer.status();
    journal::test::Part part;
    EXPECT_TRUE(answer->resource().UnpackTo(&part));
    return std::make_pair(part.fits(), answer->change());
  };
  ListChangesRequest list;
  list.set_name("widgets/a/parts/p");
  for (const Caller& caller : {kPublic, kAnn}) {
    const auto [fits, change] = at(caller, 2);
    EXPECT_EQ(fits, "");
    EXPECT_EQ(change.name(), "widgets/a/parts/p");
    EXPECT_EQ(change.kind(), Change::CREATED);
    // Nothing that it could be guessed from.
    EXPECT_EQ(change.public_digest(), "");
    EXPECT_EQ(change.nonce(), "");
    EXPECT_FALSE(change.has_commitments());
    EXPECT_EQ(at(caller, 3).first, "widgets/a");
    EXPECT_NE(at(caller, 3).second.public_digest(), "");
    const auto listed = desk_.ListAll(caller, list);
    ASSERT_EQ(listed.size(), 2u);
    EXPECT_NE(listed[0].public_digest(), "");
    EXPECT_EQ(listed[1].SerializeAsString(), change.SerializeAsString());
  }
  EXPECT_EQ(at(kStaff, 2).first, "widgets/mistake");
  EXPECT_NE(at(kStaff, 2).second.public_digest(), "");
  Put(MakeWidget("mistake", "2"), Change::UNDELETED);
  EXPECT_EQ(at(kPublic, 2).first, "widgets/mistake");
  EXPECT_NE(desk_.ListAll(kPublic, list).at(1).public_digest(), "");
}

// What the public is told suffices for every digest; of what it is not told it
// learns that there was an entry.
TEST_F(ReadsTest, ThePublicCanRecomputeTheWholeChain) {
  Put(MakeWidget("a", "1"));
  Put(MakePerson("p", "p@example.org"));
  Put(MakeWidget("b", "2"));
  Put(MakeWidget("a", "1"), Change::DELETED);
  Put(MakeNotice("n", false, kStart + absl::Hours(1)));
  ListChangesRequest request;
  request.set_include_withheld(true);
  request.set_order_by("revision");
  request.set_page_size(2);
  const std::vector<Change> changes = desk_.ListAll(kPublic, request);
  ASSERT_EQ(changes.size(), 5u);
  std::string digest(32, '\0');
  for (size_t i = 0; i < changes.size(); ++i) {
    const Change& change = changes[i];
    EXPECT_EQ(change.revision(), static_cast<int64_t>(i));
    std::string link = digest;
    postgres::AppendInt64(&link, change.revision());
    postgres::AppendInt64(
        &link, google::protobuf::util::TimeUtil::TimestampToMicroseconds(
                   change.record_time()));
    digest = digest::Sha256(
        absl::StrCat(link, absl::HexStringToBytes(change.leaf_hash())));
    EXPECT_EQ(change.digest(), absl::BytesToHexString(digest));
    if (i == 2) {
      EXPECT_EQ(change.name(), "widgets/b");
      continue;
    }
    Change bare;
    bare.set_revision(change.revision());
    *bare.mutable_record_time() = change.record_time();
    bare.set_leaf_hash(change.leaf_hash());
    bare.set_digest(change.digest());
    EXPECT_EQ(change.SerializeAsString(), bare.SerializeAsString());
  }
  EXPECT_EQ(desk_.ListAll(kStaff, request).size(), 5u);
  EXPECT_EQ(desk_.ListAll(kStaff, request).at(0).name(), "widgets/a");
}

TEST_F(ReadsTest, WhatIsWithheldIsNotSearchedForByWhatItIsAbout) {
  for (int narrowed = 0; narrowed < 3; ++narrowed) {
    ListChangesRequest request;
    request.set_include_withheld(true);
    if (narrowed == 0) request.set_name("widgets/a");
    if (narrowed == 1) request.add_types("journal.test/Widget");
    if (narrowed == 2) request.set_actor("tester");
    EXPECT_EQ(Refused(kStaff, request, &Desk::List),
              "INVALID_ARGUMENT include_withheld");
  }
}

// Both sessions of the reader have lost their connection, as after a restart of
// PostgreSQL.
TEST_F(ReadsTest, ALostSessionIsReplacedBeforeAnybodyNotices) {
  Put(MakeWidget("a", "1"));
  const int sessions = JournalReaderOptions().sessions;
  for (int i = 0; i < 4 * sessions; ++i) Listed(kPublic);
  database_.TerminateSessions();
  GetResourceAtRequest at;
  at.set_name("widgets/a");
  at.set_revision(0);
  EXPECT_EQ(Listed(kPublic).size(), 1u);
  auto read = desk_.At(kPublic, at);
  EXPECT_TRUE(read.ok()) << read.status();
  for (int i = 0; i < 4 * sessions; ++i) {
    EXPECT_EQ(Listed(kPublic).size(), 1u);
  }
}

TEST_F(ReadsTest, PagesHoldEachOnce) {
  for (int i = 0; i < 25; ++i) {
    Put(MakeWidget(absl::StrCat("w", i), absl::StrCat(i)));
    Put(MakePerson(absl::StrCat("p", i), "x"));
  }
  for (const int size : {1, 7, 25, 1000}) {
    for (const char* order : {"", "revision"}) {
      ListChangesRequest request;
      request.set_page_size(size);
      request.set_order_by(order);
      EXPECT_EQ(Listed(kPublic, request).size(), 25u) << size;
    }
  }
}

TEST_F(ReadsTest, RefusesWhatCannotBe) {
  Put(MakeWidget("a", "1"));
  ListChangesRequest list;
  list.set_page_size(-1);
  EXPECT_EQ(Refused(kPublic, list, &Desk::List), "INVALID_ARGUMENT page_size");
  list = {};
  list.set_page_token("nonsense");
  EXPECT_EQ(Refused(kPublic, list, &Desk::List), "INVALID_ARGUMENT page_token");
  list = {};
  list.set_order_by("name");
  EXPECT_EQ(Refused(kPublic, list, &Desk::List), "INVALID_ARGUMENT order_by");
  list = {};
  list.set_name("widgets");
  EXPECT_EQ(Refused(kPublic, list, &Desk::List), "INVALID_ARGUMENT name");
  list = {};
  list.add_types("Widget");
  EXPECT_EQ(Refused(kPublic, list, &Desk::List), "INVALID_ARGUMENT types[0]");
  list = {};
  list.set_page_size(1);
  Put(MakeWidget("b", "2"));
  list.set_page_token(desk_.List(kPublic, list)->next_page_token());
  EXPECT_TRUE(desk_.List(kPublic, list).ok());
  EXPECT_EQ(Refused(kAnn, list, &Desk::List), "INVALID_ARGUMENT page_token");
  list.set_order_by("revision");
  EXPECT_EQ(Refused(kPublic, list, &Desk::List), "INVALID_ARGUMENT page_token");

  GetResourceAtRequest at;
  at.set_name("widgets/a");
  EXPECT_EQ(Refused(kPublic, at, &Desk::At), "INVALID_ARGUMENT recorded_at");
  at.set_revision(-1);
  EXPECT_EQ(Refused(kPublic, at, &Desk::At), "INVALID_ARGUMENT revision");
  at.set_revision(2);
  EXPECT_EQ(Refused(kPublic, at, &Desk::At),
            "OUT_OF_RANGE REVISION_ABOVE_HEAD");
  at.mutable_time()->set_seconds(absl::ToUnixSeconds(kStart) + 1);
  EXPECT_EQ(Refused(kPublic, at, &Desk::At), "INVALID_ARGUMENT time");
  at.set_revision(0);
  at.set_name("widgets/-");
  EXPECT_EQ(Refused(kPublic, at, &Desk::At), "INVALID_ARGUMENT name");
  at.set_name("widgets/b");
  EXPECT_EQ(Refused(kPublic, at, &Desk::At), "NOT_FOUND RESOURCE_NOT_FOUND");
}

TEST_F(ReadsTest, AnswersAResourceAsItWas) {
  Put(MakeWidget("a", "1"));
  desk_.replica().clock().Advance(absl::Seconds(10));
  Put(MakeWidget("a", "2"), kUpdated);
  GetResourceAtRequest request;
  request.set_name("widgets/a");
  request.set_revision(0);
  auto first = desk_.At(kPublic, request);
  ASSERT_TRUE(first.ok()) << first.status();
  Widget widget;
  ASSERT_TRUE(first->resource().UnpackTo(&widget));
  EXPECT_EQ(widget.number(), "1");
  EXPECT_EQ(widget.secret_note(), "");
  EXPECT_EQ(first->change().revision(), 0);
  EXPECT_EQ(first->change().actor(), "");
  request.mutable_time()->set_seconds(absl::ToUnixSeconds(kStart) + 9);
  auto by_time = desk_.At(kPublic, request);
  ASSERT_TRUE(by_time.ok()) << by_time.status();
  EXPECT_EQ(by_time->SerializeAsString(), first->SerializeAsString());
  Put(MakeWidget("a", "2"), Change::DELETED);
  request.set_revision(2);
  EXPECT_EQ(Refused(kPublic, request, &Desk::At),
            "NOT_FOUND RESOURCE_NOT_FOUND");
  auto deleted = desk_.At(kStaff, request);
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  ASSERT_TRUE(deleted->resource().UnpackTo(&widget));
  EXPECT_TRUE(widget.has_delete_time());
  EXPECT_EQ(deleted->change().actor(), "tester");
}

TEST_F(ReadsTest, NothingPersonalIsInTheJournal) {
  Put(MakePerson("p", "p@example.org"));
  GetResourceAtRequest request;
  request.set_name("people/p");
  request.set_revision(0);
  auto person = desk_.At(kStaff, request);
  ASSERT_TRUE(person.ok()) << person.status();
  Person seen;
  ASSERT_TRUE(person->resource().UnpackTo(&seen));
  EXPECT_EQ(seen.role(), "guest");
  EXPECT_EQ(seen.email(), "");
  EXPECT_EQ(seen.etag(), "");
}

}  // namespace
}  // namespace transparency::changes
