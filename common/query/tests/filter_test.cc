#include "common/query/filter.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/fields/tests/library.pb.h"
#include "common/status/status.h"
#include "google/protobuf/text_format.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace transparency::query {
namespace {

using library::v1::Book;

Book Sample() {
  Book book;
  const bool read = google::protobuf::TextFormat::ParseFromString(
      R"pb(
        name: "shelves/north/books/moby"
        etag: "\"feed\""
        title: "Moby-Dick; or, The Whale"
        state: OUT
        owner: "ishmael"
        pages: 635
        copies: -3
        floor: 4000000000
        weight: 18446744073709551615
        rating: 4.1
        price: 12.5
        lent: true
        lent_time { seconds: 1600000000 nanos: 500000000 }
        reading_time { seconds: 90 nanos: 500000000 }
        published { year: 1851 month: 10 }
        cost { currency_code: "USD" units: 3 }
        origin {
          publisher: "Harper & Brothers"
          city: "Zürich"
          preface { heading: "Etymology" pages: 2 }
        }
        chapters {
          heading: "Loomings"
          pages: 9
          parts { heading: "Call" }
        }
        chapters { heading: "The Carpet-Bag" pages: 5 }
        tags: "sea"
        tags: "whale"
        marks: 3
        marks: 5
        states: OUT
        labels { key: "genre" value: "novel" }
        labels { key: "a.b" value: "dotted" }
        numbered {
          key: 7
          value { heading: "seven" pages: 70 }
        }
        volume { value: 0 }
        edition: 0
        room: ""
      )pb",
      &book);
  EXPECT_TRUE(read);
  return book;
}

bool Matches(const std::string& filter, const Book& book = Sample()) {
  auto parsed = Filter::Parse(filter, *Book::descriptor());
  EXPECT_TRUE(parsed.ok()) << filter << ": " << parsed.status();
  return parsed.ok() && (*parsed)->Matches(book);
}

// The character that the error names; 0 when there is none.
int ErrorAt(const std::string& filter,
            const fields::FieldAccess& access = fields::FieldAccess()) {
  auto parsed = Filter::Parse(filter, *Book::descriptor(), access);
  if (parsed.ok()) return 0;
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status::Reason(parsed.status()), "QUERY_INVALID") << filter;
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest bad;
  EXPECT_TRUE(status::FindDetail(parsed.status(), &info));
  EXPECT_TRUE(status::FindDetail(parsed.status(), &bad));
  EXPECT_EQ(bad.field_violations(0).field(), "filter");
  return std::stoi(info.metadata().at("position"));
}

TEST(Filter, EmptyMatchesEverything) {
  EXPECT_TRUE(Matches(""));
  EXPECT_TRUE(Matches(" \t\n "));
  EXPECT_TRUE(Matches("", Book()));
}

