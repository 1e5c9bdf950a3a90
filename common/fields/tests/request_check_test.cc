#include "common/fields/request_check.h"

#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "common/fields/tests/library.pb.h"
#include "common/status/status.h"
#include "gmock/gmock.h"
#include "google/protobuf/unknown_field_set.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace transparency::fields {
namespace {

using library::v1::Book;
using library::v1::CreateBookRequest;
using library::v1::GetBookRequest;
using library::v1::ListBooksRequest;
using library::v1::UpdateBookRequest;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::vector<std::string> FieldsOf(const absl::Status& status) {
  std::vector<std::string> fields;
  if (status.ok()) return fields;
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status::Reason(status), "INVALID_FIELDS");
  google::rpc::BadRequest bad;
  status::FindDetail(status, &bad);
  for (const auto& violation : bad.field_violations()) {
    EXPECT_FALSE(violation.description().empty());
    fields.push_back(violation.field());
  }
  return fields;
}

template <class Request>
std::vector<std::string> Wrong(Request request) {
  return FieldsOf(CheckRequest(&request));
}

CreateBookRequest Create(const std::function<void(Book*)>& set) {
  CreateBookRequest request;
  request.set_parent("shelves/north");
  request.mutable_book()->set_title("Moby");
  set(request.mutable_book());
  return request;
}

std::vector<std::string> WrongBook(const std::function<void(Book*)>& set) {
  return Wrong(Create(set));
}

TEST(RequestCheck, RequiredFieldsOfWhatIsThere) {
  EXPECT_THAT(Wrong(CreateBookRequest()), ElementsAre("parent", "book"));
  CreateBookRequest request;
  request.set_parent("shelves/north");
  request.mutable_book();
  EXPECT_THAT(Wrong(request), ElementsAre("book.title"));
  EXPECT_THAT(WrongBook([](Book* book) {
                book->mutable_origin();
                book->add_chapters()->set_heading("one");
                book->add_chapters()->add_parts();
              }),
              ElementsAre("book.origin.publisher", "book.chapters[1].heading",
                          "book.chapters[1].parts[0].heading"));
  EXPECT_THAT(WrongBook([](Book*) {}), IsEmpty());
}

TEST(RequestCheck, AnUpdateMayLeaveOutRequiredFieldsOfTheResource) {
  UpdateBookRequest request;
  EXPECT_THAT(Wrong(request), ElementsAre("book"));
  request.mutable_book()->set_name("shelves/north/books/moby");
  request.mutable_book()->mutable_origin()->set_city("Zürich");
  EXPECT_THAT(Wrong(request), IsEmpty());
  // What it leaves is asked for afterwards.
  EXPECT_THAT(FieldsOf(CheckResource(request.book(), "book")),
              ElementsAre("book.title", "book.origin.publisher"));
  EXPECT_THAT(FieldsOf(CheckResource(request.book())),
              ElementsAre("title", "origin.publisher"));
}

TEST(RequestCheck, AnUpdateNamesItsResource) {
  UpdateBookRequest request;
  request.mutable_book()->set_title("x");
  EXPECT_THAT(Wrong(request), ElementsAre("book.name"));
  request.mutable_book()->set_name("shelves/north");
  EXPECT_THAT(Wrong(request), ElementsAre("book.name"));
  // A create passes the name over.
  EXPECT_THAT(WrongBook([](Book* book) { book->set_name("what ever"); }),
              IsEmpty());
}

TEST(RequestCheck, TextIsNormalizedBeforeItIsJudged) {
  auto request = Create([](Book* book) {
    book->set_title("Zu\xCC\x88rich");
    book->add_tags("e\xCC\x81");
    // 20 characters once composed.
    std::string long_text;
    for (int i = 0; i < 20; ++i) long_text += "e\xCC\x81";
    book->set_summary(long_text);
  });
  EXPECT_TRUE(CheckRequest(&request).ok());
  EXPECT_EQ(request.book().title(), "Zürich");
  EXPECT_EQ(request.book().tags(0), "é");
  EXPECT_EQ(request.book().summary().size(), 40u);
}

TEST(RequestCheck, ControlCharactersAreRefused) {
  for (const std::string& text :
       {std::string("a\0b", 3), std::string("\x01"), std::string("a\rb"),
        std::string("\x7F"), std::string("\xC2\x85"),
        std::string("a\x1B[0m")}) {
    EXPECT_THAT(WrongBook([&](Book* book) { book->set_summary(text); }),
                ElementsAre("book.summary"));
  }
  EXPECT_THAT(WrongBook([](Book* book) { book->set_summary("a\nb\tc"); }),
              IsEmpty());
  EXPECT_THAT(WrongBook([](Book* book) { book->set_summary("\xC2\xA0"); }),
              IsEmpty());
}

