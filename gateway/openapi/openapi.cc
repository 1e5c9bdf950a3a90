#include "gateway/openapi/openapi.h"

#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "boost/json/array.hpp"
#include "boost/json/object.hpp"
#include "boost/json/serialize.hpp"
#include "gateway/contract/comments.h"
#include "gateway/contract/reasons.h"
#include "gateway/openapi/openapi_errors.h"
#include "gateway/openapi/openapi_paths.h"
#include "gateway/openapi/openapi_schemas.h"
#include "gateway/rest/special_fields.h"
#include "google/protobuf/descriptor.pb.h"
#include "transparency/type/v1/annotations.pb.h"

namespace transparency::gateway::openapi {
namespace {

using boost::json::array;
using boost::json::object;
using google::protobuf::Descriptor;
using google::protobuf::MethodDescriptor;

constexpr char kDescription[] =
    "JSON over HTTP, one path for each method of the gRPC services.\n\n"
    "- Names are in camelCase; 64-bit numbers are strings; what is unset or "
    "empty is left out of answers. A field or parameter that is not known is "
    "refused.\n"
    "- `$fields` answers only the fields that it lists.\n"
    "- A list comes in pages: `nextPageToken` of one is `pageToken` of the "
    "next.\n"
    "- Answers to reads bear an `ETag`. Sent back as `If-None-Match` it saves "
    "the answer (304); as `If-Match` it keeps a change from overwriting "
    "another's (412).\n"
    "- A change with an `Idempotency-Key` can be sent again: within 24 hours "
    "the same again gets the first answer.\n"
    "- A refusal has one shape, `Error`. 503 means that nothing was done; 500 "
    "with the reason OUTCOME_UNKNOWN asks for the same call again with the "
    "same key.\n"
    "- Streams come as server-sent events or as JSON lines, by `Accept`.";

object Described(absl::string_view text, object schema) {
  return {{"description", boost::json::string(boost::json::string_view(
                              text.data(), text.size()))},
          {"schema", std::move(schema)}};
}

object HeaderParameter(const char* name, const std::string& text,
                       object schema) {
  object parameter = {{"name", name}, {"in", "header"}};
  parameter["description"] = text;
  parameter["schema"] = std::move(schema);
  return parameter;
}

object Component(const char* kind, const char* name) {
  return {{"$ref", absl::StrCat("#/components/", kind, "/", name)}};
}

object TextSchema() { return {{"type", "string"}}; }

// What the HTTP port understands beside the request's fields, by the name of
// its component.
object HeaderParameters(const OpenApiOptions& options) {
  const object seconds = {{"type", "number"}, {"exclusiveMinimum", 0}};
  object mask =
      HeaderParameter("X-Goog-FieldMask", "As `$fields`.", TextSchema());
  object fields = {{"name", "$fields"}, {"in", "query"}};
  fields["description"] =
      "The fields to answer, with commas between them: "
      "`name,subjects.product`. A field that the caller may not see is empty, "
      "so that one mask serves all callers. Absent: all.";
  fields["schema"] = TextSchema();
  return {
      {"Fields", std::move(fields)},
      {"FieldMask", std::move(mask)},
      {"IfMatch",
       HeaderParameter("If-Match",
                       "The `ETag` of an answer: another one than the present "
                       "is refused with 412.",
                       TextSchema())},
      {"IfNoneMatch",
       HeaderParameter("If-None-Match",
                       "The `ETag` of an answer: 304 if it still holds.",
                       TextSchema())},
      {"IdempotencyKey",
       HeaderParameter(
           "Idempotency-Key",
           "The request's `requestId`: a UUID of version 4, or "
           "another text, of which one is made.",
           {{"type", "string"}, {"minLength", 1}, {"maxLength", 255}})},
      {"LastEventId",
       HeaderParameter("Last-Event-ID",
                       "The id of the last server-sent event received: go on "
                       "behind it.",
                       TextSchema())},
      {"MinRevision",
       HeaderParameter("X-Min-Revision",
                       "`X-Revision` of an answer: wait until what is answered "
                       "is at least as new.",
                       TextSchema())},
      {"RequestId",
       HeaderParameter(
           "X-Request-Id",
           "The call's name in logs, 1 to 128 printable "
           "characters. Absent: the gateway picks one.",
           {{"type", "string"}, {"minLength", 1}, {"maxLength", 128}})},
      {"ServerTimeout",
       HeaderParameter(
           "X-Server-Timeout",
           absl::StrCat("Seconds that the call may take: ",
                        absl::ToDoubleSeconds(options.default_call_timeout),
                        " if absent, at most ",
                        absl::ToDoubleSeconds(options.max_call_timeout), "."),
           seconds)}};
}

object AnswerHeaders() {
  return {
      {"CurrentAt", Described("The instant up to which the answer is current.",
                              {{"type", "string"}, {"format", "date-time"}})},
      {"ETag", Described("Changes whenever the answer does.", TextSchema())},
      {"RequestId", Described("The call's name in logs.", TextSchema())},
      {"RetryAfter", Described("Seconds after which to try again.",
                               {{"type", "integer"}, {"minimum", 1}})},
      {"Revision",
       Described("The revision of each service that the answer shows: "
                 "`certification=1234.9f86d081`.",
                 TextSchema())}};
}

object FreshnessHeaders(bool with_etag) {
  object headers = {{"X-Revision", Component("headers", "Revision")},
                    {"X-Current-At", Component("headers", "CurrentAt")},
                    {"X-Request-Id", Component("headers", "RequestId")}};
  if (with_etag) headers["ETag"] = Component("headers", "ETag");
  return headers;
}

object ErrorResponse(const char* text, bool retry) {
  object headers = {{"X-Request-Id", Component("headers", "RequestId")}};
  if (retry) headers["Retry-After"] = Component("headers", "RetryAfter");
  return {{"description", text},
          {"headers", std::move(headers)},
          {"content",
           {{"application/json",
             {{"schema", OpenApiSchemas::Reference("Error")}}}}}};
}

object CommonResponses() {
  return {
      {"EtagMismatch",
       ErrorResponse("The resource is not the one that `If-Match` names: read "
                     "it again.",
                     false)},
      {"Failed", ErrorResponse("The call failed.", true)},
      {"NotModified",
       {{"description", "What `If-None-Match` names still holds."},
        {"headers", {{"ETag", Component("headers", "ETag")}}}}},
      {"Refused", ErrorResponse("The call was refused.", true)}};
}

// Builds the paths; knows all parts.
class Builder {
 public:
  Builder(const rest::RouteTable& routes, const OpenApiOptions& options)
      : routes_(routes),
        options_(options),
        set_(Parse(options.descriptor_set)),
        comments_(set_),
        services_(Services(routes)),
        files_(Files(set_, services_)),
        schemas_(&comments_, Requests(routes)),
        paths_(files_, &comments_, &schemas_) {}

