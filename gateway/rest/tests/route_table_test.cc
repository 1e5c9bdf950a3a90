#include "gateway/rest/route_table.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gateway/json/tests/library.pb.h"
#include "gateway/rest/path_template.h"
#include "gmock/gmock.h"
#include "google/api/annotations.pb.h"
#include "google/protobuf/descriptor.pb.h"
#include "gtest/gtest.h"

namespace transparency::gateway::rest {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptorProto;
using testing::HasSubstr;

// A service whose methods M0, M1, ... have these bindings, "GET /path body".
class Contract {
 public:
  explicit Contract(const std::vector<std::string>& bindings)
      : pool_(DescriptorPool::generated_pool()) {
    FileDescriptorProto file;
    file.set_name("contract.proto");
    file.set_package("contract");
    file.set_syntax("proto3");
    file.add_dependency("google/api/annotations.proto");
    auto* inner = file.add_message_type();
    inner->set_name("Inner");
    AddField(inner, "name", 1, FieldDescriptorProto::TYPE_STRING);
    auto* request = file.add_message_type();
    request->set_name("Request");
    AddField(request, "name", 1, FieldDescriptorProto::TYPE_STRING);
    AddField(request, "parent", 2, FieldDescriptorProto::TYPE_STRING);
    AddField(request, "number", 3, FieldDescriptorProto::TYPE_INT32);
    AddField(request, "names", 4, FieldDescriptorProto::TYPE_STRING)
        ->set_label(FieldDescriptorProto::LABEL_REPEATED);
    AddField(request, "inner", 5, FieldDescriptorProto::TYPE_MESSAGE)
        ->set_type_name(".contract.Inner");
    auto* service = file.add_service();
    service->set_name("Service");
    for (size_t i = 0; i < bindings.size(); ++i) {
      auto* method = service->add_method();
      method->set_name(absl::StrCat("M", i));
      method->set_input_type(".contract.Request");
      method->set_output_type(".contract.Request");
      SetBinding(bindings[i], method->mutable_options()->MutableExtension(
                                  google::api::http));
    }
    service_ = pool_.BuildFile(file)->service(0);
  }

  absl::StatusOr<RouteTable> Build() {
    return RouteTable::Build({service_}, &types_);
  }

 private:
  static FieldDescriptorProto* AddField(
      google::protobuf::DescriptorProto* message, const char* name, int number,
      FieldDescriptorProto::Type type) {
    auto* field = message->add_field();
    field->set_name(name);
    field->set_number(number);
    field->set_type(type);
    field->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
    return field;
  }

  static void SetBinding(const std::string& text, google::api::HttpRule* rule) {
    const size_t space = text.find(' ');
    const std::string method = text.substr(0, space);
    std::string path = text.substr(space + 1);
    const size_t body = path.find(' ');
    if (body != std::string::npos) {
      rule->set_body(path.substr(body + 1));
      path.resize(body);
    }
    if (method == "GET") {
      rule->set_get(path);
    } else if (method == "POST") {
      rule->set_post(path);
    } else if (method == "DELETE") {
      rule->set_delete_(path);
    } else {
      rule->mutable_custom()->set_kind(method);
      rule->mutable_custom()->set_path(path);
    }
  }