TEST(RequestCheck, Limits) {
  EXPECT_THAT(WrongBook([](Book* book) {
                book->set_title(std::string(1001, 'x'));
                book->set_summary(std::string(21, 'x'));
              }),
              ElementsAre("book.title", "book.summary"));
  EXPECT_THAT(WrongBook([](Book* book) {
                book->set_title(std::string(1000, 'x'));
                book->set_summary("üüüüüüüüüüüüüüüüüüüü");
              }),
              IsEmpty());
  EXPECT_THAT(WrongBook([](Book* book) {
                for (int i = 0; i < 6; ++i) book->add_tags("x");
              }),
              ElementsAre("book.tags"));
  EXPECT_THAT(WrongBook([](Book* book) {
                for (int i = 0; i < 3; ++i) book->add_tags("x");
                book->add_tags("elevenlong!");
              }),
              ElementsAre("book.tags[3]"));
  EXPECT_THAT(WrongBook([](Book* book) {
                for (int i = 0; i < 101; ++i) book->add_marks(i);
              }),
              ElementsAre("book.marks"));
}

TEST(RequestCheck, Formats) {
  EXPECT_THAT(
      WrongBook([](Book* book) {
        book->set_country("UK");
        book->set_language("en_GB");
        book->set_zone("Europe/Atlantis");
        book->set_digest("abc");
        book->set_uri("ftp://x");
        book->set_email("x");
        book->set_media_type("pdf");
      }),
      ElementsAre("book.country", "book.language", "book.zone", "book.digest",
                  "book.uri", "book.email", "book.media_type"));
  CreateBookRequest request = Create([](Book*) {});
  request.set_request_id("1");
  EXPECT_THAT(Wrong(request), ElementsAre("request_id"));
}

google::type::Date DateOf(int year, int month, int day) {
  google::type::Date date;
  date.set_year(year);
  date.set_month(month);
  date.set_day(day);
  return date;
}

TEST(RequestCheck, DatesAndPeriods) {
  for (const auto& date : {DateOf(2019, 12, 31), DateOf(2019, 12, 0),
                           DateOf(2019, 0, 0), DateOf(2020, 2, 29)}) {
    EXPECT_THAT(
        WrongBook([&](Book* book) { *book->mutable_published() = date; }),
        IsEmpty());
  }
  for (const auto& date :
       {DateOf(0, 0, 0), DateOf(0, 5, 1), DateOf(2019, 0, 5),
        DateOf(2019, 2, 29), DateOf(10000, 1, 1), DateOf(2019, 13, 0),
        DateOf(2019, -1, 0), DateOf(-1, 0, 0)}) {
    EXPECT_THAT(
        WrongBook([&](Book* book) { *book->mutable_published() = date; }),
        ElementsAre("book.published"));
  }
  EXPECT_THAT(
      WrongBook([](Book* book) {
        auto* period = book->mutable_in_print();
        *period->mutable_from() = DateOf(2020, 0, 0);
        *period->mutable_until() = DateOf(2019, 0, 0);
        *period->add_attested_on() = DateOf(2020, 1, 0);
      }),
      ElementsAre("book.in_print.until", "book.in_print.attested_on[0]"));
}

TEST(RequestCheck, Instants) {
  const auto wrong = [](int64_t seconds, int nanos) {
    return WrongBook([&](Book* book) {
      book->mutable_lent_time()->set_seconds(seconds);
      book->mutable_lent_time()->set_nanos(nanos);
    });
  };
  EXPECT_THAT(wrong(-62135596800, 0), IsEmpty());
  EXPECT_THAT(wrong(253402300799, 999999999), IsEmpty());
  EXPECT_THAT(wrong(-62135596801, 0), ElementsAre("book.lent_time"));
  EXPECT_THAT(wrong(253402300800, 0), ElementsAre("book.lent_time"));
  EXPECT_THAT(wrong(0, -1), ElementsAre("book.lent_time"));
  EXPECT_THAT(wrong(0, 1000000000), ElementsAre("book.lent_time"));
  auto request = Create([](Book* book) {
    book->mutable_lent_time()->set_seconds(-5);
    book->mutable_lent_time()->set_nanos(123456789);
  });
  EXPECT_TRUE(CheckRequest(&request).ok());
  EXPECT_EQ(request.book().lent_time().seconds(), -5);
  EXPECT_EQ(request.book().lent_time().nanos(), 123456000);
}