TEST(Filter, ThatMatch) {
  for (const char* filter : {
           "title = \"Moby-Dick; or, The Whale\"",
           "title='Moby-Dick; or, The Whale'",
           "title != moby",
           "title = \"Moby*\"",
           "title = \"*Whale\"",
           "title = \"*or,*Wh*\"",
           "title = *",
           "title != *whale*",
           "owner = ishmael",
           "owner=ishmael",
           "owner : ishmael",
           "owner > isa",
           "owner >= ishmael",
           "owner < \"ishmael*\"",  // no wildcard in an order
           "pages = 635",
           "pages > 634 pages < 636",
           "pages >= 635 AND pages <= 635",
           "pages != 634",
           "pages > -1",
           "copies = -3",
           "copies < -2",
           "floor = 4000000000",
           "weight = 18446744073709551615",
           "rating = 4.1",
           "rating >= 4.1",
           "price = 12.5",
           "price < 1.3e1",
           "price > .5",
           "lent = true",
           "lent != false",
           "lent:true",
           "state = OUT",
           "state != DRAFT",
           "state:OUT",
           "state = (DRAFT OR OUT)",
           "state = (DRAFT OR (GONE OR OUT))",
           "state != (DRAFT AND GONE)",
           "state = (NOT DRAFT)",
           "state = (-DRAFT)",
           "copies = (-4 OR -3)",
           "lent_time = 2020-09-13T12:26:40.5Z",
           "lent_time = 2020-09-13T14:26:40.5+02:00",
           "lent_time = \"2020-09-13T12:26:40.5Z\"",
           "lent_time = timestamp(\"2020-09-13T12:26:40.5Z\")",
           "lent_time = timestamp( 2020-09-13T12:26:40.5Z )",
           "lent_time > 2020-09-13T12:26:40Z",
           "(lent_time<2020-09-13T12:26:41Z)",
           "lent_time.seconds = 1600000000",
           "reading_time = 90.5s",
           "reading_time = duration(\"90.5s\")",
           "reading_time > 90s AND reading_time < 91s",
           "reading_time > -5s",
           "published = 1851-10",
           "published = 1851",
           "published != 1852",
           "published < 1852",
           "published <= 1851",
           "published <= 1851-10",
           "published <= 1851-10-31",
           "published >= 1851-10-01",
           "published > 1851-09",
           "published > \"1851-09-30\"",
           "published.year = 1851",
           "published.day = 0",
           "cost.units = 3",
           "cost.currency_code = USD",
           "cost.currencyCode = USD",
           "origin.publisher = \"Harper & Brothers\"",
           "origin.city = Zürich",
           "origin.preface.pages = 2",
           "origin:*",
           "origin:city",
           "origin.city:*",
           "-origin.note:*",
           "chapters:*",
           "chapters.heading:Loomings",
           "chapters.pages:5",
           "chapters.heading:\"The *\"",
           "chapters.parts.heading:Call",
           "chapters:parts",
           "tags:sea",
           "tags:\"wh*\"",
           "tags:(sea AND whale)",
           "tags:(moon OR whale)",
           "NOT tags:moon",
           "marks:5",
           "states:OUT",
           "labels:genre",
           "labels:\"a.b\"",
           "labels:*",
           "labels.genre = novel",
           "labels.genre:*",
           "labels.\"a.b\" = dotted",
           "labels.'a.b' = dotted",
           "numbered:7",
           "numbered.7.heading = seven",
           "numbered.7.pages > 60",
           "NOT numbered:8",
           "volume = 0",
           "volume:*",
           "edition = 0",
           "edition:*",
           "room:*",
           "room = \"\"",
           // Words.
           "whale",
           "WHALE",
           "\"or, the\"",
           "mob*whale",
           "zürich",
           "ZÜRICH",
           "loomings",
           "carpet-bag",
           "novel",
           "seven",
           "moby",
           "moby-dick whale sea",
           "-feed",  // the etag is not searched
           "*",
           // Logic. OR binds tighter than AND; a sequence is AND.
           "owner = ishmael lent = true",
           "lent = false OR lent = true AND pages = 635",
           "pages = 635 OR pages = 1 lent = false OR lent = true",
           "NOT lent = false",
           "NOT (lent = false OR pages = 1)",
           "-lent = false",
           "-(lent = false AND pages = 635)",
           "NOT(lent=false)",
           "lent=true AND(pages=635)",
           "(((pages = 635)))",
           "lent = true AND whale OR elephant",
       }) {
    EXPECT_TRUE(Matches(filter)) << filter;
  }
}

