#include "gateway/openapi/openapi_paths.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "boost/json/object.hpp"
#include "common/fields/field_rules.h"
#include "gateway/json/field_text.h"
#include "gateway/rest/path_template.h"
#include "google/api/resource.pb.h"

namespace transparency::gateway::openapi {
namespace {

using boost::json::array;
using boost::json::object;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

bool IsParameter(const std::string& segment) {
  return segment == "*" || segment == "**";
}

// As JSON writes a name.
std::string ToCamelCase(absl::string_view name) {
  std::string camel;
  for (absl::string_view word : absl::StrSplit(name, '_')) {
    const size_t start = camel.size();
    absl::StrAppend(&camel, word);
    if (start > 0 && !word.empty()) {
      camel[start] = absl::ascii_toupper(camel[start]);
    }
  }
  return camel;
}

// The variable that captures the segment; null when none does.
const rest::Route::Variable* CapturedBy(const rest::Route& route,
                                        size_t segment) {
  for (const rest::Route::Variable& variable : route.variables) {
    if (segment >= variable.begin && segment < variable.end) return &variable;
  }
  return nullptr;
}

bool InPath(const rest::Route& route, const rest::FieldPath& field) {
  return std::any_of(
      route.variables.begin(), route.variables.end(),
      [&field](const auto& variable) { return variable.field == field; });
}

bool IsRequired(const FieldDescriptor& field) {
  return fields::RulesOf(*field.containing_type())
      .fields[static_cast<size_t>(field.index())]
      .required;
}

}  // namespace

OpenApiPaths::OpenApiPaths(const contract::FileList& files,
                           const contract::Comments* comments,
                           OpenApiSchemas* schemas)
    : comments_(*comments), schemas_(*schemas) {
  for (const auto* file : files) {
    for (int i = 0; i < file->message_type_count(); ++i) {
      const auto& resource =
          file->message_type(i)->options().GetExtension(google::api::resource);
      for (const std::string& pattern : resource.pattern()) {
        const std::vector<std::string> parts = absl::StrSplit(pattern, '/');
        for (size_t k = 1; k < parts.size(); ++k) {
          absl::string_view name = parts[k];
          if (absl::ConsumePrefix(&name, "{") &&
              absl::ConsumeSuffix(&name, "}")) {
            by_collection_.emplace(parts[k - 1], ToCamelCase(name));
          }
        }
      }
    }
  }
}

std::string OpenApiPaths::NameOf(const rest::Route& route,
                                 const std::vector<std::string>& segments,
                                 size_t at) const {
  if (at > 0 && segments[at] == "*") {
    const auto known = by_collection_.find(segments[at - 1]);
    if (known != by_collection_.end()) return known->second;
  }
  const rest::Route::Variable* variable = CapturedBy(route, at);
  if (variable == nullptr) return "part";
  return variable->field.back()->json_name();
}

OpenApiPaths::Path OpenApiPaths::Of(const rest::Route& route) {
  // The route was made from it: it can be read.
  const rest::PathTemplate path = *rest::ParsePathTemplate(route.pattern);
  const std::string verb = path.verb.empty() ? "" : ":" + path.verb;
  std::vector<std::string>& names =
      names_[absl::StrCat(absl::StrJoin(path.segments, "/"), verb)];
  if (names.empty()) {
    for (size_t i = 0; i < path.segments.size(); ++i) {
      if (!IsParameter(path.segments[i])) continue;
      const std::string name = NameOf(route, path.segments, i);
      std::string unique = name;
      for (int n = 2; std::count(names.begin(), names.end(), unique) > 0; ++n) {
        unique = absl::StrCat(name, n);
      }
      names.push_back(std::move(unique));
    }
  }
  std::vector<std::string> shown = path.segments;
  auto name = names.begin();
  for (std::string& segment : shown) {
    if (IsParameter(segment)) segment = absl::StrCat("{", *name++, "}");
  }
  Path made;
  made.path = absl::StrCat("/", absl::StrJoin(shown, "/"), verb);
  name = names.begin();
  for (size_t i = 0; i < shown.size(); ++i) {
    if (IsParameter(path.segments[i])) {
      made.parameters.push_back(Parameter(route, shown, i, *name++));
    }
  }
  return made;
}

object OpenApiPaths::Parameter(const rest::Route& route,
                               const std::vector<std::string>& shown, size_t at,
                               const std::string& name) {
  object schema = {{"type", "string"}, {"minLength", 1}};
  std::string text;
  if (const rest::Route::Variable* variable = CapturedBy(route, at)) {
    const FieldDescriptor& field = *variable->field.back();
    const bool alone = variable->end == variable->begin + 1;
    if (alone && field.type() != FieldDescriptor::TYPE_STRING) {
      schema = schemas_.OfText(field);
      schema.erase("description");
    }
    const absl::string_view comment = comments_.Of(field.full_name());
    if (alone) {
      text = std::string(comment);
    } else {
      const std::string whole = absl::StrJoin(
          shown.begin() + static_cast<ptrdiff_t>(variable->begin),
          shown.begin() + static_cast<ptrdiff_t>(variable->end), "/");
      text = absl::StrCat("Part of `", variable->name, "`, `", whole, "`",
                          comment.empty() ? "." : ": ", comment);
    }
    if (variable->to_the_end && at + 1 == variable->end) {
      absl::StrAppend(&text, text.empty() ? "" : "\n\n",
                      "Takes one segment of the path or more: its slashes are "
                      "not percent-encoded.");
    }
  }
  object parameter = {{"name", name}, {"in", "path"}, {"required", true}};
  if (!text.empty()) parameter["description"] = text;
  parameter["schema"] = std::move(schema);
  return parameter;
}

array OpenApiPaths::QueryOf(const rest::Route& route) {
  array parameters;
  rest::FieldPath at;
  if (!route.whole_body) {
    AddQuery(route, *route.request->GetDescriptor(), &at, "", true,
             &parameters);
  }
  return parameters;
}

void OpenApiPaths::AddQuery(const rest::Route& route, const Descriptor& type,
                            rest::FieldPath* at, const std::string& prefix,
                            bool required, array* parameters) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (at->empty() && &field == route.body) continue;
    const std::string name = absl::StrCat(prefix, field.json_name());
    const bool needed = required && IsRequired(field);
    at->push_back(&field);
    if (InPath(route, *at)) {
      // The path carries it.
    } else if (json::TakesText(field)) {
      object schema = schemas_.OfText(field);
      object parameter = {{"name", name}, {"in", "query"}};
      if (needed) parameter["required"] = true;
      for (const char* key : {"description", "deprecated"}) {
        if (auto* moved = schema.if_contains(key)) {
          parameter[key] = *moved;
          schema.erase(key);
        }
      }
      parameter["schema"] = std::move(schema);
      parameters->push_back(std::move(parameter));
    } else if (!field.is_repeated() &&
               std::none_of(at->begin(), at->end() - 1,
                            [&field](const FieldDescriptor* outer) {
                              return outer->message_type() ==
                                     field.message_type();
                            }) &&
               field.message_type() != route.request->GetDescriptor()) {
      AddQuery(route, *field.message_type(), at, name + ".", needed,
               parameters);
    }
    at->pop_back();
  }
}

std::vector<std::string> OpenApiMethodsOf(const rest::Route& route) {
  static const auto* const known = new std::vector<std::string>{
      "get", "put", "post", "delete", "options", "head", "patch", "trace"};
  if (route.http_method == "*") {
    return {"get", "put", "post", "delete", "patch"};
  }
  std::string method = absl::AsciiStrToLower(route.http_method);
  // OpenAPI 3.1 cannot tell of other methods.
  if (std::find(known->begin(), known->end(), method) == known->end()) {
    return {};
  }
  return {std::move(method)};
}

}  // namespace transparency::gateway::openapi
