#include "common/resource/snapshot.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/fields/tests/library.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace transparency::resource {
namespace {

using library::v1::Book;
using library::v1::Shelf;
using testing::ElementsAre;

const absl::Time kStart = absl::FromUnixSeconds(1'000'000);

// A book that is OUT is GONE from its lent_time on.
absl::Time Effective(Book* book, absl::Time now) {
  if (book->state() != Book::OUT || !book->has_lent_time()) {
    return absl::InfiniteFuture();
  }
  const absl::Time when = absl::FromUnixSeconds(book->lent_time().seconds());
  if (now < when) return when;
  book->set_state(Book::GONE);
  return absl::InfiniteFuture();
}

class SnapshotTest : public testing::Test {
 protected:
  SnapshotTest() {
    Rules<Book> books;
    books.effective = Effective;
    books.keys = [](const Book& book, std::vector<IndexKey>* keys) {
      if (!book.title().empty()) keys->push_back(Key("title", book.title()));
      keys->push_back({Key("pages").group, book.pages()});
    };
    EXPECT_TRUE(catalogue_.Add(Rules<Shelf>()).ok());
    EXPECT_TRUE(catalogue_.Add(books).ok());
  }

  ItemPtr Make(const google::protobuf::Message& message,
               absl::Time now = kStart) {
    Item::Stored stored;
    stored.message.reset(message.New());
    stored.message->CopyFrom(message);
    return Item::Make(*catalogue_.ByDescriptor(message.GetDescriptor()),
                      std::move(stored), now);
  }

  static void Add(const ItemPtr& item, SnapshotPart* part) {
    part->Add(item, item->message());
  }

  static Book MakeBook(const std::string& id) {
    Book book;
    book.set_name(absl::StrCat("shelves/a/books/", id));
    book.set_title(absl::StrCat("Title of ", id));
    book.set_state(Book::OUT);
    return book;
  }

  static std::vector<std::string> Titled(const Snapshot& snapshot,
                                         const std::string& title) {
    std::vector<std::string> names;
    snapshot.Lookup<Book>(Key("title", title), [&](const Book& book) {
      if (book.title() == title) names.push_back(book.name());
      return true;
    });
    return names;
  }