TEST(Filter, ThatDoNotMatch) {
  for (const char* filter : {
           "title = moby-dick*",  // exact: case counts
           "title = Moby",
           "title = \"Moby\\*\"",
           "title != \"Moby*\"",
           "owner > ishmael",
           "owner = Ishmael",
           "pages = 634",
           "pages != 635",
           "pages < 635",
           "copies > -3",
           "rating = 4.10001",
           "lent = false",
           "lent != true",
           "state = DRAFT",
           "state != OUT",
           "state != (DRAFT AND OUT)",
           "lent_time = 2020-09-13T12:26:40Z",
           "lent_time >= 2020-09-13T12:26:40.500001Z",
           "reading_time = 90s",
           "reading_time < -5s",
           // What is not sure does not match.
           "published = 1851-10-14",
           "published < 1851-10-14",
           "published > 1851-10-14",
           "published != 1851-10-14",
           "published <= 1851-10-14",
           "published >= 1851-10-14",
           "published != 1851",
           "published < 1851",
           "published > 1850-10 AND published < 1851-10-31",
           // Not set, or not there: nothing matches, not even !=.
           "origin.preface.written = 1850",
           "origin.preface.written != 1850",
           "origin.preface.written:*",
           "create_time != 2020-01-01T00:00:00Z",
           "create_time:*",
           "crate = 0",
           "crate != 1",
           "labels.missing = x",
           "labels.missing != x",
           "labels:missing",
           "numbered.8.heading != x",
           "chapters.pages:6",
           "chapters.heading:call",
           "tags:se",
           "tags:(sea AND moon)",
           "origin:note",
           "origin.note:*",
           "summary:*",
           "elephant",
           "whale elephant",
           "\"whale  moby\"",
           "feed",
           "lent = false AND pages = 635",
           "lent = false pages = 635",
           "NOT lent = true",
           "-lent = true",
           "lent = true AND NOT whale",
           "pages = 635 AND lent = false OR pages = 1",
           "635",
       }) {
    EXPECT_FALSE(Matches(filter)) << filter;
  }
}

TEST(Filter, UnsetOnTheWayMatchesNothing) {
  const Book empty;
  for (const char* filter :
       {"origin.city = x", "origin.city != x", "origin.city = \"\"",
        "published != 2000", "origin.preface.pages != 1", "tags:x",
        "chapters.pages:0", "volume = 0", "edition != 1",
        "lent_time.seconds = 0", "*"}) {
    EXPECT_FALSE(Matches(filter, empty)) << filter;
  }
  // Fields without presence have their default value.
  EXPECT_TRUE(Matches("pages = 0", empty));
  EXPECT_TRUE(Matches("title = \"\"", empty));
  EXPECT_TRUE(Matches("state = STATE_UNSPECIFIED", empty));
  EXPECT_TRUE(Matches("NOT origin.city != x", empty));
  EXPECT_FALSE(Matches("pages:*", empty));
}

struct ErrorCase {
  const char* filter;
  int position;
};

TEST(Filter, ErrorsNameThePosition) {
  for (const ErrorCase& c : std::vector<ErrorCase>{
           {"nothing = 1", 1},
           {"pages = 1 AND nothing = 1", 15},
           {"origin.nothing = 1", 8},
           {"title.length = 1", 7},
           {"pages = x", 9},
           {"pages = 1.5", 9},
           {"pages = \"\"", 9},
           {"pages = 99999999999999999999", 9},
           {"floor = -1", 9},
           {"price = nan", 9},
           {"price = inf", 9},
           {"lent = yes", 8},
           {"lent > false", 8},
           {"state = out", 9},
           {"state > OUT", 9},
           {"state = Ö", 9},
           {"owner = Ö AND pages = x", 23},
           {"cover = x", 9},
           {"lent_time > 2020-09-13", 13},
           {"lent_time > 2020-09-13T12:26:40", 13},
           {"lent_time > tomorrow", 13},
           {"lent_time > infinite-future", 13},
           {"lent_time = duration(\"1s\")", 13},
           {"lent_time = now()", 13},
           {"pages = timestamp(\"2020-09-13T12:26:40Z\")", 9},
           {"reading_time = 90", 16},
           {"reading_time = 1h", 16},
           {"reading_time = infs", 16},
           {"published = 2019-02-30", 13},
           {"published = 2019-13", 13},
           {"published = 19", 13},
           {"published = 2019-1-1", 13},
           {"published = 2019-00", 13},
           {"cost = 3", 8},
           {"origin = x", 10},
           {"origin:nothing", 8},
           {"chapters = x", 1},
           {"chapters.pages = 5", 1},
           {"tags = sea", 1},
           {"tags != sea", 1},
           {"labels = x", 1},
           {"marks > 3", 1},
           {"caller.subject = x", 1},
           // Not the grammar.
           {"(", 2},
           {")", 1},
           {"()", 2},
           {"a)", 2},
           {"(pages = 1", 11},
           {"pages =", 8},
           {"pages = )", 9},
           {"= 1", 1},
           {"pages == 1", 8},
           {"pages = 1 AND", 14},
           {"pages = 1 OR", 13},
           {"AND", 1},
           {"OR a", 1},
           {"a AND AND b", 7},
           {"NOT", 4},
           {"NOT NOT a", 5},
           {"- a", 2},
           {"pages = AND", 9},
           {"\"open", 1},
           {"title = 'open", 9},
           {"title = \"a\\b\"", 11},
           {"title = \"a\"b", 12},
           {"a,b", 2},
           {"it's", 3},
           {"\"\"", 1},
           {"title = http://x", 13},
           {"timestamp(\"x\") = lent_time", 1},
           {"lent_time = timestamp(\"x\", \"y\")", 26},
           {"(pages = 1)(lent = true)", 12},
           {"title = (owner = x)", 16},
           {"\"title\" = x", 1},
           {"a. = b", 4},
           {"pages. = 1", 8},
       }) {
    EXPECT_EQ(ErrorAt(c.filter), c.position) << c.filter;
  }
}