TEST(RequestCheck, DurationsAndMoney) {
  const auto duration = [](int64_t seconds, int nanos) {
    return WrongBook([&](Book* book) {
      book->mutable_reading_time()->set_seconds(seconds);
      book->mutable_reading_time()->set_nanos(nanos);
    });
  };
  EXPECT_THAT(duration(-1, -1), IsEmpty());
  EXPECT_THAT(duration(0, -1), IsEmpty());
  EXPECT_THAT(duration(1, -1), ElementsAre("book.reading_time"));
  EXPECT_THAT(duration(-1, 1), ElementsAre("book.reading_time"));
  EXPECT_THAT(duration(315576000001, 0), ElementsAre("book.reading_time"));
  const auto money = [](const char* code, int64_t units, int nanos) {
    return WrongBook([&](Book* book) {
      book->mutable_cost()->set_currency_code(code);
      book->mutable_cost()->set_units(units);
      book->mutable_cost()->set_nanos(nanos);
    });
  };
  EXPECT_THAT(money("EUR", 5, 500000000), IsEmpty());
  EXPECT_THAT(money("EUR", -5, -500000000), IsEmpty());
  EXPECT_THAT(money("EUR", 0, 0), IsEmpty());
  EXPECT_THAT(money("eur", 5, 0), ElementsAre("book.cost"));
  EXPECT_THAT(money("", 0, 0), ElementsAre("book.cost"));
  EXPECT_THAT(money("EUR", 5, -1), ElementsAre("book.cost"));
  EXPECT_THAT(money("EUR", 5, 1000000000), ElementsAre("book.cost"));
}

TEST(RequestCheck, NumbersAndEnums) {
  EXPECT_THAT(WrongBook([](Book* book) {
                book->set_rating(std::numeric_limits<float>::infinity());
                book->set_price(std::numeric_limits<double>::quiet_NaN());
              }),
              ElementsAre("book.rating", "book.price"));
  EXPECT_THAT(WrongBook([](Book* book) {
                book->set_state(static_cast<Book::State>(99));
                book->add_states(Book::OUT);
                book->add_states(static_cast<Book::State>(-1));
              }),
              ElementsAre("book.state", "book.states[1]"));
}

TEST(RequestCheck, References) {
  struct Case {
    const char* name;
    bool twin;
    bool permit;
    bool about;
  };
  for (const Case& c : std::vector<Case>{
           {"shelves/a/books/b", true, false, true},
           {"//library.transparency/shelves/a/books/b", false, false, true},
           {"//office.transparency/permits/p", false, true, true},
           {"//office.transparency/permits", false, false, false},
           {"//other.transparency/permits/p", false, false, true},
           {"permits/p", false, false, true},
           {"shelves/-/books/b", false, false, false},
           {"shelves/a/books/B", false, false, false},
           {"books/b", false, false, true},
           {"x", false, false, false},
       }) {
    EXPECT_EQ(WrongBook([&](Book* book) { book->set_twin(c.name); }).empty(),
              c.twin)
        << c.name;
    EXPECT_EQ(WrongBook([&](Book* book) { book->set_permit(c.name); }).empty(),
              c.permit)
        << c.name;
    EXPECT_EQ(WrongBook([&](Book* book) { book->set_about(c.name); }).empty(),
              c.about)
        << c.name;
  }
  GetBookRequest get;
  get.set_name("shelves/north");
  EXPECT_THAT(Wrong(get), ElementsAre("name"));
}

TEST(RequestCheck, BatchesAreOfSomeNamesAndAnyParent) {
  library::v1::BatchGetBooksRequest batch;
  EXPECT_THAT(Wrong(batch), ElementsAre("names"));
  for (int i = 0; i < 3; ++i) batch.add_names("shelves/a/books/x");
  EXPECT_THAT(Wrong(batch), IsEmpty());
  batch.set_parent("shelves/-");
  EXPECT_THAT(Wrong(batch), IsEmpty());
  batch.set_names(1, "shelves/-/books/x");
  EXPECT_THAT(Wrong(batch), ElementsAre("names[1]"));
  batch.set_names(1, "shelves/a/books/x");
  batch.add_names("shelves/a/books/x");
  EXPECT_THAT(Wrong(batch), ElementsAre("names"));
}

