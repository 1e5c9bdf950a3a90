#include "gateway/openapi/openapi.h"

#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "boost/json/parse.hpp"
#include "boost/json/serialize.hpp"
#include "boost/json/value.hpp"
#include "gateway/http/tests/garden.pb.h"
#include "gateway/http/tests/server_fixture.h"
#include "gmock/gmock.h"

namespace transparency::gateway::http {
namespace {

using boost::json::object;
using boost::json::value;
using testing::ElementsAre;
using testing::HasSubstr;

std::string MakeDocument() {
  // With comments, unlike the generated descriptors.
  std::ifstream file(GARDEN_DESCRIPTORS, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  EXPECT_FALSE(bytes.empty());
  static auto* const types = new rest::MessageTypes();
  auto routes = rest::RouteTable::Build(
      {garden::v1::Plant::descriptor()->file()->service(0)}, types);
  EXPECT_TRUE(routes.ok()) << routes.status();
  openapi::OpenApiOptions options;
  options.version = "7.8.9";
  options.descriptor_set = bytes;
  options.default_call_timeout = absl::Seconds(10);
  options.max_call_timeout = absl::Seconds(60);
  return openapi::OpenApiDocument(routes.value(), options);
}

const std::string& DocumentText() {
  static const auto* const text = new std::string(MakeDocument());
  return *text;
}

const value& Document() {
  static const auto* const document =
      new value(boost::json::parse(DocumentText()));
  return *document;
}

class OpenApiTest : public testing::Test {
 protected:
  // By JSON pointer.
  static const value& At(const std::string& pointer) {
    boost::system::error_code error;
    const value* found = Document().find_pointer(pointer, error);
    EXPECT_NE(found, nullptr) << pointer << " in " << DocumentText();
    static const value* const none = new value();
    return found == nullptr ? *none : *found;
  }
  static std::string Json(const std::string& pointer) {
    return boost::json::serialize(At(pointer));
  }
  static std::string Text(const std::string& pointer) {
    const value& found = At(pointer);
    return found.is_string() ? std::string(found.as_string().c_str()) : "";
  }
  static std::string Schema(const std::string& name) {
    return "/components/schemas/" + name;
  }
  static std::vector<std::string> Keys(const std::string& pointer) {
    std::vector<std::string> keys;
    for (const auto& member : At(pointer).as_object()) {
      keys.emplace_back(member.key());
    }
    return keys;
  }
  // "in:name" of each parameter, "*" behind those that are required; shared
  // ones by their component.
  static std::vector<std::string> Parameters(const std::string& operation) {
    std::vector<std::string> shown;
    for (const value& item : At(operation + "/parameters").as_array()) {
      const object& parameter = item.as_object();
      if (const value* shared = parameter.if_contains("$ref")) {
        const std::string path = shared->as_string().c_str();
        shown.push_back(path.substr(path.rfind('/') + 1));
        continue;
      }
      shown.push_back(absl::StrCat(parameter.at("in").as_string().c_str(), ":",
                                   parameter.at("name").as_string().c_str(),
                                   parameter.contains("required") ? "*" : ""));
    }
    return shown;
  }
};

constexpr char kPlant[] =
    "/paths/~1garden~1v1~1flower_beds~1{flowerBed}~1plants~1{plant}";

TEST_F(OpenApiTest, IsTheSameEachTime) {
  EXPECT_EQ(MakeDocument(), DocumentText());
}

TEST_F(OpenApiTest, SaysWhatItIs) {
  EXPECT_EQ(Text("/openapi"), "3.1.0");
  EXPECT_EQ(Text("/info/version"), "7.8.9");
  EXPECT_EQ(Text("/info/license/identifier"), "Apache-2.0");
  EXPECT_EQ(Json("/tags"),
            "[{\"name\":\"Garden\",\"description\":\"Keeps plants.\"}]");
}

TEST_F(OpenApiTest, NamesASegmentByTheResourcesPatternWhateverTheField) {
  EXPECT_THAT(
      Keys("/paths"),
      ElementsAre("/garden/v1/flower_beds/{flowerBed}/plants/{plant}",
                  "/garden/v1/plants/{plant}",
                  "/garden/v1/flower_beds/{flowerBed}/plants/"
                  "{plant}:water",
                  "/garden/v1/labels/{name}:read", "/garden/v1/plants:watch",
                  "/garden/v1/plants:inspect"));
  EXPECT_THAT(Keys(kPlant), ElementsAre("get", "patch"));
}

TEST_F(OpenApiTest, GivesEachBindingAnIdOfItsOwn) {
  EXPECT_EQ(Text(std::string(kPlant) + "/get/operationId"), "Garden_GetPlant");
  EXPECT_EQ(Text("/paths/~1garden~1v1~1plants~1{plant}/get/operationId"),
            "Garden_GetPlant_2");
}

TEST_F(OpenApiTest, ListsParametersOfPathQueryAndHeaders) {
  EXPECT_THAT(
      Parameters(std::string(kPlant) + "/get"),
      ElementsAre("path:flowerBed*", "path:plant*", "query:window.from",
                  "query:window.length", "query:window.days", "query:states",
                  "query:asOf*", "Fields", "FieldMask", "IfNoneMatch",
                  "MinRevision", "RequestId", "ServerTimeout"));
  EXPECT_THAT(Parameters(std::string(kPlant) + "/patch"),
              ElementsAre("path:flowerBed*", "path:plant*", "query:updateMask",
                          "query:requestId", "Fields", "FieldMask", "IfMatch",
                          "IdempotencyKey", "MinRevision", "RequestId",
                          "ServerTimeout"));
  EXPECT_THAT(
      Parameters(absl::StrCat(kPlant, ":water/post")),
      ElementsAre("path:flowerBed*", "path:plant*", "Fields", "FieldMask",
                  "IfMatch", "MinRevision", "RequestId", "ServerTimeout"));
}

TEST_F(OpenApiTest, WritesTextsAsTheQueryIsRead) {
  const std::string at = std::string(kPlant) + "/get/parameters/";
  EXPECT_EQ(Text(at + "2/schema/pattern"),
            "^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$");
  EXPECT_THAT(Text(at + "3/schema/pattern"), HasSubstr("s$"));
  EXPECT_EQ(Json(at + "4/schema"),
            "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"format\":"
            "\"int64\",\"pattern\":\"^-?[0-9]{1,19}$\"},\"maxItems\":100}");
  EXPECT_EQ(Json(at + "5/schema"),
            "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
            "gateway.garden.v1.Plant.State\"},\"maxItems\":100}");
}

TEST_F(OpenApiTest, SaysThatTheRestOfAPathMayHoldSlashes) {
  EXPECT_THAT(Text("/paths/~1garden~1v1~1labels~1{name}:read/get/parameters/0/"
                   "description"),
              HasSubstr("one segment of the path or more"));
}

TEST_F(OpenApiTest, AnUpdatesBodyAsksForNothingAndLacksWhatThePathCarries) {
  EXPECT_EQ(Text(std::string(kPlant) +
                 "/patch/requestBody/content/application~1json/schema/$ref"),
            "#/components/schemas/Garden_UpdatePlant.body");
  const std::string body = Schema("Garden_UpdatePlant.body");
  EXPECT_EQ(At(body).as_object().if_contains("required"), nullptr);
  EXPECT_THAT(Keys(body + "/properties"),
              testing::AllOf(testing::Not(testing::Contains("name")),
                             testing::Contains("title")));
  EXPECT_EQ(Text(body + "/properties/place/$ref"),
            "#/components/schemas/gateway.garden.v1.Plant.Place.patch");
  EXPECT_EQ(At(Schema("gateway.garden.v1.Plant.Place.patch"))
                .as_object()
                .if_contains("required"),
            nullptr);
}

TEST_F(OpenApiTest, AWholeBodyLacksWhatThePathCarries) {
  const std::string body = Schema("Garden_WaterPlant.body");
  EXPECT_THAT(Keys(body + "/properties"), ElementsAre("litres", "etag"));
  EXPECT_EQ(Json(body + "/required"), "[\"litres\"]");
}

TEST_F(OpenApiTest, CarriesTheAnnotationsOfFields) {
  const std::string plant = Schema("gateway.garden.v1.Plant");
  // Not the owner: not everybody gets it.
  EXPECT_EQ(Json(plant + "/required"), "[\"title\"]");
  const std::string of = plant + "/properties/";
  EXPECT_EQ(Json(of + "name"),
            "{\"type\":\"string\",\"description\":\"Its name.\","
            "\"readOnly\":true}");
  EXPECT_EQ(Json(of + "title/maxLength"), "7");
  EXPECT_EQ(Json(of + "state/readOnly"), "true");
  EXPECT_EQ(Json(of + "nicknames"),
            "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"maxLength\":"
            "9},\"maxItems\":3}");
  EXPECT_EQ(Text(of + "seeds/type"), "string");
  EXPECT_EQ(Json(of + "counts/additionalProperties"),
            "{\"type\":\"integer\",\"format\":\"int32\"}");
  EXPECT_EQ(Json(of + "secret/writeOnly"), "true");
  EXPECT_EQ(Text(of + "page/format"), "uri");
  EXPECT_EQ(Json(of + "page/deprecated"), "true");
  EXPECT_EQ(Text(of + "picture/contentEncoding"), "base64");
  EXPECT_THAT(Text(of + "shop/description"), HasSubstr("`shop`, `friend`"));
  EXPECT_THAT(Text(of + "owner/description"),
              HasSubstr("caller.roles:\"staff\""));
  EXPECT_THAT(Text(plant + "/description"),
              HasSubstr("`flower_beds/{flower_bed}/plants/{plant}`"));
}

TEST_F(OpenApiTest, ExplainsTheValuesOfEnums) {
  EXPECT_EQ(Json(Schema("gateway.garden.v1.Plant.State") + "/enum"),
            "[\"STATE_UNSPECIFIED\",\"BLOOMING\",\"WILTED\"]");
  EXPECT_EQ(Text(Schema("gateway.garden.v1.Plant.State") + "/description"),
            "How it does.\n\n- `BLOOMING`: In bloom, one hopes.\n"
            "- `WILTED`: Deprecated.");
}

TEST_F(OpenApiTest, SaysWhoMayCall) {
  EXPECT_EQ(Json(std::string(kPlant) + "/get/security"),
            "[{},{\"bearer\":[]}]");
  EXPECT_EQ(Json(std::string(kPlant) + "/patch/security"), "[{\"bearer\":[]}]");
  EXPECT_THAT(Text(std::string(kPlant) + "/patch/description"),
              HasSubstr("`staff`"));
  EXPECT_EQ(Json(absl::StrCat(kPlant, ":water/post/deprecated")), "true");
}

TEST_F(OpenApiTest, SummarisesByTheFirstSentence) {
  EXPECT_EQ(Text(std::string(kPlant) + "/get/summary"), "Answers a plant");
  EXPECT_EQ(Text(std::string(kPlant) + "/get/description"),
            "Answers a plant. NOT_FOUND when there is none.");
  // Nothing is made up where there is no comment.
  EXPECT_EQ(Text(std::string(kPlant) + "/patch/summary"), "UpdatePlant");
}

TEST_F(OpenApiTest, TellsOfStreamsInTheirForms) {
  const std::string get = "/paths/~1garden~1v1~1plants:watch/get";
  EXPECT_THAT(Keys(get + "/responses/200/content"),
              ElementsAre("text/event-stream", "application/jsonl",
                          "application/x-ndjson"));
  EXPECT_EQ(Text(get + "/responses/200/content/application~1jsonl/schema/"
                       "contentSchema/$ref"),
            "#/components/schemas/gateway.garden.v1.Plant");
  EXPECT_THAT(Parameters(get), testing::Contains("LastEventId"));
  const std::string end = "/paths/~1garden~1v1~1plants:inspect/get";
  EXPECT_THAT(Parameters(end), testing::Not(testing::Contains("LastEventId")));
}

TEST_F(OpenApiTest, ListsReasonsAndDetailsOfRefusals) {
  EXPECT_EQ(Json(Schema("Error.Reason") + "/enum"), "[\"OUT_OF_SEASON\"]");
  EXPECT_THAT(Text(Schema("Error.Reason") + "/description"),
              HasSubstr("- `OUT_OF_SEASON`: FAILED_PRECONDITION: it is "
                        "winter."));
  EXPECT_EQ(Text(Schema("Error.gateway.garden.v1.NextSeason") +
                 "/properties/@type/const"),
            "type.googleapis.com/"
            "transparency.gateway.garden.v1.NextSeason");
  EXPECT_EQ(
      Text(Schema("Error.google.rpc.ErrorInfo") + "/properties/reason/$ref"),
      "#/components/schemas/Error.Reason");
}

TEST_F(OpenApiTest, EveryReferenceLeadsSomewhere) {
  size_t from = 0;
  int count = 0;
  for (;; ++count) {
    from = DocumentText().find("\"$ref\":\"#", from);
    if (from == std::string::npos) break;
    from += 9;
    At(DocumentText().substr(from, DocumentText().find('"', from) - from));
  }
  EXPECT_GT(count, 50);
}

TEST_F(ServerTest, ServesItLikeAnyRead) {
  StartServer();
  const RawAnswer answer = Ask("GET", "/openapi.json");
  ASSERT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("content-type"), "application/json");
  const std::string etag = answer.Header("etag");
  EXPECT_THAT(answer.body, HasSubstr("/library/v1/books:search"));
  const RawAnswer same =
      Ask("GET", "/openapi.json", "", "If-None-Match: " + etag + "\r\n");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.Header("etag"), etag);
  const RawAnswer small =
      Ask("GET", "/openapi.json", "", "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(small.Header("content-encoding"), "gzip");
  EXPECT_NE(small.Header("etag"), etag);
  EXPECT_LT(small.body.size(), answer.body.size() / 3);
  EXPECT_EQ(Ask("GET", "/openapi.json", "",
                "If-None-Match: " + small.Header("etag") + "\r\n")
                .Header("etag"),
            small.Header("etag"));
  EXPECT_EQ(Ask("HEAD", "/openapi.json").Header("etag"), etag);
  EXPECT_EQ(Ask("POST", "/openapi.json", "{}").status, 405);
  EXPECT_EQ(Ask("OPTIONS", "/openapi.json").Header("allow"),
            "GET, HEAD, OPTIONS");
}

TEST_F(ServerTest, ServesTheDocumentsItIsGiven) {
  options_.documents = {{"/docs", "text/html; charset=utf-8", "<p>Hello</p>"}};
  StartServer();
  const RawAnswer answer = Ask("GET", "/docs");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "<p>Hello</p>");
  EXPECT_EQ(answer.Header("content-type"), "text/html; charset=utf-8");
  EXPECT_THAT(answer.Header("content-security-policy"),
              HasSubstr("default-src 'self'"));
}

}  // namespace
}  // namespace transparency::gateway::http