TEST(Filter, LimitsOfLengthDepthAndTerms) {
  EXPECT_EQ(ErrorAt(std::string(2000, 'a')), 0);
  EXPECT_EQ(ErrorAt(std::string(2001, 'a')), 2002);
  std::string wide;
  for (int i = 0; i < 2000; ++i) wide += "ü";
  EXPECT_EQ(ErrorAt(wide), 0);
  const auto nested = [](size_t depth) {
    return absl::StrCat(std::string(depth, '('), "a", std::string(depth, ')'));
  };
  EXPECT_EQ(ErrorAt(nested(32)), 0);
  EXPECT_EQ(ErrorAt(nested(33)), 33);
  EXPECT_EQ(ErrorAt(nested(900)), 33);
  std::string terms = "lent:*";
  for (int i = 1; i < 100; ++i) terms += " lent:*";
  EXPECT_EQ(ErrorAt(terms), 0);
  EXPECT_EQ(ErrorAt(terms + " lent:*"), 701);
  std::string values = "tags:(a";
  for (int i = 0; i < 120; ++i) values += " OR b";
  EXPECT_NE(ErrorAt(values + ")"), 0);
}

TEST(Filter, FewTermsMaySearchThroughText) {
  // Words, and values with something between wildcards; others only compare.
  std::string words = "a title = b* title = *c title = * tags:d*e";
  for (int i = 1; i < 9; ++i) absl::StrAppend(&words, " OR \"b*", i, "\"");
  EXPECT_EQ(ErrorAt(words), 0);
  const int next = static_cast<int>(words.size()) + 2;
  EXPECT_EQ(ErrorAt(words + " title = *c"), 0);
  EXPECT_EQ(ErrorAt(words + " title = *c*"), 0);
  EXPECT_EQ(ErrorAt(words + " title = *c* d"), next + 12);
  EXPECT_EQ(ErrorAt(words + " tags:(*c* OR *d*)"), next + 13);
  EXPECT_EQ(ErrorAt(words + " c d"), next + 2);
}

TEST(Filter, AWordIsFoundWithinOneText) {
  Book book;
  book.set_title("Alpha Beta");
  book.set_remark("gamma");
  book.add_tags("delta");
  EXPECT_TRUE(Matches("alpha beta gamma delta", book));
  EXPECT_TRUE(Matches("\"al*ta\" AND \"gam*a\" AND NOT omega", book));
  EXPECT_TRUE(Matches("\"a*b*a\" OR omega", book));
  EXPECT_FALSE(Matches("\"beta*gamma\"", book));
  EXPECT_FALSE(Matches("\"beta*alpha\"", book));
  EXPECT_FALSE(Matches("betagamma", book));
  EXPECT_FALSE(Matches(std::string("\"beta\0gamma\"", 12), book));
  EXPECT_TRUE(Matches("*", book));
  EXPECT_FALSE(Matches("*", Book()));
}

