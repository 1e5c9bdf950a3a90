#include "common/fields/masks.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/text.h"
#include "common/fields/tests/library.pb.h"
#include "common/status/status.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace transparency::fields {
namespace {

using google::protobuf::FieldMask;
using google::protobuf::util::MessageDifferencer;
using library::v1::Book;

Book Read(const std::string& text) {
  Book book;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &book))
      << text;
  return book;
}

Book Current() {
  return Read(R"pb(
    name: "shelves/a/books/b"
    etag: "\"1\""
    create_time { seconds: 5 }
    title: "Old"
    pages: 3
    series: "whales"
    published { year: 2019 month: 5 day: 6 }
    origin {
      publisher: "Harper"
      city: "NY"
      note: "secret"
      stamp: "made here"
      code: "c1"
      preface { heading: "P" pages: 4 }
    }
    chapters { heading: "one" digest: "d1" }
    tags: "x"
    tags: "y"
    labels { key: "k" value: "v" }
    edition: 2
    room: "r"
    value: 9
  )pb");
}

// The fields or paths that are wrong; or the result.
struct Outcome {
  std::vector<std::string> wrong;
  Book book;
};

Outcome Apply(const std::string& incoming,
              const std::vector<std::string>& paths, bool with_mask = true,
              const FieldAccess& access = FieldAccess()) {
  FieldMask mask;
  for (const std::string& path : paths) mask.add_paths(path);
  auto after = ApplyUpdate(Current(), Read(incoming),
                           with_mask ? &mask : nullptr, access);
  Outcome outcome;
  if (after.ok()) {
    outcome.book = static_cast<const Book&>(**after);
    return outcome;
  }
  EXPECT_EQ(after.status().code(), absl::StatusCode::kInvalidArgument);
  google::rpc::BadRequest bad;
  status::FindDetail(after.status(), &bad);
  for (const auto& violation : bad.field_violations()) {
    outcome.wrong.push_back(violation.field());
  }
  return outcome;
}

void ExpectChange(const Outcome& outcome, const std::string& label,
                  const std::function<void(Book*)>& change) {
  EXPECT_TRUE(outcome.wrong.empty()) << label;
  Book expected = Current();
  change(&expected);
  EXPECT_TRUE(MessageDifferencer::Equals(outcome.book, expected))
      << label << ": " << outcome.book.ShortDebugString() << "\nexpected "
      << expected.ShortDebugString();
}

TEST(UpdateMask, AbsentMeansTheFieldsThatAreSet) {
  for (bool with_mask : {false, true}) {
    ExpectChange(Apply("title: \"New\" published {year: 2020} tags: \"z\"", {},
                       with_mask),
                 "absent", [](Book* book) {
                   book->set_title("New");
                   book->mutable_published()->clear_month();
                   book->mutable_published()->clear_day();
                   book->mutable_published()->set_year(2020);
                   book->clear_tags();
                   book->add_tags("z");
                 });
  }
  ExpectChange(Apply("", {}), "empty", [](Book*) {});
}

TEST(UpdateMask, PathsReplaceAndClear) {
  ExpectChange(Apply("title: \"New\" pages: 7", {"title"}), "one",
               [](Book* book) { book->set_title("New"); });
  ExpectChange(Apply("", {"pages", "tags", "published", "edition", "room"}),
               "clear", [](Book* book) {
                 book->clear_pages();
                 book->clear_tags();
                 book->clear_published();
                 book->clear_edition();
                 book->clear_room();
               });
  ExpectChange(Apply("edition: 0", {"edition"}), "set to its default",
               [](Book* book) { book->set_edition(0); });
  ExpectChange(Apply("crate: 3", {"crate"}), "other of the oneof",
               [](Book* book) { book->set_crate(3); });
  ExpectChange(Apply("origin {city: \"Z\"}", {"origin.city"}), "nested",
               [](Book* book) { book->mutable_origin()->set_city("Z"); });
  ExpectChange(Apply("", {"origin.city"}), "nested, parent left out",
               [](Book* book) { book->mutable_origin()->clear_city(); });
  ExpectChange(Apply("origin {preface {pages: 1}}", {"origin.preface.pages"}),
               "deeper", [](Book* book) {
                 book->mutable_origin()->mutable_preface()->set_pages(1);
               });
  ExpectChange(Apply("cost {units: 3}", {"cost.units"}), "new message",
               [](Book* book) { book->mutable_cost()->set_units(3); });
  ExpectChange(Apply("", {"cost.units"}), "nothing in nothing", [](Book*) {});
  ExpectChange(Apply("labels {key: \"a\" value: \"b\"}", {"labels"}), "map",
               [](Book* book) {
                 book->clear_labels();
                 (*book->mutable_labels())["a"] = "b";
               });
  ExpectChange(
      Apply("reading_time {seconds: 4}", {"readingTime"}), "JSON name",
      [](Book* book) { book->mutable_reading_time()->set_seconds(4); });
}

