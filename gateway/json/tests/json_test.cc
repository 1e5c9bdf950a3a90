#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "gateway/json/field_text.h"
#include "gateway/json/json_reader.h"
#include "gateway/json/json_writer.h"
#include "gateway/json/tests/library.pb.h"
#include "gmock/gmock.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/util/json_util.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace transparency::gateway::json {
namespace {

using google::protobuf::Message;
using library::v1::Book;
using library::v1::Everything;
using testing::ElementsAre;
using testing::HasSubstr;

std::string Written(const Message& message) {
  static JsonWriter* writer = new JsonWriter();
  std::string json;
  writer->Write(message, &json);
  return json;
}

absl::Status Read(absl::string_view json, Message* message) {
  return ReadJson(json, {}, message);
}

// By bytes, since NaN is not equal to itself; maps in the order of their keys.
std::string Bytes(const Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

// "path: description" of each violation.
std::vector<std::string> Wrong(const absl::Status& status) {
  google::rpc::BadRequest bad;
  status::FindDetail(status, &bad);
  std::vector<std::string> wrong;
  for (const auto& violation : bad.field_violations()) {
    wrong.push_back(
        absl::StrCat(violation.field(), ": ", violation.description()));
  }
  return wrong;
}

// JSON texts that both we and protobuf's own reader take.
const char* const kGoodTexts[] = {
    "{}",
    " \t\r\n{ } \n",
    R"({"doubleValue":1.5,"floatValue":-0.25,"int32Value":-7})",
    R"({"double_value":1e300,"float_value":3,"int32_value":1e2})",
    R"({"doubleValue":"NaN","floatValue":"-Infinity"})",
    R"({"doubleValue":"1.5","int32Value":"12","uint32Value":"4294967295"})",
    R"({"int64Value":"-9223372036854775808","uint64Value":"18446744073709551615"})",
    R"({"int64Value":9007199254740993,"uint64Value":0})",
    R"({"int32Value":2147483647})",
    R"({"int32Value":1.0})",
    R"({"boolValue":true,"text":"a\"b\\c\/d\b\f\n\r\t"})",
    R"({"text":"\u00e9\u20ac\ud83d\ude00\u0000"})",
    "{\"text\":\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"}",
    R"({"data":"AAEC/+8="})",
    R"({"data":"_-8"})",
    R"({"genre":"NOVEL","genres":["POETRY",1,"GENRE_UNSPECIFIED",99]})",
    R"({"child":{"child":{"text":"deep"}},"children":[{},{"text":"x"}]})",
    R"({"numbers":["1",2,"-3"],"texts":[],"switches":[true,false]})",
    R"({"reals":[0,-1.0,1.25,"Infinity"],"blobs":["","AA=="]})",
    R"({"counts":{"b":"2","a":1},"people":{"7":{"givenName":"x"},"-1":{}}})",
    R"({"flags":{"true":"NOVEL","false":"POETRY"}})",
    R"({"time":"2019-12-31T23:59:59.123456789Z"})",
    R"({"time":"2019-12-31T23:59:59+02:00"})",
    R"({"time":"0001-01-01T00:00:00Z","times":["9999-12-31T23:59:59.5Z"]})",
    R"({"duration":"1.5s"})",
    R"({"duration":"-0.000000001s"})",
    R"({"duration":"315576000000s"})",
    R"({"mask":"pageCount,authors.givenName"})",
    R"({"object":{"a":1,"b":"x","c":null,"d":[true,{}],"e":{"f":1.5}}})",
    R"({"value":null})",
    R"({"value":[1,"x",null]})",
    R"({"value":{"a":false}})",
    R"({"list":[1,[2,[3]],{}]})",
    R"({"values":[1,null,"x"]})",
    R"({"doubleWrapper":0,"floatWrapper":1,"int64Wrapper":"0"})",
    R"({"uint64Wrapper":"5","int32Wrapper":-1,"uint32Wrapper":3})",
    R"({"boolWrapper":false,"textWrapper":"","dataWrapper":"AA=="})",
    R"({"doubleWrapper":null,"text":null,"child":null,"numbers":null})",
    R"({"optionalNumber":0})",
    R"({"otherName":"x"})",
    R"({"renamed":"x"})",
    R"({"date":{"year":2019,"month":12,"day":31}})",
    R"({"choiceText":""})",
    R"({"choiceAuthor":{"familyName":"x"}})",
    R"({"nothing":null})",
    R"({"any":{"@type":"type.googleapis.com/google.type.Date","year":2019}})",
    R"({"any":{"year":2019,"@type":"type.googleapis.com/google.type.Date"}})",
};

