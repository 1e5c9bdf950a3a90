#include "gateway/rest/query.h"

#include "absl/strings/str_cat.h"
#include "gateway/json/tests/library.pb.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace transparency::gateway::rest {
namespace {

using library::v1::ListBooksRequest;
using testing::HasSubstr;

class QueryTest : public testing::Test {
 protected:
  QueryTest() {
    table_ = std::make_unique<RouteTable>(*RouteTable::Build(
        {library::v1::Book::descriptor()->file()->service(0)}, &types_));
  }

  // The violations, "field: description" joined by "; ".
  std::string Read(absl::string_view method, absl::string_view path,
                   absl::string_view query, google::protobuf::Message* into) {
    const RouteMatch match = table_->Find(method, path);
    status::Violations violations;
    ReadQuery(query, *match.route, into, &mask_, &violations);
    google::rpc::BadRequest bad;
    status::FindDetail(violations.ToStatus(), &bad);
    std::string all;
    for (const auto& violation : bad.field_violations()) {
      absl::StrAppend(&all, all.empty() ? "" : "; ", violation.field(), ": ",
                      violation.description());
    }
    return all;
  }

  std::string ReadList(absl::string_view query) {
    request_.Clear();
    mask_.clear();
    return Read("GET", "/library/v1/shelves/1/books", query, &request_);
  }

  MessageTypes types_;
  std::unique_ptr<RouteTable> table_;
  ListBooksRequest request_;
  std::string mask_;
};

TEST_F(QueryTest, ReadsEveryKindOfField) {
  const std::pair<const char*, const char*> rows[] = {
      {"", ""},
      {"&&", ""},
      {"pageSize=10&page_token=a%26b", "page_size: 10 page_token: \"a&b\""},
      {"pageToken=a+b%2Bc", "page_token: \"a b+c\""},
      {"pageToken", ""},
      {"genres=NOVEL&genres=2", "genres: [NOVEL, POETRY]"},
      {"available=false", "available { value: false }"},
      {"window.from=2019-12-31T00:00:00Z",
       "window { from { seconds: 1577750400 } }"},
      {"window.length=1.5s&window.days=1&window.days=2",
       "window { length { seconds: 1 nanos: 500000000 } days: [1, 2] }"},
      {"window.from.seconds=5", "window { from { seconds: 5 } }"},
      {"asOf=2019-12-31", "as_of { year: 2019 month: 12 day: 31 }"},
      {"asOf=2019-12", "as_of { year: 2019 month: 12 }"},
      {"as_of=2019", "as_of { year: 2019 }"},
      {"as_of.year=2019&asOf.month=2", "as_of { year: 2019 month: 2 }"},
      {"readerNumber=9007199254740993", "reader_number: 9007199254740993"},
  };
  for (const auto& [query, text] : rows) {
    EXPECT_EQ(ReadList(query), "") << query;
    ListBooksRequest expected;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &expected));
    EXPECT_EQ(request_.ShortDebugString(), expected.ShortDebugString())
        << query;
  }
}

TEST_F(QueryTest, RefusesByNameWhatItCannotTake) {
  const std::pair<const char*, const char*> rows[] = {
      {"nope=1", "nope: no such query parameter; expected pageSize, pageToken"},
      {"pagesize=1", "pagesize: no such query parameter"},
      {"window.nope=1", "window.nope: no such query parameter"},
      {"pageSize.x=1", "pageSize.x: no such query parameter"},
      {".pageSize=1", ".pageSize: no such query parameter"},
      {"window..from=1", "window..from: no such query parameter"},
      {"parent=shelves/2", "parent: no such query parameter: the path carries"},
      {"pageSize=1&pageSize=2", "pageSize: given more than once"},
      {"page_size=1&pageSize=1", "pageSize: given more than once"},
      {"pageSize=x", "pageSize: expected a whole number"},
      {"pageSize=", "pageSize: expected a whole number"},
      {"pageSize=1e99", "pageSize: expected a whole number"},
      {"pageSize=99999999999", "pageSize: expected a whole number"},
      {"available=1", "available: expected true or false, not \"1\""},
      {"genres=THRILLER", "genres: expected one of GENRE_UNSPECIFIED, NOVEL"},
      {"asOf=2019-02-30", "asOf: expected a date such as 2019-12-31"},
      {"asOf=31.12.2019", "asOf: expected a date"},
      {"asOf=2019-1-1", "asOf: expected a date"},
      {"asOf=", "asOf: expected a date"},
      {"asOf=0000", "asOf: expected a date"},
      {"window.length=1h", "window.length: expected a duration"},
      {"window.from=yesterday", "window.from: expected a time"},
      {"window=x", "window: name a field inside it"},
      {"authors=x", "authors: no query parameter can carry this field"},
      {"authors.givenName=x", "authors.givenName: no such query parameter"},
      {"readerName=a&readerNumber=1", "readerNumber: readerName is given too"},
      {"pageToken=%FF", "pageToken: expected UTF-8"},
      {"pageToken=%2", "pageToken: expected UTF-8"},
      {"%zz=1", "%zz: no name of a query parameter"},
      {"=1", ": no name of a query parameter"},
      {"$fields=a&$fields=b", "$fields: given more than once"},
  };
  for (const auto& [query, wrong] : rows) {
    EXPECT_THAT(ReadList(query), testing::StartsWith(wrong)) << query;
  }
}

TEST_F(QueryTest, ListsAllThatIsWrong) {
  const std::string wrong = ReadList("nope=1&pageSize=x&asOf=y");
  EXPECT_THAT(wrong, HasSubstr("nope:"));
  EXPECT_THAT(wrong, HasSubstr("; pageSize:"));
  EXPECT_THAT(wrong, HasSubstr("; asOf:"));
}

TEST_F(QueryTest, TakesAMaskForTheAnswer) {
  EXPECT_EQ(ReadList("$fields=books.title,nextPageToken"), "");
  EXPECT_EQ(mask_, "books.title,nextPageToken");
  EXPECT_EQ(ReadList("fields=books"), "");
  EXPECT_EQ(mask_, "books");
}

TEST_F(QueryTest, LeavesToTheBodyWhatIsTheBodys) {
  library::v1::LendBookRequest lend;
  EXPECT_THAT(
      Read("POST", "/library/v1/shelves/1/books/2:lend", "reader=x", &lend),
      HasSubstr("reader: no such query parameter: the body carries"));
  library::v1::CreateBookRequest create;
  EXPECT_THAT(
      Read("POST", "/library/v1/shelves/1/books", "book.title=x", &create),
      HasSubstr("book.title: no such query parameter: it is the field"));
  EXPECT_EQ(Read("POST", "/library/v1/shelves/1/books", "requestId=x", &create),
            "");
}

}  // namespace
}  // namespace transparency::gateway::rest
