#include "gateway/rest/query.h"

#include <algorithm>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gateway/json/field_text.h"
#include "gateway/rest/path_template.h"

namespace transparency::gateway::rest {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

class QueryReader {
 public:
  QueryReader(const Route& route, Message* request, std::string* response_mask,
              status::Violations* violations)
      : route_(route),
        request_(*request),
        response_mask_(*response_mask),
        violations_(*violations) {}

  void ReadPair(absl::string_view pair) {
    const size_t equals = pair.find('=');
    std::string name, value;
    if (!Decode(pair.substr(0, equals), &name) || name.empty()) {
      return violations_.Add(json::Shown(pair.substr(0, equals)),
                             "no name of a query parameter in UTF-8");
    }
    if (equals != absl::string_view::npos &&
        !Decode(pair.substr(equals + 1), &value)) {
      return violations_.Add(json::Shown(name),
                             "expected UTF-8, percent-encoded as in RFC 3986");
    }
    if (name == "$fields" ||
        (name == "fields" &&
         json::FindField(*request_.GetDescriptor(), name) == nullptr)) {
      if (!response_mask_.empty()) {
        return violations_.Add(name, "given more than once");
      }
      response_mask_ = value;
      return;
    }
    ReadField(name, value);
  }

 private:
  static bool Decode(absl::string_view text, std::string* decoded) {
    return PercentDecode(absl::StrReplaceAll(text, {{"+", " "}}), false,
                         decoded) &&
           json::IsUtf8(*decoded);
  }

  void ReadField(const std::string& name, const std::string& value) {
    if (route_.whole_body) {
      return violations_.Add(json::Shown(name),
                             "no such query parameter: the body carries all "
                             "fields that the path does not");
    }
    FieldPath path;
    const Descriptor* type = request_.GetDescriptor();
    for (absl::string_view part : absl::StrSplit(name, '.')) {
      const FieldDescriptor* field =
          type == nullptr || (!path.empty() && path.back()->is_repeated())
              ? nullptr
              : json::FindField(*type, part);
      if (field == nullptr) return Unknown(name);
      path.push_back(field);
      type = field->message_type();
    }
    if (path[0] == route_.body) {
      return violations_.Add(json::Shown(name),
                             "no such query parameter: it is the "
                             "field that the body carries");
    }
    for (const Route::Variable& variable : route_.variables) {
      if (variable.field == path) {
        return violations_.Add(
            json::Shown(name),
            "no such query parameter: the path carries this field");
      }
    }
    const FieldDescriptor& leaf = *path.back();
    if (!json::TakesText(leaf)) {
      return violations_.Add(json::Shown(name),
                             leaf.is_map() || leaf.is_repeated()
                                 ? "no query parameter can carry this field"
                                 : "name a field inside it, such as a.b=1");
    }
    if (!leaf.is_repeated() && !seen_.insert(path).second) {
      return violations_.Add(json::Shown(name), "given more than once");
    }
    Set(path, name, value);
  }

  void Set(const FieldPath& path, const std::string& name,
           const std::string& value) {
    Message* message = &request_;
    for (size_t i = 0; i < path.size(); ++i) {
      const auto* oneof = path[i]->real_containing_oneof();
      const FieldDescriptor* chosen =
          oneof == nullptr ? nullptr
                           : message->GetReflection()->GetOneofFieldDescriptor(
                                 *message, oneof);
      if (chosen != nullptr && chosen != path[i]) {
        return violations_.Add(
            json::Shown(name),
            absl::StrCat(chosen->json_name(),
                         " is given too; at most one of them is"));
      }
      if (i + 1 < path.size()) {
        message = message->GetReflection()->MutableMessage(message, path[i]);
      }
    }
    if (!json::SetFromText(value, *path.back(), message)) {
      violations_.Add(
          json::Shown(name),
          absl::StrCat("expected ", json::ExpectedText(*path.back()),
                       ", not \"", json::Shown(value), "\""));
    }
  }

  void Unknown(const std::string& name) {
    constexpr size_t kMost = 30;
    const Descriptor& type = *request_.GetDescriptor();
    std::vector<absl::string_view> known;
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor* field = type.field(i);
      const bool in_path = std::any_of(
          route_.variables.begin(), route_.variables.end(),
          [field](const Route::Variable& variable) {
            return variable.field.size() == 1 && variable.field[0] == field;
          });
      if (!in_path && field != route_.body && known.size() < kMost) {
        known.push_back(field->json_name());
      }
    }
    violations_.Add(json::Shown(name),
                    known.empty()
                        ? "no such query parameter; this method takes none"
                        : absl::StrCat("no such query parameter; expected ",
                                       absl::StrJoin(known, ", ")));
  }

  const Route& route_;
  Message& request_;
  std::string& response_mask_;
  status::Violations& violations_;
  absl::flat_hash_set<FieldPath> seen_;
};

}  // namespace

void ReadQuery(absl::string_view query, const Route& route, Message* request,
               std::string* response_mask, status::Violations* violations) {
  if (query.empty()) return;
  QueryReader reader(route, request, response_mask, violations);
  for (absl::string_view pair : absl::StrSplit(query, '&', absl::SkipEmpty())) {
    reader.ReadPair(pair);
  }
}

}  // namespace transparency::gateway::rest
