#include "gateway/rest/route_table.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gateway/json/field_text.h"
#include "gateway/rest/path_template.h"
#include "google/api/annotations.pb.h"

namespace transparency::gateway::rest {
namespace {

using google::api::HttpRule;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

std::pair<std::string, std::string> MethodAndPath(const HttpRule& rule) {
  switch (rule.pattern_case()) {
    case HttpRule::kGet:
      return {"GET", rule.get()};
    case HttpRule::kPut:
      return {"PUT", rule.put()};
    case HttpRule::kPost:
      return {"POST", rule.post()};
    case HttpRule::kDelete:
      return {"DELETE", rule.delete_()};
    case HttpRule::kPatch:
      return {"PATCH", rule.patch()};
    case HttpRule::kCustom:
      return {rule.custom().kind(), rule.custom().path()};
    case HttpRule::PATTERN_NOT_SET:
      break;
  }
  return {"", ""};
}

absl::Status Wrong(const MethodDescriptor& method, absl::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat(method.full_name(), ": google.api.http: ", problem));
}

// A variable's field: singular all the way, and a text at the end.
absl::StatusOr<FieldPath> ResolveVariable(const MethodDescriptor& method,
                                          const Descriptor& request,
                                          absl::string_view path) {
  FieldPath fields;
  const Descriptor* type = &request;
  for (absl::string_view name : absl::StrSplit(path, '.')) {
    const FieldDescriptor* field =
        type == nullptr ? nullptr : type->FindFieldByName(std::string(name));
    if (field == nullptr || field->is_repeated()) {
      return Wrong(method,
                   absl::StrCat("\"", path, "\" is no singular field of ",
                                request.full_name()));
    }
    fields.push_back(field);
    type = field->message_type();
  }
  if (!json::TakesText(*fields.back())) {
    return Wrong(method,
                 absl::StrCat("\"", path, "\" is not a text or number"));
  }
  return fields;
}

}  // namespace

struct RouteTable::Node {
  absl::flat_hash_map<std::string, std::unique_ptr<Node>> literals;
  std::unique_ptr<Node> star;
  // By verb; "" for none.
  std::map<std::string, Ends, std::less<>> ends;
  // Of templates that go on with "**" here.
  std::map<std::string, Ends, std::less<>> open_ends;
};

// One walk over the tree with one path.
struct RouteTable::Search {
  absl::string_view http_method;
  absl::InlinedVector<absl::string_view, 16> raw;
  absl::InlinedVector<std::string, 16> decoded;
  absl::string_view verb;

  const Route* best = nullptr;
  // All that fit the path, whatever the HTTP method.
  absl::InlinedVector<const Ends*, 4> fitting;

  void Visit(const std::map<std::string, Ends, std::less<>>& ends) {
    const auto by_verb = ends.find(verb);
    if (by_verb == ends.end()) return;
    fitting.push_back(&by_verb->second);
    if (best != nullptr) return;
    auto found = by_verb->second.find(http_method);
    if (found == by_verb->second.end()) found = by_verb->second.find("*");
    if (found != by_verb->second.end()) best = found->second;
  }

  std::vector<std::string> Methods() const {
    std::set<std::string> methods;
    for (const Ends* ends : fitting) {
      for (const auto& [method, route] : *ends) methods.insert(method);
    }
    return {methods.begin(), methods.end()};
  }
};

RouteTable::RouteTable() : root_(std::make_unique<Node>()) {}
RouteTable::RouteTable(RouteTable&&) noexcept = default;
RouteTable& RouteTable::operator=(RouteTable&&) noexcept = default;
RouteTable::~RouteTable() = default;

absl::StatusOr<RouteTable> RouteTable::Build(
    const std::vector<const ServiceDescriptor*>& services,
    MessageTypes* types) {
  RouteTable table;
  for (const ServiceDescriptor* service : services) {
    for (int i = 0; i < service->method_count(); ++i) {
      absl::Status status = table.AddMethod(*service->method(i), types);
      if (!status.ok()) return status;
    }
  }
  return table;
}