TEST(JsonTest, ReadsWhatProtobufReadsAlike) {
  for (const char* text : kGoodTexts) {
    Everything ours, theirs;
    const absl::Status status = Read(text, &ours);
    EXPECT_TRUE(status.ok()) << text << "\n" << status;
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(text, &theirs).ok())
        << text;
    EXPECT_EQ(Bytes(ours), Bytes(theirs)) << text << "\n"
                                          << ours.DebugString() << "\n"
                                          << theirs.DebugString();
  }
}

TEST(JsonTest, WritesWhatProtobufReadsBackAlike) {
  for (const char* text : kGoodTexts) {
    Everything message, back;
    ASSERT_TRUE(Read(text, &message).ok()) << text;
    const std::string json = Written(message);
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json, &back).ok())
        << json;
    EXPECT_EQ(Bytes(message), Bytes(back)) << json;
    Everything again;
    ASSERT_TRUE(Read(json, &again).ok()) << json;
    EXPECT_EQ(Written(again), json);
  }
}

TEST(JsonTest, WritesTheSameBytesAsProtobuf) {
  // Less what is ordered by a hash there, or escaped for HTML.
  for (const char* text : kGoodTexts) {
    Everything message;
    ASSERT_TRUE(Read(text, &message).ok()) << text;
    if (message.counts_size() > 1 || message.people_size() > 1 ||
        message.flags_size() > 1 || message.has_object()) {
      continue;
    }
    std::string theirs;
    ASSERT_TRUE(
        google::protobuf::util::MessageToJsonString(message, &theirs).ok());
    EXPECT_EQ(Written(message), theirs);
  }
}

TEST(JsonTest, WritesMapsInTheOrderOfTheirKeys) {
  Everything message;
  for (int i = 0; i < 50; ++i) {
    (*message.mutable_counts())[absl::StrCat("k", 99 - i)] = i;
  }
  const std::string json = Written(message);
  size_t last = 0;
  for (int i = 50; i < 100; ++i) {
    const size_t at = json.find(absl::StrCat("\"k", i, "\""));
    ASSERT_NE(at, std::string::npos);
    EXPECT_GT(at, last);
    last = at;
  }
}

TEST(JsonTest, WritesAnyOfAnUnknownTypeInBase64) {
  Everything message;
  message.mutable_any()->set_type_url("type.googleapis.com/no.such.Type");
  message.mutable_any()->set_value("\x01\x02");
  EXPECT_EQ(Written(message),
            R"({"any":{"@type":"type.googleapis.com/no.such.Type",)"
            R"("value":"AQI="}})");
}

