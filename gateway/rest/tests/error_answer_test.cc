#include "gateway/rest/error_answer.h"

#include "gateway/json/tests/library.pb.h"
#include "gtest/gtest.h"

namespace transparency::gateway::rest {
namespace {

TEST(ErrorAnswerTest, TurnsFieldPathsIntoJsonNames) {
  const auto& request = *library::v1::UpdateBookRequest::descriptor();
  const auto& everything = *library::v1::Everything::descriptor();
  EXPECT_EQ(JsonFieldPath("book.page_count", request), "book.pageCount");
  EXPECT_EQ(JsonFieldPath("book.authors[3].given_name", request),
            "book.authors[3].givenName");
  EXPECT_EQ(JsonFieldPath("book.labels[\"a_b.c]\"]", request),
            "book.labels[\"a_b.c]\"]");
  EXPECT_EQ(JsonFieldPath("people[\"1\"].given_name", everything),
            "people[\"1\"].givenName");
  EXPECT_EQ(JsonFieldPath("renamed", everything), "otherName");
  EXPECT_EQ(JsonFieldPath("no_such.field_path", request), "no_such.field_path");
  EXPECT_EQ(JsonFieldPath("book.no_such[0", request), "book.no_such[0");
  EXPECT_EQ(JsonFieldPath("book.authors[", request), "book.authors[");
  EXPECT_EQ(JsonFieldPath("", request), "");
}

}  // namespace
}  // namespace transparency::gateway::rest