TEST(Filter, TextThatIsNoUtf8IsRefused) {
  EXPECT_EQ(ErrorAt("title = \xC3"), 1);
  EXPECT_EQ(ErrorAt("\xFF"), 1);
  EXPECT_EQ(ErrorAt("title = \xED\xA0\x80"), 1);
}

TEST(Filter, HiddenFieldsAreUnknownAndNotSearched) {
  const auto* type = Book::descriptor();
  const fields::FieldAccess access(
      {{type->FindFieldByName("owner")},
       {type->FindFieldByName("origin"),
        library::v1::Book::Origin::descriptor()->FindFieldByName("city")}});
  EXPECT_EQ(ErrorAt("owner = x", access), 1);
  EXPECT_EQ(ErrorAt("origin.city = x", access), 8);
  EXPECT_EQ(ErrorAt("origin:city", access), 8);
  EXPECT_EQ(ErrorAt("origin.publisher = x", access), 0);
  // The message of an unknown field does not tell that it is hidden.
  EXPECT_EQ(
      std::string(Filter::Parse("owner = x", *type, access).status().message()),
      "filter: at character 1: Book has no field \"owner\"");
  for (const char* word : {"ishmael", "zürich"}) {
    auto filter = Filter::Parse(word, *type, access);
    ASSERT_TRUE(filter.ok());
    EXPECT_FALSE((*filter)->Matches(Sample())) << word;
  }
}

TEST(Filter, QuotesAndEscapes) {
  Book book;
  book.set_title("a \"quoted\" it's 100% \\ * star");
  EXPECT_TRUE(
      Matches("title = \"a \\\"quoted\\\" it's 100% \\\\ \\* star\"", book));
  EXPECT_TRUE(Matches("title = 'a \"quoted\" it\\'s 100% \\\\ * star'", book));
  EXPECT_TRUE(Matches("title = \"*\\* star\"", book));
  EXPECT_FALSE(Matches("title = \"*\\*star\"", book));
  EXPECT_TRUE(Matches("title = \"a*\" AND title:\"*star\"", book));
  book.set_title("AND");
  EXPECT_TRUE(Matches("title = \"AND\"", book));
  EXPECT_TRUE(Matches("ANDy OR \"and\"", book));
}

TEST(Filter, WildcardPiecesDoNotOverlap) {
  Book book;
  book.set_title("aba");
  EXPECT_TRUE(Matches("title = \"a*a\"", book));
  EXPECT_FALSE(Matches("title = \"ab*ba\"", book));
  EXPECT_TRUE(Matches("title = \"**a**\"", book));
  book.set_title("a");
  EXPECT_FALSE(Matches("title = \"a*a\"", book));
}

TEST(Filter, WordsFoldCaseAsUnicodeDoes) {
  Book book;
  book.set_title("Große ΑΘΗΝΑΣ İstanbul");
  EXPECT_TRUE(Matches("GROSSE", book));
  EXPECT_TRUE(Matches("grosse", book));
  EXPECT_TRUE(Matches("αθηνας", book));
}

TEST(Filter, MessagesNestedDeeperThanAPathAreSearchedToEight) {
  Book book;
  auto* chapter = book.add_chapters();
  for (int i = 0; i < 5; ++i) chapter = chapter->add_parts();
  chapter->set_heading("deep");
  EXPECT_TRUE(Matches("deep", book));
  for (int i = 0; i < 5; ++i) chapter = chapter->add_parts();
  chapter->set_heading("abyss");
  EXPECT_FALSE(Matches("abyss", book));
}

}  // namespace
}  // namespace transparency::query