TEST(JsonTest, WritesAnyInAnyToABoundedDepth) {
  google::protobuf::Any any;
  any.set_type_url("type.googleapis.com/no.such.Type");
  for (int i = 0; i < 20'000; ++i) {
    google::protobuf::Any outer;
    outer.PackFrom(any);
    any.Swap(&outer);
    if (any.value().size() > 600'000) break;
  }
  Everything message;
  *message.mutable_any() = any;
  EXPECT_THAT(Written(message), HasSubstr("\"value\":\""));
}

struct BadText {
  const char* json;
  const char* wrong;  // "path: part of the description"
};

const BadText kBadTexts[] = {
    // Syntax.
    {"", "body: it is empty"},
    {"  \n", "body: it is empty"},
    {"{", "body: expected a string in double quotes, but the body ends here"},
    {"}", "body: expected a value"},
    {"{\"text\"}", "body: expected ':' after the name"},
    {"{\"text\":}", "body: expected a value"},
    {"{\"text\":\"x\",}", "body: expected a string in double quotes"},
    {"{\"text\":\"x\"", "body: expected ',' or '}', but the body ends here"},
    {"{\"text\":\"x\"}}", "body: expected nothing after the value"},
    {"{\"text\":\"x\"} {}", "body: expected nothing after the value"},
    {"{}x", "body: expected nothing after the value (line 1, column 3)"},
    {"{text:1}", "body: expected a string in double quotes"},
    {"{'text':'x'}", "body: expected a string in double quotes"},
    {"{\"text\":\"x}", "body: a string is not closed"},
    {"{\"text\":\"\n\"}", "body: control characters in a string"},
    {"{\"text\":\"\\x\"}", "body: no such escape"},
    {"{\"text\":\"\\u12\"}", "body: \\u takes four"},
    {"{\"text\":\"\\ud800\"}", "body: a high surrogate"},
    {"{\"text\":\"\\ud800\\u0041\"}", "body: a high surrogate"},
    {"{\"text\":\"\\udc00\"}", "body: a low surrogate"},
    {"{\"text\":\"\\", "body: an escape is not complete"},
    {"{\"text\":tru}", "body: expected a value"},
    {"{\"boolValue\":tru}", "body: expected a value"},
    {"{\"boolValue\":truex}", "body: expected a value"},
    {"{\"int32Value\":01}", "body: a number does not begin with 0"},
    {"{\"int32Value\":1.}", "body: expected a digit"},
    {"{\"int32Value\":1e}", "body: expected a digit"},
    {"{\"int32Value\":-}", "body: expected a value"},
    {"{\"int32Value\":+1}", "body: expected a value"},
    {"{\"doubleValue\":NaN}", "body: expected a value"},
    {"{\"numbers\":[1,]}", "body: expected a value"},
    {"{\"numbers\":[1 2]}", "body: expected ',' or ']'"},
    {"{/**/}", "body: expected a string in double quotes"},
    {"\xEF\xBB\xBF{}", "body: it begins with a byte order mark"},
    {"{\"text\":\"\xFF\"}", "body: byte 9 is not valid UTF-8"},
    {"{\"text\":\"\xC0\x80\"}", "body: byte 9 is not valid UTF-8"},
    {"{\"text\":\"\xED\xA0\x80\"}", "body: byte 9 is not valid UTF-8"},
    {"{\"text\":\"\xF4\x90\x80\x80\"}", "body: byte 9 is not valid UTF-8"},
    {"\xFF\xFE{\0}\0", "body: byte 0 is not valid UTF-8"},
    // Wrong top-level types.
    {"[]", ": expected an object"},
    {"\"x\"", ": expected an object"},
    {"1", ": expected an object"},
    {"null", ": expected an object"},
    {"true", ": expected an object"},
    // Unknown and repeated names.
    {"{\"nope\":1}",
     "nope: no such field in "
     "transparency.gateway.library.v1.Everything"},
    {"{\"\":1}", ": no such field"},
    {"{\"child\":{\"nope\":{\"a\":[1]}}}", "child.nope: no such field"},
    {"{\"children\":[{},{\"nope\":1}]}", "children[1].nope: no such field"},
    {"{\"text\":\"x\",\"text\":\"y\"}", "text: given more than once"},
    {"{\"int32Value\":1,\"int32_value\":1}",
     "int32_value: given more than once"},
    {"{\"counts\":{\"a\":1,\"a\":2}}", "counts[\"a\"]: given more than once"},
    {"{\"choiceText\":\"x\",\"choiceAuthor\":{}}",
     "choice_author: another field of choice is given too"},
    {"{\"@type\":\"x\"}", "@type: no such field"},
    // Wrong types and ranges.
    {"{\"text\":1}", "text: expected text"},
    {"{\"text\":{}}", "text: expected text"},
    {"{\"texts\":\"x\"}", "texts: expected an array"},
    {"{\"texts\":[null]}", "texts[0]: expected text"},
    {"{\"texts\":[[\"x\"]]}", "texts[0]: expected text"},
    {"{\"child\":[]}", "child: expected an object"},
    {"{\"child\":\"x\"}", "child: expected an object"},
    {"{\"counts\":[]}", "counts: expected an object"},
    {"{\"people\":{\"x\":{}}}",
     "people[\"x\"]: expected as key a whole number"},
    {"{\"flags\":{\"1\":\"NOVEL\"}}", "flags[\"1\"]: expected as key true or"},
    {"{\"counts\":{\"a\":null}}", "counts[\"a\"]: expected a whole number"},
    {"{\"boolValue\":\"true\"}", "bool_value: expected true or false"},
    {"{\"boolValue\":1}", "bool_value: expected true or false"},
    {"{\"int32Value\":2147483648}",
     "int32_value: expected a whole number from "
     "-2147483648 to 2147483647, not 2147483648"},
    {"{\"int32Value\":1.5}", "int32_value: expected a whole number"},
    {"{\"int32Value\":\" 1\"}", "int32_value: expected a whole number"},
    {"{\"int32Value\":\"\"}", "int32_value: expected a whole number"},
    {"{\"int32Value\":true}", "int32_value: expected a whole number"},
    {"{\"uint32Value\":-1}", "uint32_value: expected a whole number"},
    {"{\"int64Value\":9223372036854775808}", "int64_value: expected"},
    {"{\"uint64Value\":\"18446744073709551616\"}", "uint64_value: expected"},
    {"{\"doubleValue\":1e999}", "double_value: expected a number"},
    {"{\"doubleValue\":\"inf\"}", "double_value: expected a number"},
    {"{\"doubleValue\":\"0x10\"}", "double_value: expected a number"},
    {"{\"floatValue\":1e39}", "float_value: expected a number"},
    {"{\"data\":\"a b=\"}", "data: expected base64"},
    {"{\"data\":\"+_\"}", "data: expected base64"},
    {"{\"data\":\"A\"}", "data: expected base64"},
    {"{\"genre\":\"THRILLER\"}",
     "genre: expected one of GENRE_UNSPECIFIED, "
     "NOVEL, POETRY, not THRILLER"},
    {"{\"genre\":\"1\"}", "genre: expected one of"},
    {"{\"genre\":1.5}", "genre: expected one of"},
    {"{\"genre\":true}", "genre: expected one of"},
    {"{\"time\":\"2019-12-31\"}", "time: expected a time as in RFC 3339"},
    {"{\"time\":\"2019-02-30T00:00:00Z\"}", "time: expected a time"},
    {"{\"time\":\"infinite-future\"}", "time: expected a time"},
    {"{\"time\":1577836799}", "time: expected a time"},
    {"{\"time\":\"10000-01-01T00:00:00Z\"}", "time: expected a time"},
    {"{\"duration\":\"1\"}", "duration: expected a duration"},
    {"{\"duration\":\"1.0000000001s\"}", "duration: expected a duration"},
    {"{\"duration\":\"--1s\"}", "duration: expected a duration"},
    {"{\"duration\":\"315576000001s\"}", "duration: expected a duration"},
    {"{\"mask\":[\"a\"]}", "mask: expected field paths"},
    {"{\"mask\":\"_D\"}", "mask: expected field paths"},
    {"{\"mask\":\"a,b__c\"}", "mask: expected field paths"},
    {"{\"mask\":\"page_Count\"}", "mask: expected field paths"},
    {"{\"date\":\"2019-12-31\"}", "date: expected an object"},
    {"{\"object\":[]}", "object: expected an object"},
    {"{\"list\":{}}", "list: expected an array"},
    {"{\"any\":{\"year\":1}}", "any: expected an object with \"@type\""},
    {"{\"any\":{\"@type\":\"x/no.such.Type\"}}", "any: expected an object"},
    {"{\"any\":{\"@type\":\"x/google.type.Date\",\"nope\":1}}",
     "any.nope: no such field in google.type.Date"},
    {"{\"int64Wrapper\":\"x\"}", "int64_wrapper: expected a whole number"},
    {"{\"int64Wrapper\":{\"value\":1}}", "int64_wrapper: expected a whole"},
};

TEST(JsonTest, RefusesBadTextNamingTheField) {
  for (const BadText& bad : kBadTexts) {
    Everything message;
    const absl::Status status = Read(bad.json, &message);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad.json;
    const std::vector<std::string> wrong = Wrong(status);
    ASSERT_EQ(wrong.size(), 1u) << bad.json << "\n" << status;
    EXPECT_THAT(wrong[0], testing::StartsWith(bad.wrong)) << bad.json;
  }
}

TEST(JsonTest, ListsAllWrongFieldsAtOnce) {
  Book book;
  const absl::Status status = Read(
      R"({"title":1,"nope":[{"a":"]"}],"authors":[{"given_name":true},{}],)"
      R"("pageCount":"x","genre":"NOVEL"})",
      &book);
  EXPECT_THAT(Wrong(status),
              ElementsAre(HasSubstr("title:"), HasSubstr("nope:"),
                          HasSubstr("authors[0].given_name:"),
                          HasSubstr("page_count:")));
  std::string many = "{";
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&many, "\"x", i, "\":1,");
  many.back() = '}';
  const absl::Status status2 = Read(many, &book);
  EXPECT_EQ(Wrong(status2).size(), 20u);
  EXPECT_THAT(std::string(status2.message()), HasSubstr("999 more"));
}