  DescriptorPool pool_;
  MessageTypes types_;
  const google::protobuf::ServiceDescriptor* service_ = nullptr;
};

// "M1 value|value", "404", "405 GET,POST" or "bad field".
std::string Found(const RouteTable& table, absl::string_view method,
                  absl::string_view path) {
  const RouteMatch match = table.Find(method, path);
  switch (match.outcome) {
    case RouteMatch::Outcome::kFound:
      return absl::StrCat(match.route->method->name(), " ",
                          absl::StrJoin(match.values, "|"));
    case RouteMatch::Outcome::kNoSuchPath:
      return "404";
    case RouteMatch::Outcome::kOtherMethods:
      return absl::StrCat("405 ", absl::StrJoin(match.allowed, ","));
    case RouteMatch::Outcome::kBadValue:
      return absl::StrCat("bad ", match.problem_field);
  }
  return "";
}

TEST(RouteTableTest, FindsTheMethodAndItsValues) {
  Contract contract({
      "GET /v1/{name=certificates/*}",               // M0
      "GET /v1/certificates",                        // M1
      "POST /v1/{name=certificates/*}:issue *",      // M2
      "POST /v1/certificates:import *",              // M3
      "GET /v1/{name=organizations/*/positions/*}",  // M4
      "GET /v1/{parent=organizations/*}/positions",  // M5
      "GET /v1/files/{name=**}",                     // M6
      "GET /v1/files/{name=**}:head",                // M7
      "GET /v1/numbers/{number}/of/{parent}",        // M8
      "POST /v1/certificates/special",               // M9
      "DELETE /v1/{name=certificates/*}",            // M10
      "GET /v1/{inner.name=inners/*}",               // M11
      "GET /v1/{name=docs/**}",                      // M12
      "PURGE /v1/cache",                             // M13
      "* /v1/any",                                   // M14
      "GET /v1/organizations/*/fixed",               // M15
  });
  auto table = contract.Build();
  ASSERT_TRUE(table.ok()) << table.status();
  struct {
    const char* method;
    const char* path;
    const char* found;
  } const rows[] = {
      {"GET", "/v1/certificates/a", "M0 certificates/a"},
      {"GET", "/v1/certificates", "M1 "},
      {"GET", "/v1/certificates/", "404"},
      {"GET", "/v1//a", "404"},
      {"GET", "v1/certificates", "404"},
      {"GET", "", "404"},
      {"GET", "/", "404"},
      {"GET", "/v1", "404"},
      {"GET", "/v1/certificates/a/b", "404"},
      {"GET", "/V1/certificates", "404"},
      // A verb is a verb, unless it is escaped or nobody knows it.
      {"POST", "/v1/certificates/a:issue", "M2 certificates/a"},
      {"GET", "/v1/certificates/a:issue", "405 POST"},
      {"GET", "/v1/certificates/a%3Aissue", "M0 certificates/a:issue"},
      {"GET", "/v1/certificates/a:other", "M0 certificates/a:other"},
      {"POST", "/v1/certificates/a:b:issue", "M2 certificates/a:b"},
      {"POST", "/v1/certificates:import", "M3 "},
      {"POST", "/v1/certificates:issue", "404"},
      {"GET", "/v1/certificates/:issue", "M0 certificates/:issue"},
      {"GET", "/v1/certificates/a:", "M0 certificates/a:"},
      {"POST", "/v1/certificates", "405 GET"},
      {"PUT", "/v1/certificates/a", "405 DELETE,GET"},
      {"DELETE", "/v1/certificates/a", "M10 certificates/a"},
      {"delete", "/v1/certificates/a", "405 DELETE,GET"},
      // Literal first, but only for the method it serves.
      {"POST", "/v1/certificates/special", "M9 "},
      {"GET", "/v1/certificates/special", "M0 certificates/special"},
      {"GET", "/v1/organizations/a/positions/b",
       "M4 organizations/a/positions/b"},
      {"GET", "/v1/organizations/a/positions", "M5 organizations/a"},
      {"GET", "/v1/organizations/a/fixed", "M15 "},
      {"GET", "/v1/organizations/a/other", "404"},
      // Rests, which may be empty.
      {"GET", "/v1/files/a/b/c.txt", "M6 a/b/c.txt"},
      {"GET", "/v1/files", "M6 "},
      {"GET", "/v1/files/a/b:head", "M7 a/b"},
      {"GET", "/v1/docs/a/b", "M12 docs/a/b"},
      {"GET", "/v1/docs", "M12 docs"},
      // Percent-encoding: one segment is decoded whole, of several the slash
      // stays escaped.
      {"GET", "/v1/numbers/7/of/a%2Fb%20c", "M8 7|a/b c"},
      {"GET", "/v1/certificates/a%2Fb", "M0 certificates/a%2Fb"},
      {"GET", "/v1/certificates/a%2fb%41", "M0 certificates/a%2fbA"},
      {"GET", "/v1/%63ertificates/a", "M0 certificates/a"},
      {"GET", "/v1/certificates/a+b", "M0 certificates/a+b"},
      {"GET", "/v1/certificates/%", "bad name"},
      {"GET", "/v1/certificates/%4", "bad name"},
      {"GET", "/v1/certificates/%zz", "bad name"},
      {"GET", "/v1/certificates/%FF", "bad name"},
      {"GET", "/v1/certificates/%00", "bad name"},
      {"GET", "/v1/numbers/7/of/%C3%28", "bad parent"},
      {"GET", "/v1/numbers//of/a", "404"},
      {"GET", "/v1/inners/x", "M11 inners/x"},
      {"GET", "/v1/certificates/..", "M0 certificates/.."},
      {"PURGE", "/v1/cache", "M13 "},
      {"GET", "/v1/cache", "405 PURGE"},
      {"ANYTHING", "/v1/any", "M14 "},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(Found(*table, row.method, row.path), row.found)
        << row.method << " " << row.path;
  }
  EXPECT_THAT(table->MethodsOf("/v1/certificates/a"),
              testing::ElementsAre("DELETE", "GET"));
  EXPECT_THAT(table->MethodsOf("/v1/any"), testing::Contains("PATCH"));
  EXPECT_TRUE(table->MethodsOf("/v2").empty());
}

TEST(RouteTableTest, RefusesWrongBindings) {
  const std::pair<std::vector<std::string>, const char*> rows[] = {
      {{"GET /v1/{name=a/*}", "GET /v1/{parent=a/*}"}, "Service.M0"},
      {{"GET /v1/a/*", "GET /v1/a/{number}"}, "Service.M0"},
      {{"* /v1/a", "* /v1/a"}, "Service.M0"},
      {{"GET v1/a"}, "begins with '/'"},
      {{"GET /v1//a"}, "no segment"},
      {{"POST /v1/a b"}, "no field"},
      {{"GET /"}, "no segment"},
      {{"GET /v1/{name"}, "'}' is missing"},
      {{"GET /v1/{name=**}/a"}, "stands last"},
      {{"GET /v1/**/a"}, "stands last"},
      {{"GET /v1/{name}x"}, "'/' is expected"},
      {{"GET /v1/{name={parent}}"}, "no segment"},
      {{"GET /v1/{=a}"}, "field path"},
      {{"GET /v1/{na-me}"}, "field path"},
      {{"GET /v1/{name}/{name}"}, "captured twice"},
      {{"GET /v1/{nope}"}, "\"nope\" is no singular field"},
      {{"GET /v1/{names}"}, "\"names\" is no singular field"},
      {{"GET /v1/{inner}"}, "\"inner\" is not a text"},
      {{"GET /v1/{inner.nope}"}, "\"inner.nope\" is no singular field"},
      {{"GET /v1/{name.x}"}, "\"name.x\" is no singular field"},
      {{"POST /v1/a nope"}, "no field \"nope\" for the body"},
      {{"GET /v1/a:"}, "verb"},
      {{"GET /v1/a:b/c"}, "verb"},
  };
  for (const auto& [bindings, problem] : rows) {
    Contract contract(bindings);
    const auto table = contract.Build();
    EXPECT_EQ(table.status().code(), absl::StatusCode::kInvalidArgument)
        << bindings[0];
    EXPECT_THAT(std::string(table.status().message()), HasSubstr(problem))
        << bindings[0];
  }
}

TEST(RouteTableTest, DifferentMethodsOfOnePathDoNotConflict) {
  Contract contract({"GET /v1/{name=a/*}", "DELETE /v1/{name=a/*}",
                     "POST /v1/{name=a/*}:x", "POST /v1/{name=a/*}:y",
                     "POST /v1/{name=a/**}:x"});
  EXPECT_TRUE(contract.Build().ok());
}

TEST(RouteTableTest, UsesGeneratedMessagesWhereThereAreAny) {
  MessageTypes types;
  const auto table = RouteTable::Build(
      {library::v1::Book::descriptor()->file()->service(0)}, &types);
  ASSERT_TRUE(table.ok()) << table.status();
  for (const auto& route : table->routes()) {
    EXPECT_EQ(route->request->GetDescriptor()->file()->pool(),
              DescriptorPool::generated_pool());
  }
}

TEST(RouteTableTest, SurvivesWhateverComes) {
  MessageTypes types;
  const auto table = RouteTable::Build(
      {library::v1::Book::descriptor()->file()->service(0)}, &types);
  ASSERT_TRUE(table.ok());
  std::mt19937 random(5);
  const std::string alphabet = "/:%2Ffab{}*-.\xC3\xFF";
  const std::string seeds[] = {"/library/v1/shelves/1/books/2:lend",
                               "/library/v1/files/a/b", "/library/v1/echo/1/x"};
  for (int i = 0; i < 20'000; ++i) {
    std::string path = seeds[random() % 3];
    for (auto c = random() % 6; c > 0; --c) {
      path.insert(random() % (path.size() + 1), 1,
                  alphabet[random() % alphabet.size()]);
    }
    const RouteMatch match = table->Find("GET", path);
    if (match.outcome == RouteMatch::Outcome::kFound) {
      EXPECT_EQ(match.values.size(), match.route->variables.size());
    }
  }
  EXPECT_EQ(Found(*table, "GET", std::string(8000, '/')), "404");
}

}  // namespace
}  // namespace transparency::gateway::rest