TEST(UpdateMask, StarReplacesAllThatIsTheClients) {
  const Outcome outcome = Apply("title: \"New\"", {"*"});
  EXPECT_TRUE(outcome.wrong.empty());
  Book expected = Read(R"pb(
    name: "shelves/a/books/b"
    etag: "\"1\""
    create_time { seconds: 5 }
    title: "New"
    series: "whales"
    origin { stamp: "made here" code: "c1" }
  )pb");
  EXPECT_TRUE(MessageDifferencer::Equals(outcome.book, expected))
      << outcome.book.ShortDebugString();
}

TEST(UpdateMask, WhatIsNotTheClientsIsPassedOver) {
  for (const auto& paths : std::vector<std::vector<std::string>>{
           {},
           {"name", "etag", "create_time", "origin.stamp",
            "create_time.seconds"}}) {
    ExpectChange(
        Apply("name: \"other\" etag: \"x\" create_time {seconds: 9}", paths),
        "passed over", [](Book*) {});
  }
  // Replaced as a whole, a message keeps its output-only fields.
  ExpectChange(Apply("origin {publisher: \"P\" stamp: \"forged\" code: \"c1\"}",
                     {"origin"}),
               "nested", [](Book* book) {
                 book->clear_origin();
                 book->mutable_origin()->set_publisher("P");
                 book->mutable_origin()->set_stamp("made here");
                 book->mutable_origin()->set_code("c1");
               });
  ExpectChange(
      Apply("chapters {heading: \"two\" digest: \"forged\"}", {"chapters"}),
      "elements", [](Book* book) {
        book->clear_chapters();
        book->add_chapters()->set_heading("two");
      });
}

TEST(UpdateMask, ImmutableFieldsStay) {
  using testing::ElementsAre;
  EXPECT_THAT(Apply("series: \"x\"", {"series"}).wrong, ElementsAre("series"));
  EXPECT_THAT(Apply("series: \"x\"", {}).wrong, ElementsAre("series"));
  EXPECT_THAT(Apply("series: \"x\"", {"*"}).wrong, ElementsAre("series"));
  EXPECT_THAT(Apply("", {"series"}).wrong, ElementsAre("series"));
  EXPECT_THAT(Apply("origin {code: \"x\"}", {"origin.code"}).wrong,
              ElementsAre("origin.code"));
  EXPECT_THAT(Apply("origin {code: \"x\"}", {}).wrong,
              ElementsAre("origin.code"));
  ExpectChange(Apply("series: \"whales\"", {"series"}), "same", [](Book*) {});
  ExpectChange(Apply("series: \"whales\"", {}), "same", [](Book*) {});
}

TEST(UpdateMask, UnknownPathsAreNamedAllAtOnce) {
  for (const char* path :
       {"nothing", "origin.nothing", "title.x", "tags.x", "chapters.heading",
        "labels.k", "labels.value", "", ".", "title.", "origin.*", "*.title"}) {
    EXPECT_THAT(Apply("", {path}).wrong, testing::ElementsAre("update_mask"))
        << path;
  }
  EXPECT_EQ(Apply("", {"a", "title", "b"}).wrong.size(), 2u);
  EXPECT_EQ(Apply("", {"*", "title"}).wrong.size(), 1u);
}

TEST(UpdateMask, HiddenFieldsAreUnknownAndStay) {
  const FieldAccess access(
      {{Book::descriptor()->FindFieldByName("value")},
       {Book::descriptor()->FindFieldByName("origin"),
        Book::Origin::descriptor()->FindFieldByName("note")}});
  EXPECT_EQ(Apply("value: 1", {"value"}, true, access).wrong.size(), 1u);
  EXPECT_EQ(Apply("", {"origin.note"}, true, access).wrong.size(), 1u);
  ExpectChange(
      Apply("value: 1 origin {publisher: \"P\" code: \"c1\" note: \"n\"}", {},
            true, access),
      "set", [](Book* book) {
        const auto origin = book->origin();
        book->clear_origin();
        book->mutable_origin()->set_publisher("P");
        book->mutable_origin()->set_stamp(origin.stamp());
        book->mutable_origin()->set_code("c1");
        book->mutable_origin()->set_note("secret");
      });
  EXPECT_EQ(Apply("title: \"x\"", {"*"}, true, access).book.value(), 9);
  EXPECT_EQ(Apply("", {"origin"}, true, access).book.origin().note(), "secret");
}

