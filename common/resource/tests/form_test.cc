#include "common/resource/form.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/query/filter.h"
#include "common/query/predicate.h"
#include "common/resource/tests/library_catalogue.h"
#include "common/status/status.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

namespace transparency::resource {
namespace {

using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;
using library::v1::Book;
using library::v1::Shelf;

const Caller the_public;
const Caller the_owner{"ishmael", {}};
const Caller a_stranger{"ahab", {"auditor"}};
const Caller the_staff{"clerk", {"staff"}};

Book Full() {
  Book book;
  book.set_name("shelves/north/books/moby");
  book.set_title("Moby");
  book.set_state(Book::OUT);
  book.set_owner("ishmael");
  book.set_remark("salty");
  book.set_value(1000);
  book.mutable_origin()->set_publisher("Harper");
  book.mutable_origin()->set_note("bought at a loss");
  return book;
}

bool Holds(const char* text, const Caller& caller, const Book& book = Full()) {
  auto predicate = query::Predicate::Compile(text, *Book::descriptor());
  EXPECT_TRUE(predicate.ok()) << text << ": " << predicate.status();
  return predicate.ok() && (*predicate)->Matches(book, caller);
}

TEST(Predicate, NamesTheCaller) {
  EXPECT_TRUE(Holds("owner = caller.subject", the_owner));
  EXPECT_FALSE(Holds("owner = caller.subject", a_stranger));
  EXPECT_TRUE(Holds("owner != caller.subject", a_stranger));
  EXPECT_FALSE(Holds("owner != caller.subject", the_owner));
  EXPECT_TRUE(Holds("caller.subject = owner", the_owner));
  EXPECT_FALSE(Holds("caller.subject = owner", a_stranger));
  EXPECT_TRUE(Holds("caller.subject = \"ishmael\"", the_owner));
  EXPECT_FALSE(Holds("caller.subject != \"ishmael\"", the_owner));
  EXPECT_TRUE(Holds("caller.subject:*", the_owner));
  EXPECT_FALSE(Holds("caller.subject:*", the_public));
  EXPECT_TRUE(Holds("caller.roles:\"staff\"", the_staff));
  EXPECT_FALSE(Holds("caller.roles:\"staff\"", a_stranger));
  EXPECT_TRUE(Holds("caller.roles:(\"staff\" OR \"auditor\")", a_stranger));
  EXPECT_TRUE(Holds("caller.roles:*", a_stranger));
  EXPECT_FALSE(Holds("caller.roles:*", the_owner));
  EXPECT_TRUE(Holds("NOT caller.roles:\"staff\"", the_public));
  EXPECT_TRUE(Holds("tags:caller.subject", the_owner, [] {
    Book book;
    book.add_tags("x");
    book.add_tags("ishmael");
    return book;
  }()));
  Book role;
  role.set_owner("auditor");
  EXPECT_TRUE(Holds("caller.roles:owner", a_stranger, role));
  EXPECT_FALSE(Holds("caller.roles:owner", the_staff, role));
}

TEST(Predicate, ThePublicIsNobodyAlsoWhereAFieldIsEmpty) {
  const Book ownerless;
  EXPECT_FALSE(Holds("owner = caller.subject", the_public, ownerless));
  EXPECT_FALSE(Holds("owner != caller.subject", the_public, ownerless));
  EXPECT_FALSE(Holds("caller.subject = owner", the_public, ownerless));
  EXPECT_FALSE(Holds("caller.subject = \"\"", the_public, ownerless));
  EXPECT_FALSE(Holds("caller.subject != \"ishmael\"", the_public, ownerless));
  EXPECT_FALSE(Holds("caller.roles:owner", the_public, ownerless));
}

TEST(Predicate, OtherWordsOfTheCallerAreRefused) {
  for (const char* text :
       {"caller.name = \"x\"", "caller = \"x\"", "caller.roles = \"staff\"",
        "caller.subject < \"x\"", "caller.subject = nothing",
        "caller.subject = pages", "caller.subject = tags", "caller.roles:staff",
        "owner > caller.subject", "tags = caller.subject",
        "caller.subject.x = \"a\""}) {
    auto predicate = query::Predicate::Compile(text, *Book::descriptor());
    EXPECT_EQ(predicate.status().code(), absl::StatusCode::kInvalidArgument)
        << text;
  }
  // Filters of callers know no caller.
  EXPECT_FALSE(
      query::Filter::Parse("caller.subject = \"x\"", *Book::descriptor()).ok());
  auto filter =
      query::Filter::Parse("owner = caller.subject", *Book::descriptor());
  ASSERT_TRUE(filter.ok());
  Book literal;
  literal.set_owner("caller.subject");
  EXPECT_TRUE((*filter)->Matches(literal));
}

TEST(Predicate, ReachIsWhatHoldsForEveryMessage) {
  const auto reach = [](const char* text, const Caller& caller) {
    return (*query::Predicate::Compile(text, *Book::descriptor()))
        ->ReachOf(caller);
  };
  constexpr char kVisible[] =
      "state != DRAFT OR owner = caller.subject OR caller.roles:\"staff\"";
  EXPECT_EQ(reach(kVisible, the_public), query::Reach::kDepends);
  EXPECT_EQ(reach(kVisible, the_staff), query::Reach::kAlways);
  EXPECT_EQ(reach("caller.roles:\"staff\"", the_owner), query::Reach::kNever);
  EXPECT_EQ(reach("NOT caller.roles:\"staff\"", the_owner),
            query::Reach::kAlways);
  EXPECT_EQ(reach("owner = caller.subject", the_public), query::Reach::kNever);
  EXPECT_EQ(reach("owner = caller.subject", the_owner), query::Reach::kDepends);
  EXPECT_EQ(reach("caller.subject:* AND state = OUT", the_public),
            query::Reach::kNever);
  EXPECT_EQ(reach("caller.subject:* AND state = OUT", the_owner),
            query::Reach::kDepends);
  EXPECT_EQ(reach("", the_public), query::Reach::kAlways);
}

class FormTest : public testing::Test {
 protected:
  FormTest() : catalogue_(LibraryCatalogue()) {}