  object Build();

 private:
  static google::protobuf::FileDescriptorSet Parse(absl::string_view bytes) {
    google::protobuf::FileDescriptorSet set;
    set.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
    return set;
  }
  static contract::ServiceList Services(const rest::RouteTable& routes) {
    contract::ServiceList services;
    for (const auto& route : routes.routes()) {
      const auto* service = route->method->service();
      if (services.empty() || services.back() != service) {
        services.push_back(service);
      }
    }
    return services;
  }
  // The set's, or the services' own where there is none.
  static contract::FileList Files(
      const google::protobuf::FileDescriptorSet& set,
      const contract::ServiceList& services) {
    if (services.empty()) return {};
    contract::FileList files =
        contract::FilesOf(set, *services[0]->file()->pool());
    if (files.empty()) {
      for (const auto* service : services) files.push_back(service->file());
    }
    return files;
  }
  static std::vector<const Descriptor*> Requests(
      const rest::RouteTable& routes) {
    std::vector<const Descriptor*> requests;
    for (const auto& route : routes.routes()) {
      requests.push_back(route->request->GetDescriptor());
    }
    return requests;
  }

  array Tags() const;
  object Operation(const rest::Route& route, const std::string& id,
                   const array& path_parameters);
  void AddHeaders(const rest::Route& route, const rest::SpecialFields& special,
                  array* parameters) const;
  void AddBody(const rest::Route& route, const std::string& id,
               const rest::SpecialFields& special, object* operation);
  object Responses(const rest::Route& route,
                   const rest::SpecialFields& special);
  object Answer(const rest::Route& route);
  void AddSecurity(const MethodDescriptor& method, std::string* text,
                   object* operation) const;

