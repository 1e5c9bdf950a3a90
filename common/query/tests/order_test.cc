#include "common/query/order.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "common/fields/tests/library.pb.h"
#include "common/query/page_token.h"
#include "common/status/status.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace transparency::query {
namespace {

using library::v1::Book;

std::shared_ptr<const Order> Parse(const std::string& text) {
  auto order = Order::Parse(text, *Book::descriptor());
  EXPECT_TRUE(order.ok()) << text << ": " << order.status();
  return order.ok() ? *order : nullptr;
}

std::string KeyOf(const std::string& order, const Book& book) {
  std::string key;
  Parse(order)->Key(book, &key);
  EXPECT_LE(key.size(), Order::kMaxKeyBytes);
  return key;
}

// Expects that the books sort as they stand, each strictly before the next.
void ExpectSorted(const std::string& order, const std::vector<Book>& books) {
  for (size_t i = 1; i < books.size(); ++i) {
    EXPECT_LT(KeyOf(order, books[i - 1]), KeyOf(order, books[i]))
        << order << ": " << books[i - 1].ShortDebugString() << " / "
        << books[i].ShortDebugString();
    EXPECT_GT(KeyOf(order + " desc", books[i - 1]),
              KeyOf(order + " desc", books[i]))
        << order;
  }
}

template <class Set, class Value>
std::vector<Book> Books(Set set, const std::vector<Value>& values) {
  std::vector<Book> books;
  for (const auto& value : values) {
    books.emplace_back();
    set(&books.back(), value);
  }
  return books;
}

TEST(Order, NumbersOfEachType) {
  const auto min32 = std::numeric_limits<int32_t>::min();
  const auto min64 = std::numeric_limits<int64_t>::min();
  ExpectSorted("pages",
               Books([](Book* b, int v) { b->set_pages(v); },
                     std::vector<int>{min32, -256, -1, 0, 1, 255, 256,
                                      std::numeric_limits<int32_t>::max()}));
  ExpectSorted("copies", Books([](Book* b, int64_t v) { b->set_copies(v); },
                               std::vector<int64_t>{
                                   min64, -1, 0, 1,
                                   std::numeric_limits<int64_t>::max()}));
  ExpectSorted(
      "weight",
      Books([](Book* b, uint64_t v) { b->set_weight(v); },
            std::vector<uint64_t>{0, 1, std::numeric_limits<uint64_t>::max()}));
  ExpectSorted("price", Books([](Book* b, double v) { b->set_price(v); },
                              std::vector<double>{-1e300, -2, -1, -1e-300, 0,
                                                  1e-300, 1, 2, 1e300}));
  ExpectSorted("rating", Books([](Book* b, float v) { b->set_rating(v); },
                               std::vector<float>{-1.5F, 0, 0.25F, 7}));
  Book zero;
  Book minus_zero;
  minus_zero.set_price(-0.0);
  EXPECT_EQ(KeyOf("price", zero), KeyOf("price", minus_zero));
  ExpectSorted("lent", Books([](Book* b, bool v) { b->set_lent(v); },
                             std::vector<bool>{false, true}));
  ExpectSorted("state",
               Books([](Book* b, int v) { b->set_state(Book::State(v)); },
                     std::vector<int>{0, 1, 2, 3}));
}

TEST(Order, TextForPeopleWithoutRegardToCase) {
  ExpectSorted("title",
               Books([](Book* b, const std::string& v) { b->set_title(v); },
                     std::vector<std::string>{"", "a", "A b", "ab", "B", "ba",
                                              "z", "Ä"}));
  Book upper;
  upper.set_title("STRASSE");
  Book sharp;
  sharp.set_title("Straße");
  EXPECT_EQ(KeyOf("title", upper), KeyOf("title", sharp));
  // Names and texts of a format are code points.
  ExpectSorted("uri",
               Books([](Book* b, const std::string& v) { b->set_uri(v); },
                     std::vector<std::string>{"", "A", "B", "a"}));
  Book long_a;
  long_a.set_title(std::string(500, 'x') + "a");
  EXPECT_LE(KeyOf("title", long_a).size(), 102u);
}

TEST(Order, InstantsDurationsAndDates) {
  ExpectSorted("lent_time", [] {
    std::vector<Book> books(5);
    books[1].mutable_lent_time()->set_seconds(-5);
    books[2].mutable_lent_time();
    books[3].mutable_lent_time()->set_nanos(1000);
    books[4].mutable_lent_time()->set_seconds(1);
    return books;
  }());
  ExpectSorted("reading_time", [] {
    std::vector<Book> books(4);
    books[0].mutable_reading_time()->set_seconds(-2);
    books[1].mutable_reading_time()->set_seconds(-1);
    books[1].mutable_reading_time()->set_nanos(-5);
    books[2].mutable_reading_time()->set_seconds(-1);
    books[3].mutable_reading_time();
    return books;
  }());
  ExpectSorted("published", [] {
    std::vector<Book> books(5);
    books[1].mutable_published()->set_year(2018);
    books[2].mutable_published()->set_year(2019);
    books[3].mutable_published()->set_year(2019);
    books[3].mutable_published()->set_month(1);
    books[4].mutable_published()->set_year(2019);
    books[4].mutable_published()->set_month(1);
    books[4].mutable_published()->set_day(1);
    return books;
  }());
}

TEST(Order, SubfieldsAndWhatIsNotSet) {
  std::vector<Book> books(3);
  books[1].mutable_origin();
  books[2].mutable_origin()->set_city("z");
  ExpectSorted("origin.city", books);
  std::vector<Book> editions(3);
  editions[1].set_edition(-1);
  editions[2].set_edition(0);
  ExpectSorted("edition", editions);
}

TEST(Order, SeveralFields) {
  Book a;
  a.set_title("a");
  a.set_pages(5);
  Book b = a;
  b.set_pages(7);
  Book c;
  c.set_title("AB");
  EXPECT_GT(KeyOf("title, pages desc", a), KeyOf("title, pages desc", b));
  EXPECT_LT(KeyOf("title,pages asc", a), KeyOf("title,pages", b));
  EXPECT_LT(KeyOf("title, pages", b), KeyOf("title, pages", c));
  EXPECT_LT(KeyOf("title desc, pages", c), KeyOf("title desc, pages", a));
}

TEST(Order, ByNameNeedsNoKey) {
  EXPECT_TRUE(Parse("")->by_name());
  EXPECT_TRUE(Parse("  ")->by_name());
  EXPECT_TRUE(Parse("name")->by_name());
  EXPECT_TRUE(Parse("name, title desc")->by_name());
  EXPECT_FALSE(Parse("name desc")->by_name());
  EXPECT_FALSE(Parse("title")->by_name());
}

TEST(Order, ErrorsNameThePosition) {
  struct Case {
    const char* text;
    const char* position;
  };
  for (const Case& c : std::vector<Case>{
           {"nothing", "1"},
           {"title, nothing", "8"},
           {"title down", "7"},
           {"title DESC", "7"},
           {"title desc desc", "1"},
           {",", "1"},
           {"title,", "7"},
           {"tags", "1"},
           {"chapters.pages", "1"},
           {"labels", "1"},
           {"labels.k", "1"},
           {"cover", "1"},
           {"origin", "1"},
           {"cost", "1"},
           {"title.x", "1"},
           {"reader", "1"},
           {"title, pages, copies, floor, weight", "30"},
       }) {
    auto order = Order::Parse(c.text, *Book::descriptor());
    ASSERT_FALSE(order.ok()) << c.text;
    EXPECT_EQ(status::Reason(order.status()), "QUERY_INVALID");
    google::rpc::ErrorInfo info;
    ASSERT_TRUE(status::FindDetail(order.status(), &info));
    EXPECT_EQ(info.metadata().at("position"), c.position) << c.text;
    EXPECT_EQ(info.metadata().at("field"), "order_by");
  }
  const fields::FieldAccess access(
      {{Book::descriptor()->FindFieldByName("value")}});
  EXPECT_FALSE(Order::Parse("value", *Book::descriptor(), access).ok());
  EXPECT_TRUE(Order::Parse("value", *Book::descriptor()).ok());
}

TEST(PageSize, DefaultsCapsAndRefuses) {
  EXPECT_EQ(*PageSize(0), 50);
  EXPECT_EQ(*PageSize(1), 1);
  EXPECT_EQ(*PageSize(1000), 1000);
  EXPECT_EQ(*PageSize(1001), 1000);
  EXPECT_EQ(*PageSize(2147483647), 1000);
  EXPECT_EQ(PageSize(-1).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(PageToken, ComesBackForItsQueryAlone) {
  const std::vector<std::string> query = {"List", "shelves/a", "x = 1"};
  const Position position{"shelves/a/books/b", std::string("\0\xFFk", 3)};
  const std::string token = MakePageToken(query, position);
  for (char c : token) {
    EXPECT_TRUE(absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                c == '-' || c == '_')
        << token;
  }
  auto read = ReadPageToken(query, token);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->name, position.name);
  EXPECT_EQ(read->key, position.key);
  for (const auto& other : std::vector<std::vector<std::string>>{
           {},
           {"List", "shelves/a"},
           {"List", "shelves/a", "x = 2"},
           {"List", "shelves/ax = 1", ""},
           {"List", "shelves/a", "x = 1", ""}}) {
    auto refused = ReadPageToken(other, token);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status::Reason(refused.status()), "PAGE_TOKEN_INVALID");
  }
}

TEST(PageToken, DamageIsFound) {
  const std::vector<std::string> query = {"List"};
  const std::string token = MakePageToken(query, {"shelves/a/books/b", "key"});
  for (size_t i = 0; i + 1 < token.size(); ++i) {
    std::string damaged = token;
    damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(ReadPageToken(query, damaged).ok()) << i;
    EXPECT_FALSE(ReadPageToken(query, token.substr(0, i)).ok()) << i;
  }
  for (const std::string& text :
       {std::string("x"), std::string("!!!!"), std::string(5000, 'A'),
        token + token, std::string("\xFF\0", 2)}) {
    EXPECT_FALSE(ReadPageToken(query, text).ok());
  }
}

TEST(PageToken, FitsItsField) {
  const std::string name(255, 'n');
  EXPECT_LE(MakePageToken({"q"}, {name, std::string(Order::kMaxKeyBytes, 'k')})
                .size(),
            1000u);
}

}  // namespace
}  // namespace transparency::query