  const Kind& kind() const {
    return *catalogue_->ByDescriptor(Book::descriptor());
  }
  std::shared_ptr<const Item> Put(const Book& book) const {
    return MakeItem(kind(), book);
  }
  Book Seen(const Item& item, const Caller& caller) const {
    const Form form(kind(), caller);
    std::unique_ptr<Message> scratch;
    Book seen = static_cast<const Book&>(form.Of(item, &scratch));
    // Message and bytes are the same form.
    std::string bytes_scratch;
    Book parsed;
    EXPECT_TRUE(parsed.ParseFromString(form.Bytes(item, &bytes_scratch)));
    EXPECT_TRUE(MessageDifferencer::Equals(seen, parsed))
        << seen.ShortDebugString() << " / " << parsed.ShortDebugString();
    return seen;
  }

  std::unique_ptr<const Catalogue> catalogue_;
};

TEST_F(FormTest, HidesFieldsFromWhoMayNotSeeThem) {
  const auto item = Put(Full());
  const Book to_public = Seen(*item, the_public);
  EXPECT_EQ(to_public.title(), "Moby");
  EXPECT_EQ(to_public.remark(), "");
  EXPECT_EQ(to_public.value(), 0);
  EXPECT_EQ(to_public.origin().publisher(), "Harper");
  EXPECT_EQ(to_public.origin().note(), "");
  EXPECT_EQ(to_public.etag(), item->etag());

  const Book to_owner = Seen(*item, the_owner);
  EXPECT_EQ(to_owner.remark(), "salty");
  EXPECT_EQ(to_owner.value(), 0);
  EXPECT_EQ(Seen(*item, a_stranger).remark(), "");
  EXPECT_TRUE(
      MessageDifferencer::Equals(Seen(*item, the_staff), item->message()));
}

TEST_F(FormTest, ALookLeavesNoMessageBehindInWhatWasReadBack) {
  const std::string body = Full().SerializeAsString();
  std::unique_ptr<Message> reading;
  const auto item =
      Item::Read(kind(), {body, "", "", 1}, absl::Now(), &reading);
  ASSERT_NE(item, nullptr);
  for (const Caller& caller : {the_public, a_stranger, the_owner, the_staff}) {
    const Form form(kind(), caller);
    EXPECT_TRUE(form.Sees(*item));
    std::string bytes;
    form.Bytes(*item, &bytes);
  }
  // A kept message would be the answer, and the scratch left alone.
  std::unique_ptr<Message> scratch;
  const Message& message = item->message(&scratch);
  EXPECT_EQ(&message, scratch.get());
}

TEST_F(FormTest, HidesResourcesFromWhoMayNotSeeThem) {
  Book draft = Full();
  draft.set_state(Book::DRAFT);
  const auto item = Put(draft);
  EXPECT_FALSE(Form(kind(), the_public).Sees(*item));
  EXPECT_FALSE(Form(kind(), a_stranger).Sees(*item));
  EXPECT_TRUE(Form(kind(), the_owner).Sees(*item));
  EXPECT_TRUE(Form(kind(), the_staff).Sees(*item));
  EXPECT_TRUE(Form(kind(), the_public).Sees(*Put(Full())));
}

TEST_F(FormTest, ShowsDeletedResourcesToStaffAlone) {
  Book deleted = Full();
  deleted.mutable_delete_time()->set_seconds(1);
  const auto item = Put(deleted);
  EXPECT_FALSE(Form(kind(), the_public).Sees(*item));
  EXPECT_FALSE(Form(kind(), the_owner).Sees(*item));
  EXPECT_FALSE(Form(kind(), a_stranger).Sees(*item));
  EXPECT_TRUE(Form(kind(), the_staff).Sees(*item));
  EXPECT_EQ(Seen(*item, the_staff).delete_time().seconds(), 1);
  EXPECT_EQ(item->public_bytes(), nullptr);
  EXPECT_FALSE(ToPublic(kind(), &deleted));
  EXPECT_EQ(deleted.remark(), "salty");
  // Also of a kind that everybody sees whole.
  const Kind& shelves = *catalogue_->ByDescriptor(Shelf::descriptor());
  Shelf shelf;
  shelf.set_name("shelves/north");
  shelf.mutable_delete_time()->set_seconds(1);
  const auto gone = MakeItem(shelves, shelf);
  EXPECT_FALSE(Form(shelves, the_public).Sees(*gone));
  EXPECT_TRUE(Form(shelves, the_staff).Sees(*gone));
  EXPECT_NE(Form(shelves, the_public).Fingerprint(),
            Form(shelves, the_staff).Fingerprint());
}

TEST_F(FormTest, GivesTheItemsOwnMessageAndBytesWhereNothingIsHidden) {
  Book plain;
  plain.set_name("shelves/north/books/plain");
  plain.set_title("Plain");
  const auto item = Put(plain);
  for (const Caller* caller : {&the_public, &the_owner, &the_staff}) {
    const Form form(kind(), *caller);
    std::unique_ptr<Message> scratch;
    std::string bytes;
    EXPECT_TRUE(
        MessageDifferencer::Equals(form.Of(*item, &scratch), item->message()));
    EXPECT_EQ(&form.Of(*item, &scratch), &item->message());
    EXPECT_EQ(&form.Bytes(*item, &bytes), &item->bytes());
  }
}

TEST_F(FormTest, PublicBytesAreKept) {
  const auto item = Put(Full());
  const Form form(kind(), the_public);
  std::string scratch;
  EXPECT_EQ(&form.Bytes(*item, &scratch), item->public_bytes());
  EXPECT_NE(&form.Bytes(*item, &scratch), &item->bytes());
}

TEST_F(FormTest, OneScratchServesManyItems) {
  const Form form(kind(), the_owner);
  std::unique_ptr<Message> scratch;
  Book other = Full();
  other.set_name("shelves/north/books/other");
  other.clear_remark();
  other.clear_value();
  const auto first = Put(Full());
  const auto second = Put(other);
  EXPECT_EQ(static_cast<const Book&>(form.Of(*first, &scratch)).remark(),
            "salty");
  const Book& seen = static_cast<const Book&>(form.Of(*second, &scratch));
  EXPECT_EQ(seen.name(), other.name());
  EXPECT_EQ(seen.remark(), "");
}

TEST_F(FormTest, FieldsThatNoResourceShowsAreUnknown) {
  const fields::FieldAccess fields = Form(kind(), the_public).fields();
  EXPECT_FALSE(
      query::Filter::Parse("value > 0", *Book::descriptor(), fields).ok());
  EXPECT_FALSE(
      query::Filter::Parse("origin.note = x", *Book::descriptor(), fields)
          .ok());
  EXPECT_FALSE(
      query::Filter::Parse("remark = x", *Book::descriptor(), fields).ok());
  const fields::FieldAccess of_owner = Form(kind(), the_owner).fields();
  EXPECT_TRUE(
      query::Filter::Parse("remark = x", *Book::descriptor(), of_owner).ok());
  EXPECT_FALSE(
      query::Filter::Parse("value > 0", *Book::descriptor(), of_owner).ok());
  EXPECT_TRUE(query::Filter::Parse("value > 0", *Book::descriptor(),
                                   Form(kind(), the_staff).fields())
                  .ok());
  // A field that depends on the resource is known where it is seen.
  const auto item = Put(Full());
  EXPECT_TRUE(Form(kind(), the_owner)
                  .fields(*item)
                  .Knows({Book::descriptor()->FindFieldByName("remark")}));
  EXPECT_FALSE(Form(kind(), a_stranger)
                   .fields(*item)
                   .Knows({Book::descriptor()->FindFieldByName("remark")}));
}

TEST_F(FormTest, QueriesDoNotReachValuesThatAreHidden) {
  const auto item = Put(Full());
  const Form form(kind(), a_stranger);
  auto filter = query::Filter::Parse("remark = salty OR salty OR remark:*",
                                     *Book::descriptor(), form.fields());
  ASSERT_TRUE(filter.ok());
  std::unique_ptr<Message> scratch;
  EXPECT_FALSE((*filter)->Matches(
      form.ForQuery(*item, form.ForQuery((*filter)->fields()), &scratch)));
  const Form of_owner(kind(), the_owner);
  EXPECT_TRUE((*filter)->Matches(of_owner.ForQuery(
      *item, of_owner.ForQuery((*filter)->fields()), &scratch)));
}

TEST_F(FormTest, FingerprintsTellFormsApart) {
  const auto of = [this](const Caller& caller) {
    return Form(kind(), caller).Fingerprint();
  };
  EXPECT_EQ(of(the_public), of(Caller()));
  EXPECT_NE(of(the_public), of(the_owner));
  EXPECT_NE(of(the_owner), of(a_stranger));
  EXPECT_NE(of(the_owner), of(Caller{"ishmael", {"staff"}}));
  EXPECT_EQ(of(Caller{"x", {"a", "b"}}), of(Caller{"x", {"b", "a"}}));
  EXPECT_NE(of(Caller{"x", {"a"}}), of(Caller{"a", {"x"}}));
  EXPECT_EQ(of(the_owner).find("ishmael"), std::string::npos);
  const Kind& shelves =
      *catalogue_->ByDescriptor(library::v1::Shelf::descriptor());
  EXPECT_EQ(Form(shelves, the_public).Fingerprint(),
            Form(shelves, the_owner).Fingerprint());
}

TEST_F(FormTest, ToPublicJudgesTheFullResource) {
  Book book = Full();
  EXPECT_TRUE(ToPublic(kind(), &book));
  EXPECT_EQ(book.remark(), "");
  EXPECT_EQ(book.value(), 0);
  Book draft = Full();
  draft.set_state(Book::DRAFT);
  const Book before = draft;
  EXPECT_FALSE(ToPublic(kind(), &draft));
  EXPECT_TRUE(MessageDifferencer::Equals(before, draft));
}

}  // namespace
}  // namespace transparency::resource