absl::Status RouteTable::AddMethod(const MethodDescriptor& method,
                                   MessageTypes* types) {
  if (!method.options().HasExtension(google::api::http) ||
      method.client_streaming()) {
    return absl::OkStatus();
  }
  const HttpRule& rule = method.options().GetExtension(google::api::http);
  absl::Status status = AddRule(method, rule, types);
  for (const HttpRule& additional : rule.additional_bindings()) {
    if (!status.ok()) return status;
    if (additional.additional_bindings_size() > 0) {
      return Wrong(method, "additional_bindings are one level deep");
    }
    status = AddRule(method, additional, types);
  }
  return status;
}

absl::Status RouteTable::AddRule(const MethodDescriptor& method,
                                 const HttpRule& rule, MessageTypes* types) {
  auto route = std::make_unique<Route>();
  std::tie(route->http_method, route->pattern) = MethodAndPath(rule);
  if (route->http_method.empty()) return Wrong(method, "no HTTP method");
  absl::StatusOr<PathTemplate> path = ParsePathTemplate(route->pattern);
  if (!path.ok()) return Wrong(method, path.status().message());
  absl::Status status = ResolveFields(method, rule, *path, types, route.get());
  if (!status.ok()) return status;
  return Insert(*path, std::move(route));
}

absl::Status RouteTable::ResolveFields(const MethodDescriptor& method,
                                       const HttpRule& rule,
                                       const PathTemplate& path,
                                       MessageTypes* types, Route* route) {
  route->method = &method;
  route->rpc =
      absl::StrCat("/", method.service()->full_name(), "/", method.name());
  route->request = &types->Prototype(*method.input_type());
  route->response = &types->Prototype(*method.output_type());
  const Descriptor& request = *route->request->GetDescriptor();
  for (const PathTemplate::Variable& variable : path.variables) {
    absl::StatusOr<FieldPath> field =
        ResolveVariable(method, request, variable.field_path);
    if (!field.ok()) return field.status();
    route->variables.push_back(
        {*std::move(field), variable.field_path, variable.begin, variable.end,
         path.segments[variable.end - 1] == "**", variable.multi_segment});
  }
  route->whole_body = rule.body() == "*";
  if (!route->whole_body && !rule.body().empty()) {
    route->body = request.FindFieldByName(rule.body());
    if (route->body == nullptr) {
      return Wrong(method,
                   absl::StrCat("no field \"", rule.body(), "\" for the body"));
    }
  }
  if (!rule.response_body().empty()) {
    route->response_body =
        route->response->GetDescriptor()->FindFieldByName(rule.response_body());
    if (route->response_body == nullptr) {
      return Wrong(method, absl::StrCat("no field \"", rule.response_body(),
                                        "\" for the response body"));
    }
  }
  return absl::OkStatus();
}

absl::Status RouteTable::Insert(const PathTemplate& path,
                                std::unique_ptr<Route> route) {
  Node* node = root_.get();
  bool open = false;
  for (const std::string& segment : path.segments) {
    if (segment == "**") {
      open = true;
      break;
    }
    std::unique_ptr<Node>& next =
        segment == "*" ? node->star : node->literals[segment];
    if (next == nullptr) next = std::make_unique<Node>();
    node = next.get();
  }
  Ends& ends = (open ? node->open_ends : node->ends)[path.verb];
  const auto [entry, inserted] =
      ends.try_emplace(route->http_method, route.get());
  if (!inserted) {
    return Wrong(*route->method,
                 absl::StrCat(route->http_method, " ", route->pattern,
                              " is the same path as ", entry->second->pattern,
                              " of ", entry->second->method->full_name()));
  }
  routes_.push_back(std::move(route));
  return absl::OkStatus();
}