TEST(JsonTest, CountsWhatIsWrongBeyondWhatItLists) {
  std::string json = "{\"titel\":1";
  for (int i = 0; i < 9'999; ++i) absl::StrAppend(&json, ",\"a", i, "\":{}");
  Book book;
  const absl::Status status = Read(json + "}", &book);
  EXPECT_EQ(Wrong(status).size(), status::kMaxViolations);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(status::FindDetail(status, &info));
  EXPECT_EQ(info.metadata().at("violations"), "10000");
}

TEST(JsonTest, RefusesMoreNamesAndValuesThanItMayRead) {
  // 12 names and values: the object, "authors", the array and 9 in it.
  const auto array = [](const char* element) {
    std::string json = absl::StrCat("{\"authors\":[", element);
    for (int i = 1; i < 9; ++i) absl::StrAppend(&json, ",", element);
    return json + "]}";
  };
  JsonReadOptions options;
  options.max_values = 12;
  for (const char* element : {"{}", "[]", "\"\"", "1", "true"}) {
    Book book;
    EXPECT_NE(status::Reason(ReadJson(array(element), options, &book)),
              "LIMIT_EXCEEDED")
        << element;
  }
  options.max_values = 11;
  for (const char* element : {"{}", "[]", "\"\"", "1", "true"}) {
    Book book;
    const absl::Status status = ReadJson(array(element), options, &book);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status::Reason(status), "LIMIT_EXCEEDED") << element;
    EXPECT_THAT(
        Wrong(status),
        ElementsAre("body: expected at most 11 names and values in all"));
  }
}

