// What a caller is told of a filter, an order or a page that cannot be: where,
// and what was expected there.

#include <string>
#include <vector>

#include "common/fields/tests/library.pb.h"
#include "common/query/filter.h"
#include "common/query/order.h"
#include "common/query/page_token.h"
#include "common/status/status.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace transparency::query {
namespace {

using library::v1::Book;

struct Case {
  const char* query;
  const char* told;
};

std::string Told(const absl::Status& status) {
  google::rpc::BadRequest bad;
  EXPECT_TRUE(status::FindDetail(status, &bad));
  EXPECT_EQ(bad.field_violations_size(), 1);
  if (bad.field_violations_size() == 0) return "";
  // The message names the field, and says the same.
  const auto& violation = bad.field_violations(0);
  EXPECT_EQ(violation.field() + ": " + violation.description(),
            std::string(status.message()));
  return violation.description();
}

TEST(FilterMessages, SayWhereAndWhatWasExpected) {
  for (const Case& c : std::vector<Case>{
           // What stands where a comparison should.
           {"AND a",
            "at character 1: expected a comparison or a word, not "
            "`AND a`; a text that is a keyword is quoted"},
           {"a OR",
            "at character 5: expected a comparison or a word, not the "
            "end of the filter"},
           {"(a AND )",
            "at character 8: expected a comparison or a word, not "
            "`)`"},
           {"a  ,b",
            "at character 4: expected a comparison or a word, not "
            "`,b`"},
           {"= 3", "at character 1: expected a field, not `= 3`"},
           {"a OR > 3", "at character 6: expected a field, not `> 3`"},
           {"\"\"",
            "at character 1: expected text to search for between these "
            "quotes"},
           // What stands where a value should.
           {"pages =",
            "at character 8: expected a value, not the end of the "
            "filter"},
           {"pages == 3", "at character 8: expected a value, not `= 3`"},
           {"title = OR",
            "at character 9: expected a value, not `OR`; a text "
            "that is a keyword is quoted"},
           {"state = (OUT OR)", "at character 16: expected a value, not `)`"},
           {"(pages = )", "at character 10: expected a value, not `)`"},
           // Parentheses and quotes.
           {"(a", "at character 3: expected `)`, not the end of the filter"},
           {"a)", "at character 2: no `(` stands before this `)`"},
           {"ü = \"x", "at character 5: this quote is not closed"},
           {"title = a,b",
            "at character 10: unexpected `,b`; a text that holds "
            "it is quoted"},
           {"title = \"\\n\"",
            "at character 10: a backslash comes before \", "
            "', \\ or * only; write \\\\ for one"},
           {"(a)(b)", "at character 4: expected white space before `(b)`"},
           // Fields and their values.
           {"pags = 3", "at character 1: Book has no field \"pags\""},
           {"origin.x = 3", "at character 8: Origin has no field \"x\""},
           {"pages.x = 3", "at character 7: pages is no message"},
           {"pages = many", "at character 9: \"many\" is no whole number"},
           {"floor = -1",
            "at character 9: \"-1\" is no whole number from 0 on"},
           {"price = x", "at character 9: \"x\" is no number"},
           {"lent = 1", "at character 8: \"1\" is no true or false"},
           {"lent < true",
            "at character 8: true and false have no order: use "
            "= or !="},
           {"state = LOST",
            "at character 9: \"LOST\" is no value of State: "
            "expected one of DRAFT, OUT, GONE"},
           {"state > OUT",
            "at character 9: values of State have no order: use "
            "= or !="},
           {"published = 2019-13",
            "at character 13: \"2019-13\" is no date "
            "such as 2019-12-31, 2019-12 or 2019"},
           {"lent_time > now",
            "at character 13: \"now\" is no instant of RFC "
            "3339 such as 2026-01-31T09:00:00Z"},
           {"reading_time > 5",
            "at character 16: \"5\" is no duration such as "
            "90s or 1.5s"},
           {"origin = x",
            "at character 10: origin is a message: name one of "
            "its fields, or use `origin:*`"},
           {"cover = x", "at character 9: cover holds bytes: use `cover:*`"},
           {"tags = x",
            "at character 1: tags is repeated, or stands in a "
            "repeated field: it is compared with `:` alone"},
           {"lent_time = date(\"x\")",
            "at character 13: there is no function "
            "date; there are timestamp and duration"},
           {"pages = timestamp(x)", "at character 9: pages is no timestamp"},
           {"timestamp(x) = 3",
            "at character 1: a function can only stand "
            "right of a comparator"},
       }) {
    const auto filter = Filter::Parse(c.query, *Book::descriptor());
    ASSERT_FALSE(filter.ok()) << c.query;
    EXPECT_EQ(Told(filter.status()), c.told) << c.query;
  }
}

TEST(OrderMessages, SayWhereAndWhatWasExpected) {
  for (const Case& c : std::vector<Case>{
           {",", "at character 1: expected a field"},
           {"title, ", "at character 7: expected a field"},
           {"title desc pages",
            "at character 1: expected a field, then `desc` "
            "or nothing, then a comma"},
           {"title, pages down",
            "at character 14: expected `desc`, not "
            "\"down\""},
           {"ttl", "at character 1: \"ttl\" is no field of Book"},
           {"title, origin.x",
            "at character 8: \"origin.x\" is no field of "
            "Book"},
           {"tags", "at character 1: tags is repeated, and has no order"},
           {"cover", "at character 1: cover holds bytes, which have no order"},
           {"origin",
            "at character 1: origin is a message: name one of its "
            "fields"},
           {"reader",
            "at character 1: reader is personal, and no list is "
            "sorted by it"},
           {"title, pages, floor, state, lent",
            "at character 29: more than 4 "
            "fields"},
       }) {
    const auto order = Order::Parse(c.query, *Book::descriptor());
    ASSERT_FALSE(order.ok()) << c.query;
    EXPECT_EQ(Told(order.status()), c.told) << c.query;
  }
}

TEST(PageMessages, SayWhatWasExpected) {
  EXPECT_EQ(Told(PageSize(-1).status()),
            "is negative: expected 0 for the default, or the most to answer");
  EXPECT_EQ(Told(ReadPageToken({"a"}, "x").status()),
            "is not a token of this list: send the next_page_token of the page "
            "before, with the rest of the request unchanged");
}

}  // namespace
}  // namespace transparency::query