// The depth is bounded by the templates', not the path's: a path that is
// longer than every template ends the walk.
void RouteTable::Walk(const Node& node, size_t depth, Search* search) {
  if (depth == search->raw.size()) {
    search->Visit(node.ends);
  } else {
    const auto literal = node.literals.find(search->decoded[depth]);
    if (literal != node.literals.end()) {
      Walk(*literal->second, depth + 1, search);
    }
    if (node.star != nullptr && !search->raw[depth].empty()) {
      Walk(*node.star, depth + 1, search);
    }
  }
  search->Visit(node.open_ends);
}

RouteMatch RouteTable::Find(absl::string_view http_method,
                            absl::string_view path) const {
  RouteMatch match;
  if (path.empty() || path[0] != '/') return match;
  Search search;
  search.http_method = http_method;
  for (absl::string_view segment : absl::StrSplit(path.substr(1), '/')) {
    search.raw.push_back(segment);
    std::string decoded;
    // A segment that cannot be decoded is no literal; what captures it says so.
    if (!PercentDecode(segment, false, &decoded)) decoded.clear();
    search.decoded.push_back(std::move(decoded));
  }

  // With its verb first, then without one.
  const absl::string_view last = search.raw.back();
  const std::string last_decoded = search.decoded.back();
  const size_t colon = last.rfind(':');
  if (colon != absl::string_view::npos) {
    search.verb = last.substr(colon + 1);
    search.raw.back() = last.substr(0, colon);
    if (!PercentDecode(search.raw.back(), false, &search.decoded.back())) {
      search.decoded.back().clear();
    }
    if (!search.verb.empty()) Walk(*root_, 0, &search);
  }
  if (search.fitting.empty()) {
    search.verb = "";
    search.raw.back() = last;
    search.decoded.back() = last_decoded;
    Walk(*root_, 0, &search);
  }
  if (search.fitting.empty()) return match;
  if (search.best == nullptr) {
    match.outcome = RouteMatch::Outcome::kOtherMethods;
    match.allowed = search.Methods();
    return match;
  }

  match.outcome = RouteMatch::Outcome::kFound;
  match.route = search.best;
  for (const Route::Variable& variable : search.best->variables) {
    const size_t end = variable.to_the_end ? search.raw.size() : variable.end;
    std::string raw;
    for (size_t i = variable.begin; i < end; ++i) {
      absl::StrAppend(&raw, i > variable.begin ? "/" : "", search.raw[i]);
    }
    std::string value;
    const char* problem = nullptr;
    if (!PercentDecode(raw, variable.multi_segment, &value)) {
      problem = "'%' is followed by two hexadecimal digits";
    } else if (!json::IsUtf8(value)) {
      problem = "it is not valid UTF-8";
    } else if (value.find('\0') != std::string::npos) {
      problem = "it holds a NUL character";
    }
    if (problem != nullptr) {
      match.outcome = RouteMatch::Outcome::kBadValue;
      match.problem_field = variable.name;
      match.problem = problem;
      return match;
    }
    match.values.push_back(std::move(value));
  }
  return match;
}

std::vector<std::string> RouteTable::MethodsOf(absl::string_view path) const {
  // Only a binding for any method knows this one.
  const RouteMatch match = Find("", path);
  if (match.outcome == RouteMatch::Outcome::kFound) {
    return {"DELETE", "GET", "PATCH", "POST", "PUT"};
  }
  return match.allowed;
}

std::vector<const ServiceDescriptor*> ServicesOf(
    const google::protobuf::FileDescriptorSet& files,
    const google::protobuf::DescriptorPool& pool) {
  std::vector<const ServiceDescriptor*> services;
  for (const auto& file : files.file()) {
    const auto* descriptor = pool.FindFileByName(file.name());
    for (int i = 0; descriptor != nullptr && i < descriptor->service_count();
         ++i) {
      services.push_back(descriptor->service(i));
    }
  }
  return services;
}

}  // namespace transparency::gateway::rest
