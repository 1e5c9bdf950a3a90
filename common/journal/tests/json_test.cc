#include "common/journal/json.h"

#include <cstring>
#include <string>

#include "common/journal/tests/workshop.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"

namespace transparency::journal {
namespace {

using google::protobuf::util::JsonStringToMessage;
using google::protobuf::util::MessageToJsonString;

std::string Canonical(const std::string& json) {
  google::protobuf::Value value;
  const auto status = JsonStringToMessage(json, &value);
  EXPECT_TRUE(status.ok()) << status.message().as_string();
  return CanonicalJson(value);
}

TEST(CanonicalJson, Rfc8785Section3Example) {
  EXPECT_EQ(
      Canonical(R"({
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3,
                    0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
      })"),
      "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4."
      "5,"
      "0.002,1e-27],\"string\":\"\u20ac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}

TEST(CanonicalJson, Rfc8785OrderOfKeys) {
  EXPECT_EQ(Canonical(R"({
        "\u20ac": "Euro Sign", "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
        "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis"})"),
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\","
            "\"\xc2\x80\":\"Control\","
            "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\","
            "\"\xe2\x82\xac\":\"Euro Sign\","
            "\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\","
            "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

TEST(CanonicalJson, Rfc8785AppendixBNumbers) {
  const struct {
    uint64_t bits;
    const char* text;
  } cases[] = {
      {0x0000000000000000, "0"},
      {0x8000000000000000, "0"},
      {0x0000000000000001, "5e-324"},
      {0x8000000000000001, "-5e-324"},
      {0x7fefffffffffffff, "1.7976931348623157e+308"},
      {0xffefffffffffffff, "-1.7976931348623157e+308"},
      {0x4340000000000000, "9007199254740992"},
      {0xc340000000000000, "-9007199254740992"},
      {0x4430000000000000, "295147905179352830000"},
      {0x44b52d02c7e14af5, "9.999999999999997e+22"},
      {0x44b52d02c7e14af6, "1e+23"},
      {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
      {0x444b1ae4d6e2ef4e, "999999999999999700000"},
      {0x444b1ae4d6e2ef4f, "999999999999999900000"},
      {0x444b1ae4d6e2ef50, "1e+21"},
      {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
      {0x3eb0c6f7a0b5ed8d, "0.000001"},
      {0x41b3de4355555553, "333333333.3333332"},
      {0x41b3de4355555554, "333333333.33333325"},
      {0x41b3de4355555555, "333333333.3333333"},
      {0x41b3de4355555556, "333333333.3333334"},
      {0x41b3de4355555557, "333333333.33333343"},
      {0xbecbf647612f3696, "-0.0000033333333333333333"},
      {0x43143ff3c1cb0959, "1424953923781206.2"},
  };
  for (const auto& c : cases) {
    double number;
    std::memcpy(&number, &c.bits, sizeof(number));
    google::protobuf::Value value;
    value.set_number_value(number);
    EXPECT_EQ(CanonicalJson(value), c.text);
  }
}

test::Shapes Everything() {
  test::Shapes shapes;
  shapes.set_small(-7);
  shapes.set_large(18446744073709551615u);
  shapes.set_real(0.1);
  shapes.set_single(0.1f);
  shapes.set_flag(true);
  shapes.set_raw(std::string("\0\xff\xfe", 3));
  shapes.set_colour(test::Widget::RED);
  shapes.mutable_instant()->set_seconds(1700000000);
  shapes.mutable_instant()->set_nanos(120000000);
  shapes.mutable_length()->set_seconds(-3);
  shapes.mutable_length()->set_nanos(-500000000);
  shapes.mutable_mask()->add_paths("made_on.year");
  shapes.mutable_wrapped()->set_value(5);
  (*shapes.mutable_by_text())["b"] = 2;
  (*shapes.mutable_by_text())["a\n"] = 1;
  (*shapes.mutable_by_number())[10] = "x";
  (*shapes.mutable_by_number())[9] = "y";
  shapes.add_reals(1e21);
  shapes.add_reals(-0.0);
  shapes.add_colours(test::Widget::BLUE);
  shapes.add_colours(static_cast<test::Widget::Colour>(77));
  shapes.add_larges(-1);
  google::protobuf::Value null;
  null.set_null_value(google::protobuf::NULL_VALUE);
  (*shapes.mutable_any()->mutable_struct_value()->mutable_fields())["k"] = null;
  shapes.mutable_inner()->set_a_b("é");
  shapes.set_maybe(0);
  shapes.mutable_day()->set_year(2020);
  return shapes;
}

TEST(CanonicalJson, SaysWhatProtobufsOwnJsonSays) {
  const test::Shapes shapes = Everything();
  std::string json;
  ASSERT_TRUE(MessageToJsonString(shapes, &json).ok());
  EXPECT_EQ(CanonicalJson(shapes), Canonical(json));
  EXPECT_NE(CanonicalJson(shapes).find("\"aB\":\"é\""), std::string::npos);
}

std::string Column(const google::protobuf::Message& message,
                   const std::string& field) {
  std::string json;
  AppendColumnJson(message, message.GetDescriptor()->FindFieldByName(field),
                   &json);
  return json;
}

TEST(ColumnJson, SuitsPostgresqlTypes) {
  test::Shapes shapes = Everything();
  EXPECT_EQ(Column(shapes, "large"), "18446744073709551615");
  EXPECT_EQ(Column(shapes, "raw"), "\"\\\\x00fffe\"");
  EXPECT_EQ(Column(shapes, "colour"), "\"RED\"");
  EXPECT_EQ(Column(shapes, "instant"), "\"2023-11-14T22:13:20.120Z\"");
  EXPECT_EQ(Column(shapes, "inner"), "{\"a_b\":\"é\"}");
  EXPECT_EQ(Column(shapes, "day"), "null");
  shapes.mutable_day()->set_month(3);
  shapes.mutable_day()->set_day(1);
  EXPECT_EQ(Column(shapes, "day"), "\"2020-03-01\"");
}

TEST(ColumnJson, IsNullWhereThereIsNothing) {
  const test::Shapes nothing;
  for (const char* field : {"a_b", "colour", "instant", "maybe", "day"}) {
    EXPECT_EQ(Column(nothing, field), "null") << field;
  }
  EXPECT_EQ(Column(nothing, "small"), "0");
  EXPECT_EQ(Column(nothing, "flag"), "false");
  EXPECT_EQ(Column(nothing, "reals"), "[]");
  EXPECT_EQ(Column(Everything(), "maybe"), "0");
}

}  // namespace
}  // namespace transparency::journal
