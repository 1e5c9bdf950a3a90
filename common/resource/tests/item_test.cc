#include "common/resource/item.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/resource/form.h"
#include "common/resource/tests/library_catalogue.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

namespace transparency::resource {
namespace {

using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;
using library::v1::Book;
using library::v1::Shelf;

const absl::Time kStart = absl::FromUnixSeconds(1'000'000);

class ItemTest : public testing::Test {
 protected:
  ItemTest() {
    Rules<Book> books;
    // A book that is OUT is GONE from its lent_time on.
    books.effective = [](Book* book, absl::Time now) {
      if (book->state() != Book::OUT || !book->has_lent_time()) {
        return absl::InfiniteFuture();
      }
      const absl::Time when =
          absl::FromUnixSeconds(book->lent_time().seconds());
      if (now < when) return when;
      book->set_state(Book::GONE);
      return absl::InfiniteFuture();
    };
    EXPECT_TRUE(catalogue_.Add(Rules<Shelf>()).ok());
    EXPECT_TRUE(catalogue_.Add(books).ok());
  }

  const Kind& kind() const {
    return *catalogue_.ByDescriptor(Book::descriptor());
  }

  static Book Moby() {
    Book book;
    book.set_name("shelves/north/books/moby");
    book.set_title("Moby");
    book.set_state(Book::OUT);
    book.mutable_lent_time()->set_seconds(absl::ToUnixSeconds(kStart) + 10);
    (*book.mutable_labels())["a"] = "b";
    (*book.mutable_labels())["c"] = "d";
    return book;
  }

  ItemPtr Make(const Book& body, const Book* personal = nullptr,
               absl::Time now = kStart) const {
    Item::Stored stored;
    stored.message = std::make_unique<Book>(body);
    if (personal != nullptr) {
      stored.personal = std::make_unique<Book>(*personal);
      stored.personal_salt = "salt";
    }
    stored.revision = 7;
    return Item::Make(kind(), std::move(stored), now);
  }

  ItemPtr Read(const std::string& body, const std::string& personal = "",
               absl::Time now = kStart) const {
    Item::StoredBytes stored;
    stored.body = body;
    stored.personal = personal;
    if (!personal.empty()) stored.personal_salt = "salt";
    stored.revision = 7;
    std::unique_ptr<Message> scratch;
    return Item::Read(kind(), stored, now, &scratch);
  }

  static void ExpectSame(const Item& a, const Item& b) {
    EXPECT_EQ(a.name(), b.name());
    EXPECT_EQ(a.bytes(), b.bytes());
    EXPECT_EQ(a.etag(), b.etag());
    EXPECT_EQ(a.revision(), b.revision());
    EXPECT_EQ(a.personal_salt(), b.personal_salt());
    EXPECT_EQ(a.deleted(), b.deleted());
    EXPECT_EQ(a.next_change(), b.next_change());
    EXPECT_EQ(a.clock_pending(), b.clock_pending());
    EXPECT_EQ(a.is_public(), b.is_public());
    ASSERT_EQ(a.public_bytes() == nullptr, b.public_bytes() == nullptr);
    if (a.public_bytes() != nullptr) {
      EXPECT_EQ(*a.public_bytes(), *b.public_bytes());
    }
    EXPECT_EQ(a.StoredBody(), b.StoredBody());
    EXPECT_TRUE(MessageDifferencer::Equals(a.message(), b.message()));
  }