  const rest::RouteTable& routes_;
  const OpenApiOptions& options_;
  const google::protobuf::FileDescriptorSet set_;
  const contract::Comments comments_;
  const contract::ServiceList services_;
  const contract::FileList files_;
  OpenApiSchemas schemas_;
  OpenApiPaths paths_;
};

array Builder::Tags() const {
  array tags;
  for (const auto* service : services_) {
    object tag = {{"name", service->name()}};
    const absl::string_view comment = comments_.Of(service->full_name());
    if (!comment.empty()) tag["description"] = std::string(comment);
    tags.push_back(std::move(tag));
  }
  return tags;
}

void Builder::AddHeaders(const rest::Route& route,
                         const rest::SpecialFields& special,
                         array* parameters) const {
  const bool is_read = route.http_method == "GET";
  const bool streams = route.method->server_streaming();
  std::vector<const char*> names = {"Fields", "FieldMask"};
  if (streams) names.clear();
  if (streams && special.stream.resume_token != nullptr) {
    names.push_back("LastEventId");
  }
  if (is_read && !streams) names.push_back("IfNoneMatch");
  if (!is_read && !special.etag.empty()) names.push_back("IfMatch");
  if (!is_read && special.request_id != nullptr) {
    names.push_back("IdempotencyKey");
  }
  for (const char* name : {"MinRevision", "RequestId", "ServerTimeout"}) {
    names.push_back(name);
  }
  for (const char* name : names) {
    parameters->push_back(Component("parameters", name));
  }
}

void Builder::AddBody(const rest::Route& route, const std::string& id,
                      const rest::SpecialFields& special, object* operation) {
  if (!route.whole_body && route.body == nullptr) return;
  const std::string name = id + ".body";
  object schema;
  if (route.body != nullptr &&
      (route.body->is_repeated() || route.body->message_type() == nullptr)) {
    schema = schemas_.OfField(*route.body);
  } else {
    // Of the fields that the path carries, those inside the body's message.
    const std::string inside =
        route.body == nullptr ? "" : route.body->name() + ".";
    std::set<std::string> elsewhere;
    for (const rest::Route::Variable& variable : route.variables) {
      if (variable.name.compare(0, inside.size(), inside) == 0) {
        elsewhere.insert(variable.name.substr(inside.size()));
      }
    }
    const Descriptor& type = route.body == nullptr
                                 ? *route.request->GetDescriptor()
                                 : *route.body->message_type();
    schema =
        schemas_.OfBody(type, elsewhere, special.update_mask != nullptr, name);
  }
  object body;
  if (route.body != nullptr) {
    const absl::string_view comment = comments_.Of(route.body->full_name());
    if (!comment.empty()) body["description"] = std::string(comment);
  }
  body["content"] = {{"application/json", {{"schema", std::move(schema)}}}};
  body["required"] = true;
  (*operation)["requestBody"] = std::move(body);
}

object Builder::Answer(const rest::Route& route) {
  object schema = route.response_body != nullptr
                      ? schemas_.OfField(*route.response_body)
                      : schemas_.OfMessage(*route.response->GetDescriptor());
  if (!route.method->server_streaming()) {
    return {{"application/json", {{"schema", std::move(schema)}}}};
  }
  object lines = {{"type", "string"},
                  {"contentMediaType", "application/json"},
                  {"contentSchema", schema}};
  object events = lines;
  lines["description"] =
      "One message of the stream in each line, as in `contentSchema`. After an "
      "error a last line with an `Error`; without one all has been told.";
  events["description"] =
      "Server-sent events. One message of the stream in the data of each, as "
      "in `contentSchema`, its `resumeToken` as the event's id. `retry` asks "
      "to reconnect after two seconds, comments are signs of life. The last "
      "event is `error`, with an `Error`, or `end`, when all has been told.";
  return {{"text/event-stream", {{"schema", std::move(events)}}},
          {"application/jsonl", {{"schema", lines}}},
          {"application/x-ndjson", {{"schema", std::move(lines)}}}};
}

object Builder::Responses(const rest::Route& route,
                          const rest::SpecialFields& special) {
  const bool is_read = route.http_method == "GET";
  const bool streams = route.method->server_streaming();
  std::string text = contract::FirstSentence(
      comments_.Of(route.method->output_type()->full_name()));
  object answer;
  answer["description"] = text.empty() ? "The answer." : text + ".";
  answer["headers"] = FreshnessHeaders(
      !streams && (is_read || special.answered_etag != nullptr));
  answer["content"] = Answer(route);
  object responses;
  responses["200"] = std::move(answer);
  if (is_read && !streams) {
    responses["304"] = Component("responses", "NotModified");
  }
  if (!is_read && !special.etag.empty()) {
    responses["412"] = Component("responses", "EtagMismatch");
  }
  responses["4XX"] = Component("responses", "Refused");
  responses["5XX"] = Component("responses", "Failed");
  return responses;
}

void Builder::AddSecurity(const MethodDescriptor& method, std::string* text,
                          object* operation) const {
  const type::v1::Access access =
      method.options().GetExtension(type::v1::access);
  const object bearer = {{"bearer", array()}};
  if (access == type::v1::IDENTIFIED || access == type::v1::STAFF) {
    (*operation)["security"] = array{bearer};
    absl::StrAppend(text, text->empty() ? "" : "\n\n",
                    access == type::v1::STAFF
                        ? "Needs a token with the role `staff`."
                        : "Needs a token.");
  } else {
    (*operation)["security"] = array{object(), bearer};
  }
}

object Builder::Operation(const rest::Route& route, const std::string& id,
                          const array& path_parameters) {
  const MethodDescriptor& method = *route.method;
  const rest::SpecialFields special = rest::SpecialFieldsOf(route);
  std::string text(comments_.Of(method.full_name()));
  const std::string summary = contract::FirstSentence(text);
  object operation = {
      {"operationId", id},
      {"tags", array{boost::json::string(method.service()->name())}}};
  operation["summary"] = summary.empty() ? method.name() : summary;
  operation["description"] = "";  // its place
  AddSecurity(method, &text, &operation);
  if (text.empty()) {
    operation.erase("description");
  } else {
    operation["description"] = text;
  }
  if (method.options().deprecated()) operation["deprecated"] = true;
  array parameters = path_parameters;
  for (auto& parameter : paths_.QueryOf(route)) {
    parameters.push_back(std::move(parameter));
  }
  AddHeaders(route, special, &parameters);
  operation["parameters"] = std::move(parameters);
  AddBody(route, id, special, &operation);
  operation["responses"] = Responses(route, special);
  return operation;
}

object Builder::Build() {
  object paths;
  absl::flat_hash_map<std::string, int> bindings;  // by method
  for (const auto& route : routes_.routes()) {
    const MethodDescriptor& method = *route->method;
    const OpenApiPaths::Path path = paths_.Of(*route);
    for (const std::string& http_method : OpenApiMethodsOf(*route)) {
      const int number = ++bindings[method.full_name()];
      std::string id =
          absl::StrCat(method.service()->name(), "_", method.name());
      if (number > 1) absl::StrAppend(&id, "_", number);
      if (!paths.contains(path.path)) paths[path.path] = object();
      paths[path.path].as_object()[http_method] =
          Operation(*route, id, path.parameters);
    }
  }
  AddErrorSchemas(files_, services_, comments_, &schemas_);
  object document;
  document["openapi"] = "3.1.0";
  document["info"] = {
      {"title", "Transparency Suite"},
      {"version", options_.version},
      {"description", kDescription},
      {"license",
       {{"name", "Apache License 2.0"}, {"identifier", "Apache-2.0"}}}};
  document["servers"] = array{object{{"url", "/"}}};
  document["tags"] = Tags();
  document["paths"] = std::move(paths);
  document["components"] = {
      {"schemas", schemas_.Take()},
      {"parameters", HeaderParameters(options_)},
      {"headers", AnswerHeaders()},
      {"responses", CommonResponses()},
      {"securitySchemes",
       {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}}};
  return document;
}

}  // namespace

std::string OpenApiDocument(const rest::RouteTable& routes,
                            const OpenApiOptions& options) {
  return boost::json::serialize(Builder(routes, options).Build());
}

}  // namespace transparency::gateway::openapi