TEST(UpdateMask, SamePathTwiceAndPathsInEachOther) {
  ExpectChange(Apply("origin {publisher: \"P\" city: \"Z\" code: \"c1\"}",
                     {"origin.city", "origin", "origin", "origin.city"}),
               "twice", [](Book* book) {
                 book->clear_origin();
                 book->mutable_origin()->set_publisher("P");
                 book->mutable_origin()->set_city("Z");
                 book->mutable_origin()->set_stamp("made here");
                 book->mutable_origin()->set_code("c1");
               });
}

TEST(UpdateMask, EveryTypeOfFieldIsCopied) {
  const Book all = Read(R"pb(
    title: "t"
    state: OUT
    pages: 1
    copies: -2
    floor: 3
    weight: 4
    rating: 5
    price: 6
    lent: true
    cover: "b"
    lent_time { seconds: 1 }
    marks: 1
    marks: 2
    states: OUT
    chapters { heading: "c" }
    numbered {
      key: 1
      value { heading: "n" }
    }
    volume { value: 3 }
    series: "whales"
  )pb");
  FieldMask mask;
  mask.add_paths("*");
  Book before;
  before.set_series("whales");
  auto after = ApplyUpdate(before, all, &mask);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_TRUE(MessageDifferencer::Equals(**after, all))
      << (*after)->ShortDebugString();
}

TEST(ClearOutputOnly, AtAnyDepth) {
  Book book = Current();
  (*book.mutable_numbered())[1].set_heading("n");
  ClearOutputOnly(&book);
  EXPECT_FALSE(book.has_create_time());
  EXPECT_EQ(book.origin().stamp(), "");
  EXPECT_EQ(book.chapters(0).digest(), "");
  EXPECT_EQ(book.chapters(0).heading(), "one");
  EXPECT_EQ(book.title(), "Old");
}

library::v1::ListBooksResponse Answer() {
  library::v1::ListBooksResponse answer;
  *answer.add_books() = Current();
  *answer.add_books() = Read("title: \"second\" origin {city: \"Z\"}");
  answer.set_next_page_token("t");
  return answer;
}

std::string Masked(const std::string& text) {
  auto answer = Answer();
  auto mask = ReadMask::Parse("x-goog-fieldmask", text, *answer.descriptor());
  if (!mask.ok()) {
    EXPECT_EQ(mask.status().code(), absl::StatusCode::kInvalidArgument);
    return "refused";
  }
  mask->Apply(&answer);
  return answer.ShortDebugString();
}

TEST(ReadMask, KeepsWhatItNames) {
  EXPECT_EQ(Masked("next_page_token"), "next_page_token: \"t\"");
  EXPECT_EQ(Masked("nextPageToken , books.title"),
            "books { title: \"Old\" } books { title: \"second\" } "
            "next_page_token: \"t\"");
  EXPECT_EQ(Masked("books.origin.city,books.origin.preface.pages"),
            "books { origin { city: \"NY\" preface { pages: 4 } } } "
            "books { origin { city: \"Z\" } }");
  EXPECT_EQ(Masked("books.labels"),
            "books { labels { key: \"k\" value: \"v\" } } books { }");
  EXPECT_EQ(Masked("*"), Answer().ShortDebugString());
  EXPECT_EQ(Masked("*,books.title"), Answer().ShortDebugString());
  // The wider path wins, in either order.
  EXPECT_EQ(Masked("books.origin,books.origin.city"), Masked("books.origin"));
  EXPECT_EQ(Masked("books.origin.city,books.origin"), Masked("books.origin"));
}

TEST(ReadMask, UnknownPathsAreRefused) {
  for (const char* text : {"", ",", "nothing", "books.nothing", "books.title.x",
                           "books.labels.k", "books..title", "books title"}) {
    EXPECT_EQ(Masked(text), "refused") << text;
  }
  // A header can hold any bytes; the answer to it cannot.
  auto refused = ReadMask::Parse("fields", "\xFF",
                                 *library::v1::ListBooksResponse::descriptor());
  EXPECT_TRUE(text::IsUtf8(refused.status().message()));
  std::string many = "next_page_token";
  for (int i = 0; i < 100; ++i) many += ",next_page_token";
  EXPECT_EQ(Masked(many), "refused");
  EXPECT_EQ(Masked(std::string(5000, 'x')), "refused");
}

}  // namespace
}  // namespace transparency::fields