  Catalogue catalogue_;
};

TEST_F(ItemTest, ReadFromBytesIsTheSameAsMadeFromMessages) {
  Book personal;
  personal.set_reader("Ann");
  Book draft = Moby();
  draft.set_state(Book::DRAFT);
  Book valued = Moby();
  valued.set_value(7);
  Book deleted = Moby();
  deleted.mutable_delete_time()->set_seconds(1);
  for (const Book& body : {Moby(), draft, valued, deleted, Book()}) {
    for (const absl::Duration later : {absl::Seconds(0), absl::Seconds(10)}) {
      ExpectSame(*Make(body, nullptr, kStart + later),
                 *Read(body.SerializeAsString(), "", kStart + later));
      ExpectSame(*Make(body, &personal, kStart + later),
                 *Read(body.SerializeAsString(), personal.SerializeAsString(),
                       kStart + later));
    }
  }
}

TEST_F(ItemTest, BytesThatAreNoMessageAreNotRead) {
  EXPECT_EQ(Read("\x07"), nullptr);
  EXPECT_EQ(Read(Moby().SerializeAsString(), "\x07"), nullptr);
}

TEST_F(ItemTest, OtherBytesOfTheSameMessageAreNotPending) {
  Book title;
  title.set_title("Moby");
  Book rest = Moby();
  rest.clear_title();
  const std::string shuffled =
      rest.SerializeAsString() + title.SerializeAsString();
  EXPECT_FALSE(Read(shuffled)->clock_pending());
  EXPECT_EQ(Read(shuffled)->etag(), Make(Moby())->etag());
  EXPECT_TRUE(Read(shuffled, "", kStart + absl::Seconds(10))->clock_pending());
}

TEST_F(ItemTest, ScratchIsUsedUntilTheMessageIsKept) {
  const ItemPtr item = Read(Moby().SerializeAsString());
  std::unique_ptr<Message> scratch = std::make_unique<Shelf>();
  const Message* read = &item->message(&scratch);
  EXPECT_EQ(read, scratch.get());
  EXPECT_EQ(scratch->GetDescriptor(), Book::descriptor());

  fields::FieldSubset title;
  title.Add(*Book::descriptor()->FindFieldByName("title"));
  const auto& part = static_cast<const Book&>(item->message(title, &scratch));
  EXPECT_EQ(part.title(), "Moby");
  EXPECT_EQ(part.name(), "");
  fields::FieldSubset etag;
  etag.Add(*Book::descriptor()->FindFieldByName("etag"));
  EXPECT_EQ(static_cast<const Book&>(item->message(etag, &scratch)).etag(),
            item->etag());

  const Message& kept = item->message();
  EXPECT_EQ(&item->message(), &kept);
  EXPECT_EQ(&item->message(&scratch), &kept);
  EXPECT_EQ(&item->message(title, &scratch), &kept);
  EXPECT_EQ(static_cast<const Book&>(kept).etag(), item->etag());
}

TEST_F(ItemTest, TheClockAloneMakesAnotherItem) {
  const ItemPtr item = Read(Moby().SerializeAsString());
  const ItemPtr same = item->At(kStart + absl::Seconds(5));
  EXPECT_EQ(same->etag(), item->etag());
  EXPECT_FALSE(same->clock_pending());
  EXPECT_EQ(same->next_change(), kStart + absl::Seconds(10));
  const ItemPtr gone = same->At(kStart + absl::Seconds(10));
  EXPECT_EQ(gone->as<Book>().state(), Book::GONE);
  EXPECT_NE(gone->etag(), item->etag());
  EXPECT_TRUE(gone->clock_pending());
  EXPECT_EQ(gone->revision(), 7);
}

// All that is worked out on first use, by several threads at once.
TEST_F(ItemTest, FirstLooksMayBeSimultaneous) {
  Book valued = Moby();
  valued.set_value(7);
  const ItemPtr expected = Make(valued);
  for (int round = 0; round < 50; ++round) {
    const ItemPtr item = Read(valued.SerializeAsString());
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        std::unique_ptr<Message> scratch;
        if (i == 0) {
          EXPECT_EQ(item->etag(), expected->etag());
        }
        if (i == 1) {
          EXPECT_EQ(*item->public_bytes(), *expected->public_bytes());
        }
        if (i == 2) {
          EXPECT_TRUE(MessageDifferencer::Equals(item->message(&scratch),
                                                 expected->message()));
        }
        EXPECT_EQ(item->StoredBody(), expected->StoredBody());
        EXPECT_EQ(item->as<Book>().value(), 7);
        EXPECT_EQ(item->bytes(), expected->bytes());
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace transparency::resource