TEST(JsonTest, RefusesDeepNestingBeforeItCosts) {
  const std::vector<std::pair<std::string, std::string>> nests = {
      {"{\"child\":", "}"},
      {"{\"children\":[", "]}"},
      {"{\"value\":[", "]}"},
      {"{\"nope\":[", "]}"},
      {"[", "]"},
      {"{\"object\":{\"a\":", "}}"},
      {"{\"any\":", "}"}};
  for (const auto& [open, close] : nests) {
    for (int depth : {65, 100'000}) {
      std::string json;
      for (int i = 0; i < depth; ++i) json += open;
      json += "{}";
      for (int i = 0; i < depth; ++i) json += close;
      Everything message;
      const absl::Status status = Read(json, &message);
      EXPECT_THAT(std::string(status.message()), HasSubstr("nested"))
          << open << depth;
    }
  }
  std::string deep = "{}";
  for (int i = 0; i < 63; ++i) deep = absl::StrCat("{\"child\":", deep, "}");
  Everything message;
  EXPECT_TRUE(Read(deep, &message).ok());
}

TEST(JsonTest, ReadsOneFieldOfAMessage) {
  library::v1::SetTagsRequest request;
  JsonReadOptions options;
  options.field = request.GetDescriptor()->FindFieldByName("tags");
  EXPECT_TRUE(ReadJson("[\"a\"]", options, &request).ok());
  EXPECT_THAT(request.tags(), ElementsAre("a"));
  EXPECT_THAT(Wrong(ReadJson("{}", options, &request)),
              ElementsAre("tags: expected an array"));
}

TEST(JsonTest, SurvivesWhateverComes) {
  std::mt19937 random(17);
  const std::string alphabet = "{}[]\",:\\u0019truefalsn-+.eE \n\xC3\xA9\xFF";
  int read = 0;
  for (const char* text : kGoodTexts) {
    for (int i = 0; i < 400; ++i) {
      std::string json = text;
      const int changes = 1 + static_cast<int>(random() % 3);
      for (int c = 0; c < changes && !json.empty(); ++c) {
        const size_t at = random() % json.size();
        switch (random() % 4) {
          case 0:
            json[at] = alphabet[random() % alphabet.size()];
            break;
          case 1:
            json.erase(at, 1 + random() % 4);
            break;
          case 2:
            json.insert(at, 1, alphabet[random() % alphabet.size()]);
            break;
          default:
            json.insert(at, json.substr(random() % json.size(), random() % 9));
        }
      }
      Everything message;
      const absl::Status status = Read(json, &message);
      if (status.ok()) {
        // What is read can be written, and read again.
        ++read;
        Everything again;
        EXPECT_TRUE(Read(Written(message), &again).ok()) << json;
      } else {
        EXPECT_FALSE(Wrong(status).empty()) << json;
      }
    }
  }
  EXPECT_GT(read, 100);
}

TEST(FieldTextTest, KnowsUtf8) {
  const std::pair<std::string, bool> table[] = {
      {"", true},
      {"plain ASCII of some length", true},
      {"12345678\xC3\xA9", true},
      {"\xC3", false},
      {"\xC1\xBF", false},
      {"\xE0\x9F\xBF", false},
      {"\xE0\xA0\x80", true},
      {"\xED\x9F\xBF", true},
      {"\xED\xA0\x80", false},
      {"\xF0\x8F\xBF\xBF", false},
      {"\xF4\x8F\xBF\xBF", true},
      {"\xF4\x90\x80\x80", false},
      {"\xF5\x80\x80\x80", false},
      {"\x80", false},
      {"1234567\xE2\x82", false}};
  for (const auto& [text, good] : table) {
    EXPECT_EQ(IsUtf8(text), good) << testing::PrintToString(text);
  }
}

}  // namespace
}  // namespace transparency::gateway::json
