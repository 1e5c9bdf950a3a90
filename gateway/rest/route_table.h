#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/rest/message_types.h"
#include "gateway/rest/path_template.h"
#include "google/api/http.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/message.h"

namespace transparency::gateway::rest {

// Fields from a message down to one of its parts.
using FieldPath = std::vector<const google::protobuf::FieldDescriptor*>;

// One google.api.http binding of one method.
struct Route {
  struct Variable {
    FieldPath field;
    std::string name;  // the field's path as in the proto
    size_t begin = 0;  // segments captured: [begin, end), or all from begin on
    size_t end = 0;
    bool to_the_end = false;
    bool multi_segment = false;
  };

  const google::protobuf::MethodDescriptor* method = nullptr;
  std::string rpc;          // "/package.Service/Method"
  std::string http_method;  // "GET"; "*" stands for any
  std::string pattern;      // as in the proto
  const google::protobuf::Message* request = nullptr;   // prototype
  const google::protobuf::Message* response = nullptr;  // prototype
  std::vector<Variable> variables;
  bool whole_body = false;  // body: "*"
  const google::protobuf::FieldDescriptor* body = nullptr;
  const google::protobuf::FieldDescriptor* response_body = nullptr;
};

// What a path and method stand for.
struct RouteMatch {
  enum class Outcome {
    kFound,
    kNoSuchPath,
    kOtherMethods,  // the path is known, under `allowed` methods
    kBadValue,      // `problem_field` cannot be read from the path
  };
  Outcome outcome = Outcome::kNoSuchPath;
  const Route* route = nullptr;
  std::vector<std::string> values;   // decoded, one for each variable
  std::vector<std::string> allowed;  // sorted; empty when found
  std::string problem_field;
  std::string problem;
};

// The bindings of all methods, built once, then immutable and thread-safe.
//
// A path matches the template that is literal earliest ("a/b" before "a/*"
// before "a/**"). A path that ends in ":verb" of some template that fits it
// means that verb and is no value of a template without one; an escaped colon
// ("%3A") is always part of a value.
class RouteTable {
 public:
  // Fails naming both methods when two claim the same path and HTTP method,
  // and naming the method when a binding refers to a field that is not there
  // or not of the right kind. Client-streaming methods have no routes.
  static absl::StatusOr<RouteTable> Build(
      const std::vector<const google::protobuf::ServiceDescriptor*>& services,
      MessageTypes* types);

  RouteTable(RouteTable&&) noexcept;
  RouteTable& operator=(RouteTable&&) noexcept;
  ~RouteTable();

  // `path` as it came, still percent-encoded, without the query. Pure.
  RouteMatch Find(absl::string_view http_method, absl::string_view path) const;

  // HTTP methods that the path knows, sorted; empty when there is no such path.
  std::vector<std::string> MethodsOf(absl::string_view path) const;

  const std::vector<std::unique_ptr<Route>>& routes() const { return routes_; }

 private:
  struct Node;
  // The routes of one template, by HTTP method.
  using Ends = absl::flat_hash_map<std::string, const Route*>;
  struct Search;

  RouteTable();
  absl::Status AddMethod(const google::protobuf::MethodDescriptor& method,
                         MessageTypes* types);
  absl::Status AddRule(const google::protobuf::MethodDescriptor& method,
                       const google::api::HttpRule& rule, MessageTypes* types);
  static absl::Status ResolveFields(
      const google::protobuf::MethodDescriptor& method,
      const google::api::HttpRule& rule, const PathTemplate& path,
      MessageTypes* types, Route* route);
  absl::Status Insert(const PathTemplate& path, std::unique_ptr<Route> route);
  static void Walk(const Node& node, size_t depth, Search* search);

  std::unique_ptr<Node> root_;
  std::vector<std::unique_ptr<Route>> routes_;
};

// The services of a descriptor set that `pool` holds.
std::vector<const google::protobuf::ServiceDescriptor*> ServicesOf(
    const google::protobuf::FileDescriptorSet& files,
    const google::protobuf::DescriptorPool& pool);

}  // namespace transparency::gateway::rest