  Catalogue catalogue_;
};

TEST_F(SnapshotTest, FindsByNameWithinTheRightKind) {
  SnapshotBuilder builder{Snapshot(&catalogue_)};
  builder.Put(Make(MakeBook("x")));
  const Snapshot snapshot = std::move(builder).Build();
  EXPECT_NE(snapshot.Get<Book>("shelves/a/books/x"), nullptr);
  EXPECT_EQ(snapshot.Get<Shelf>("shelves/a/books/x"), nullptr);
  for (const char* name :
       {"", "x", "shelves/a", "shelves/a/books/y", "shelves/a/books",
        "shelves/a/books/x/", "//", "books/x", "shelves/a/journals/x"}) {
    EXPECT_EQ(snapshot.Find(name), nullptr) << name;
  }
}

TEST_F(SnapshotTest, AnOlderSnapshotStaysAsItWas) {
  SnapshotBuilder first{Snapshot(&catalogue_)};
  for (int i = 0; i < 3000; ++i) first.Put(Make(MakeBook(absl::StrCat(i))));
  const Snapshot before = std::move(first).Build();
  SnapshotBuilder second(before);
  Book changed = MakeBook("1500");
  changed.set_title("Changed");
  second.Put(Make(changed));
  second.Remove("shelves/a/books/7");
  const Snapshot after = std::move(second).Build();

  EXPECT_EQ(before.Get<Book>("shelves/a/books/1500")->title(), "Title of 1500");
  EXPECT_EQ(after.Get<Book>("shelves/a/books/1500")->title(), "Changed");
  EXPECT_NE(before.Get<Book>("shelves/a/books/7"), nullptr);
  EXPECT_EQ(after.Get<Book>("shelves/a/books/7"), nullptr);
  EXPECT_THAT(Titled(before, "Title of 1500"),
              ElementsAre("shelves/a/books/1500"));
  EXPECT_TRUE(Titled(after, "Title of 1500").empty());
  EXPECT_THAT(Titled(after, "Changed"), ElementsAre("shelves/a/books/1500"));
  EXPECT_TRUE(Titled(after, "Title of 7").empty());
}

TEST_F(SnapshotTest, RefusedChangesCanBePutBack) {
  SnapshotBuilder builder{Snapshot(&catalogue_)};
  builder.Put(Make(MakeBook("x")));
  Book changed = MakeBook("x");
  changed.set_title("Changed");
  ItemPtr before = builder.Put(Make(changed));
  ASSERT_NE(before, nullptr);
  builder.Put(before);
  EXPECT_THAT(Titled(builder.view(), "Title of x"),
              ElementsAre("shelves/a/books/x"));
  EXPECT_TRUE(Titled(builder.view(), "Changed").empty());
}

TEST_F(SnapshotTest, LooksUpARangeInOrder) {
  SnapshotBuilder builder{Snapshot(&catalogue_)};
  for (int pages : {30, 10, 20, 40, -5}) {
    Book book = MakeBook(absl::StrCat("p", pages));
    book.set_name(absl::StrCat("shelves/a/books/p", pages + 100));
    book.set_pages(pages);
    builder.Put(Make(book));
  }
  std::vector<int> found;
  builder.view().Lookup({Key("pages").group, -10}, 30, [&](const Item& item) {
    found.push_back(item.as<Book>().pages());
    return true;
  });
  EXPECT_THAT(found, ElementsAre(-5, 10, 20, 30));
}

TEST_F(SnapshotTest, KnowsWhoRefersToAResource) {
  SnapshotBuilder builder{Snapshot(&catalogue_)};
  Book book = MakeBook("x");
  book.set_twin("shelves/a/books/y");
  builder.Put(Make(book));
  builder.Put(Make(MakeBook("y")));
  std::vector<std::string> referrers;
  const auto note = [&](const Item& item) {
    referrers.push_back(item.name());
    return true;
  };
  builder.view().Referrers("shelves/a/books/y", note);
  EXPECT_THAT(referrers, ElementsAre("shelves/a/books/x"));
  builder.view().Referrers("shelves/a/books/x", note);
  EXPECT_EQ(referrers.size(), 1u);
}

TEST_F(SnapshotTest, ADeletedResourceIsNotLiveAndInNoIndex) {
  SnapshotBuilder builder{Snapshot(&catalogue_)};
  Book book = MakeBook("x");
  book.mutable_delete_time()->set_seconds(1);
  builder.Put(Make(book));
  EXPECT_NE(builder.view().Find("shelves/a/books/x"), nullptr);
  EXPECT_EQ(builder.view().FindLive("shelves/a/books/x"), nullptr);
  EXPECT_TRUE(Titled(builder.view(), "Title of x").empty());
}

TEST_F(SnapshotTest, CountsWhatIsDeleted) {
  SnapshotBuilder builder{Snapshot(&catalogue_)};
  Book gone = MakeBook("x");
  gone.mutable_delete_time()->set_seconds(1);
  const Kind& kind = Make(gone)->kind();
  std::vector<SnapshotPart> parts(1);
  Add(Make(gone), &parts[0]);
  Add(Make(MakeBook("y")), &parts[0]);
  parts[0].Sort();
  builder.Fill(std::move(parts));
  EXPECT_EQ(builder.view().CountDeleted(kind), 1u);
  builder.Put(Make(gone));
  EXPECT_EQ(builder.view().CountDeleted(kind), 1u);
  builder.Put(Make(MakeBook("x")));
  EXPECT_EQ(builder.view().CountDeleted(kind), 0u);
  builder.Put(Make(gone));
  builder.Remove(gone.name());
  EXPECT_EQ(builder.view().CountDeleted(kind), 0u);
  EXPECT_EQ(builder.view().Count(kind), 1u);
}

// Names, and which items stand under which keys in which order.
std::vector<std::string> Contents(const Snapshot& snapshot) {
  std::vector<std::string> all;
  const auto add = [&](const Item& item) {
    all.push_back(item.name());
    return true;
  };
  for (const auto& kind : snapshot.catalogue().kinds()) {
    snapshot.Scan(*kind, "", add);
  }
  for (int i = 0; i < 4; ++i) {
    all.push_back(absl::StrCat("title ", i));
    snapshot.Lookup(Key("title", absl::StrCat(i)), 0, add);
    snapshot.Referrers(absl::StrCat("shelves/a/books/", i), add);
  }
  snapshot.Lookup({Key("pages").group, 0}, 9, add);
  return all;
}

TEST_F(SnapshotTest, PartsFillASnapshotAsPuttingOneByOneDoes) {
  SnapshotBuilder one_by_one{Snapshot(&catalogue_)};
  std::vector<SnapshotPart> parts(3);
  for (int i = 0; i < 3000; ++i) {
    // Neither in the order of names nor, from part to part, apart.
    const int number = i * 7919 % 3000;
    Book book = MakeBook(absl::StrCat(number));
    book.set_title(absl::StrCat(number % 4));
    book.set_pages(number % 10);
    book.set_twin(absl::StrCat("shelves/a/books/", number % 4));
    Shelf shelf;
    shelf.set_name(absl::StrCat("shelves/", number));
    for (const ItemPtr& item : {Make(book), Make(shelf)}) {
      one_by_one.Put(item);
      Add(item, &parts[static_cast<size_t>(number) % 2]);
    }
  }
  for (SnapshotPart& part : parts) part.Sort();
  SnapshotBuilder filled{Snapshot(&catalogue_)};
  filled.Fill(std::move(parts));
  const Kind& kind = *catalogue_.ByDescriptor(Book::descriptor());
  EXPECT_EQ(filled.view().Count(kind), 3000u);
  EXPECT_EQ(Contents(filled.view()), Contents(one_by_one.view()));
  // And is changed like any other.
  for (SnapshotBuilder* builder : {&filled, &one_by_one}) {
    builder->Remove("shelves/a/books/7");
    builder->Put(Make(MakeBook("1234")));
    builder->Put(Make(MakeBook("new")));
  }
  EXPECT_EQ(Contents(filled.view()), Contents(one_by_one.view()));
}

TEST_F(SnapshotTest, TheClockChangesWhatIsDueAndNothingElse) {
  SnapshotBuilder builder{Snapshot(&catalogue_)};
  for (int i : {10, 20, 30}) {
    Book book = MakeBook(absl::StrCat("d", i));
    book.mutable_lent_time()->set_seconds(absl::ToUnixSeconds(kStart) + i);
    builder.Put(Make(book));
  }
  builder.Advance(kStart);
  EXPECT_EQ(builder.view().next_change(), kStart + absl::Seconds(10));
  const std::string etag = builder.view().Find("shelves/a/books/d20")->etag();

  builder.Advance(kStart + absl::Seconds(20));
  EXPECT_EQ(builder.view().next_change(), kStart + absl::Seconds(30));
  EXPECT_EQ(builder.view().Get<Book>("shelves/a/books/d20")->state(),
            Book::GONE);
  EXPECT_EQ(builder.view().Get<Book>("shelves/a/books/d30")->state(),
            Book::OUT);
  EXPECT_NE(builder.view().Find("shelves/a/books/d20")->etag(), etag);
  std::vector<std::string> pending;
  for (const Item* item : builder.view().ClockPending(10)) {
    pending.push_back(item->name());
  }
  EXPECT_THAT(pending, testing::UnorderedElementsAre("shelves/a/books/d10",
                                                     "shelves/a/books/d20"));
  EXPECT_EQ(builder.view().ClockPending(1).size(), 1u);

  builder.Advance(kStart);
  EXPECT_EQ(builder.view().instant(), kStart + absl::Seconds(20));
}

TEST_F(SnapshotTest, WhatWasStoredBeforeTheClockPassedIsPending) {
  Book book = MakeBook("x");
  book.mutable_lent_time()->set_seconds(absl::ToUnixSeconds(kStart) - 1);
  ItemPtr late = Make(book);
  EXPECT_TRUE(late->clock_pending());
  EXPECT_EQ(late->as<Book>().state(), Book::GONE);
  book.set_state(Book::GONE);
  EXPECT_FALSE(Make(book)->clock_pending());
}

TEST_F(SnapshotTest, TheEtagCoversPersonalFieldsThroughTheirSaltAlone) {
  const auto make = [&](const std::string& reader, const std::string& salt) {
    Item::Stored stored;
    stored.message = std::make_unique<Book>(MakeBook("x"));
    auto personal = std::make_unique<Book>();
    personal->set_reader(reader);
    stored.personal = std::move(personal);
    stored.personal_salt = salt;
    return Item::Make(*catalogue_.ByDescriptor(Book::descriptor()),
                      std::move(stored), kStart);
  };
  EXPECT_EQ(make("Ann", "s1")->etag(), make("Ann", "s1")->etag());
  EXPECT_NE(make("Ann", "s1")->etag(), make("Bob", "s1")->etag());
  EXPECT_NE(make("Ann", "s1")->etag(), make("Ann", "s2")->etag());
}

// Whoever knows all of a resource but a hidden value cannot try values until
// the etag fits: he lacks the key, which replicas of one database share.
TEST_F(SnapshotTest, TheEtagConfirmsNoGuessWithoutItsKey) {
  Book book = MakeBook("x");
  book.set_value(255670);
  const auto etag = [&](const std::string& key) {
    catalogue_.etag_key().Set(key);
    return Make(book)->etag();
  };
  const std::string mine = etag("mine");
  EXPECT_EQ(etag("other").size(), mine.size());
  EXPECT_NE(etag("other"), mine);
  EXPECT_EQ(etag("mine"), mine);
  const std::string guess = Make(book)->StoredBody();
  EXPECT_EQ(mine, absl::StrCat("\"",
                               absl::BytesToHexString(
                                   digest::Hmac("mine", guess).substr(0, 8)),
                               "\""));
  EXPECT_EQ(
      mine.find(absl::BytesToHexString(digest::Sha256(guess).substr(0, 8))),
      std::string::npos);
}

TEST_F(SnapshotTest, StoredFormsHoldPersonalFieldsApart) {
  Book book = MakeBook("x");
  book.set_reader("Ann");
  ItemPtr item = Make(book);
  Book parsed;
  ASSERT_TRUE(parsed.ParseFromString(item->bytes()));
  EXPECT_EQ(parsed.reader(), "Ann");
  EXPECT_EQ(parsed.etag(), item->etag());
  const auto without = item->WithoutPersonal();
  EXPECT_EQ(static_cast<const Book&>(*without).reader(), "");
  EXPECT_EQ(static_cast<const Book&>(*without).etag(), "");
  EXPECT_EQ(static_cast<const Book&>(*without).title(), "Title of x");
  const auto only = item->PersonalOnly();
  ASSERT_NE(only, nullptr);
  EXPECT_EQ(static_cast<const Book&>(*only).reader(), "Ann");
  EXPECT_EQ(static_cast<const Book&>(*only).title(), "");
  EXPECT_EQ(Make(MakeBook("y"))->PersonalOnly(), nullptr);
}

TEST_F(SnapshotTest, ThePublicFormIsTheKeptBytesWhereNothingIsHidden) {
  const ItemPtr open = Make(MakeBook("open"));
  EXPECT_EQ(open->public_bytes(), &open->bytes());

  Book partly = MakeBook("partly");
  partly.set_value(7);
  const ItemPtr hidden_field = Make(partly);
  ASSERT_NE(hidden_field->public_bytes(), nullptr);
  Book seen;
  ASSERT_TRUE(seen.ParseFromString(*hidden_field->public_bytes()));
  EXPECT_EQ(seen.value(), 0);
  EXPECT_EQ(seen.etag(), hidden_field->etag());

  Book draft = MakeBook("draft");
  draft.set_state(Book::DRAFT);
  EXPECT_EQ(Make(draft)->public_bytes(), nullptr);
}

TEST_F(SnapshotTest, ACatalogueRefusesAnUnfinishedContract) {
  Catalogue catalogue;
  EXPECT_FALSE(catalogue.Add(Rules<Book>()).ok()) << "before its parent";
  EXPECT_TRUE(catalogue.Add(Rules<Shelf>()).ok());
  EXPECT_FALSE(catalogue.Add(Rules<Shelf>()).ok()) << "twice";
  EXPECT_FALSE(catalogue.Add(Rules<Book::Origin>()).ok()) << "no resource";
}

}  // namespace
}  // namespace transparency::resource