TEST(RequestCheck, ANegativePageSizeIsToldWithTheRest) {
  ListBooksRequest request;
  request.set_page_size(-1);
  EXPECT_THAT(Wrong(request), UnorderedElementsAre("parent", "page_size"));
  request.set_parent("shelves/-");
  request.set_page_size(0);
  EXPECT_THAT(Wrong(request), IsEmpty());
}

TEST(RequestCheck, ListsAndBatchesAloneTakeAnyParent) {
  ListBooksRequest list;
  list.set_parent("shelves/-");
  EXPECT_THAT(Wrong(list), IsEmpty());
  list.set_parent("shelves/north/books/x");
  EXPECT_THAT(Wrong(list), ElementsAre("parent"));
  CreateBookRequest create = Create([](Book*) {});
  create.set_parent("shelves/-");
  EXPECT_THAT(Wrong(create), ElementsAre("parent"));
}

TEST(RequestCheck, OutputOnlyFieldsArePassedOver) {
  EXPECT_THAT(WrongBook([](Book* book) {
                book->mutable_create_time()->set_nanos(-1);
                book->mutable_origin()->set_publisher("x");
                book->mutable_origin()->set_stamp(std::string(5000, 'x'));
              }),
              IsEmpty());
}

TEST(RequestCheck, FieldsOfANewerVersionAreRefused) {
  library::v1::NewerGetBookRequest newer;
  newer.set_name("shelves/a/books/b");
  newer.set_extra("x");
  GetBookRequest request;
  ASSERT_TRUE(request.ParseFromString(newer.SerializeAsString()));
  EXPECT_THAT(Wrong(request), ElementsAre("99"));
  CreateBookRequest create = Create([&](Book* book) {
    book->mutable_published()->set_year(2019);
    google::type::Date* date = book->mutable_published();
    date->GetReflection()->MutableUnknownFields(date)->AddVarint(77, 1);
  });
  EXPECT_THAT(Wrong(create), ElementsAre("book.published.77"));
}

TEST(RequestCheck, DepthIsLimited) {
  const auto nested = [](int depth) {
    return Create([&](Book* book) {
      Book::Chapter* chapter = book->add_chapters();
      chapter->set_heading("x");
      for (int i = 1; i < depth; ++i) {
        chapter = chapter->add_parts();
        chapter->set_heading("x");
      }
    });
  };
  EXPECT_THAT(Wrong(nested(31)), IsEmpty());
  EXPECT_EQ(Wrong(nested(32)).size(), 1u);
  EXPECT_EQ(Wrong(nested(90)).size(), 1u);
}

TEST(RequestCheck, AChosenIdIsJudgedWithTheRest) {
  CreateBookRequest request;
  request.set_parent("shelves/north");
  request.set_book_id("Moby Dick");
  EXPECT_THAT(Wrong(request), UnorderedElementsAre("book", "book_id"));
  request.mutable_book();
  EXPECT_THAT(Wrong(request), UnorderedElementsAre("book.title", "book_id"));
  request.set_book_id("moby-dick");
  EXPECT_THAT(Wrong(request), ElementsAre("book.title"));
}

TEST(RequestCheck, NamesAllThatIsWrongAndCountsTheRest) {
  CreateBookRequest request = Create([](Book* book) {
    for (int i = 0; i < 30; ++i) book->add_chapters();
  });
  const absl::Status status = CheckRequest(&request);
  EXPECT_EQ(FieldsOf(status).size(), 20u);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(status::FindDetail(status, &info));
  EXPECT_EQ(info.metadata().at("violations"), "30");
}

TEST(RequestCheck, MapsAreChecked) {
  EXPECT_THAT(WrongBook([](Book* book) {
                (*book->mutable_labels())["k"] = std::string(1001, 'x');
                (*book->mutable_numbered())[1].set_pages(1);
              }),
              UnorderedElementsAre("book.labels[0].value",
                                   "book.numbered[0].value.heading"));
  auto request =
      Create([](Book* book) { (*book->mutable_labels())["k"] = "u\xCC\x88"; });
  EXPECT_TRUE(CheckRequest(&request).ok());
  EXPECT_EQ(request.book().labels().at("k"), "ü");
}

TEST(RequestCheck, CheckResourceChangesNothing) {
  Book book;
  book.set_name("shelves/a/books/b");
  book.set_title("Zu\xCC\x88rich");
  book.mutable_lent_time()->set_nanos(1);
  const Book before = book;
  EXPECT_TRUE(CheckResource(book).ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(book, before));
}

}  // namespace
}  // namespace transparency::fields
