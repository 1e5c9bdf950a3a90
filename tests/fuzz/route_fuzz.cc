// Path templates, paths and queries. A template that is read is written and
// read again alike. A path that is found leads back to its route when its
// values are put into the pattern; a query sets what it says, whatever the
// order of its parameters. Input: a verb, a path, a query, a template, a line
// each.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"
#include "gateway/json/tests/library.pb.h"
#include "gateway/rest/path_template.h"
#include "gateway/rest/query.h"
#include "gateway/rest/route_table.h"
#include "tests/fuzz/fuzz.h"

namespace {

namespace gateway = transparency::gateway;
using transparency::fuzz::Require;

const gateway::rest::RouteTable& Routes() {
  static const auto* const routes = [] {
    static auto* const types = new gateway::rest::MessageTypes;
    const auto* file = gateway::library::v1::Book::descriptor()->file();
    auto built = gateway::rest::RouteTable::Build({file->service(0)}, types);
    Require(built.ok(), "the routes of the tests are fine",
            built.status().ToString());
    return new gateway::rest::RouteTable(std::move(*built));
  }();
  return *routes;
}

std::string Written(const gateway::rest::PathTemplate& read) {
  std::string text;
  size_t at = 0;
  const auto segments = [&](size_t begin, size_t end) {
    return absl::StrJoin(read.segments.begin() + static_cast<long>(begin),
                         read.segments.begin() + static_cast<long>(end), "/");
  };
  std::vector<gateway::rest::PathTemplate::Variable> variables = read.variables;
  for (const auto& variable : variables) {
    for (; at < variable.begin; ++at) {
      absl::StrAppend(&text, "/", read.segments[at]);
    }
    absl::StrAppend(&text, "/{", variable.field_path, "=",
                    segments(variable.begin, variable.end), "}");
    at = variable.end;
  }
  for (; at < read.segments.size(); ++at) {
    absl::StrAppend(&text, "/", read.segments[at]);
  }
  return absl::StrCat(text, read.verb.empty() ? "" : ":", read.verb);
}

void CheckTemplate(absl::string_view text) {
  const auto read = gateway::rest::ParsePathTemplate(text);
  if (!read.ok()) return;
  const std::string written = Written(*read);
  const auto again = gateway::rest::ParsePathTemplate(written);
  Require(again.ok(), "a template that is written can be read", written);
  Require(again->segments == read->segments && again->verb == read->verb &&
              again->variables.size() == read->variables.size() &&
              Written(*again) == written,
          "and is the same", written);
}

// RFC 3986's unreserved characters stand for themselves.
std::string Encoded(absl::string_view value, bool keep_slash) {
  std::string text;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        absl::ascii_isalnum(byte) ||
        absl::string_view("-._~").find(c) != absl::string_view::npos ||
        (c == '/' && keep_slash);
    if (plain) {
      text.push_back(c);
    } else {
      absl::StrAppend(&text, "%", absl::Hex(byte, absl::kZeroPad2));
    }
  }
  return text;
}

void CheckPath(absl::string_view verb, absl::string_view path) {
  const gateway::rest::RouteMatch match = Routes().Find(verb, path);
  if (match.outcome != gateway::rest::RouteMatch::Outcome::kFound) return;
  const gateway::rest::Route& route = *match.route;
  Require(match.values.size() == route.variables.size(),
          "each variable has its value");
  const auto read = gateway::rest::ParsePathTemplate(route.pattern);
  Require(read.ok(), "the pattern of a route is a template");
  std::vector<std::string> segments = read->segments;
  std::string rendered;
  size_t at = 0;
  for (size_t i = 0; i < route.variables.size(); ++i) {
    const auto& variable = read->variables[i];
    for (; at < variable.begin; ++at) {
      absl::StrAppend(&rendered, "/", segments[at]);
    }
    // An escaped slash was left escaped in a value of several segments.
    if (variable.multi_segment &&
        absl::StrContains(absl::AsciiStrToUpper(match.values[i]), "%2F")) {
      return;
    }
    absl::StrAppend(&rendered, "/",
                    Encoded(match.values[i], variable.multi_segment));
    at = variable.end;
  }
  for (; at < segments.size(); ++at) {
    absl::StrAppend(&rendered, "/", segments[at]);
  }
  absl::StrAppend(&rendered, read->verb.empty() ? "" : ":", read->verb);
  const gateway::rest::RouteMatch again = Routes().Find(verb, rendered);
  Require(again.outcome == match.outcome && again.route == match.route &&
              again.values == match.values,
          "a path leads to where its values lead",
          absl::StrCat(path, "\n", rendered));
}

void CheckQuery(absl::string_view query) {
  for (const auto& route : Routes().routes()) {
    const auto ask = [&](absl::string_view text,
                         google::protobuf::Message* request) {
      transparency::status::Violations violations;
      std::string mask;
      gateway::rest::ReadQuery(text, *route, request, &mask, &violations);
      return violations.ToStatus().ok();
    };
    const std::unique_ptr<google::protobuf::Message> once(
        route->request->New());
    if (!ask(query, once.get())) continue;
    const std::unique_ptr<google::protobuf::Message> again(
        route->request->New());
    Require(ask(absl::StrCat("&", query, "&&"), again.get()) &&
                transparency::fuzz::Same(*once, *again),
            "empty parameters mean nothing");
    // Lists keep the order of their elements, so only those of one each turn.
    std::vector<absl::string_view> pairs =
        absl::StrSplit(query, '&', absl::SkipEmpty());
    std::vector<std::string> names;
    for (absl::string_view pair : pairs) {
      std::string name;
      (void)gateway::rest::PercentDecode(pair.substr(0, pair.find('=')), false,
                                         &name);
      names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    if (std::adjacent_find(names.begin(), names.end()) != names.end()) continue;
    std::reverse(pairs.begin(), pairs.end());
    const std::unique_ptr<google::protobuf::Message> turned(
        route->request->New());
    const bool fine = ask(absl::StrJoin(pairs, "&"), turned.get());
    Require(fine, "the order of parameters means nothing", std::string(query));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parts =
      transparency::fuzz::Lines(transparency::fuzz::Text(data, size), 3);
  CheckPath(parts[0], parts[1]);
  CheckQuery(parts[2]);
  CheckTemplate(parts[3]);
  return 0;
}
