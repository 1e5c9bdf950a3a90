#include "gateway/openapi/openapi_errors.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "boost/json/array.hpp"
#include "boost/json/object.hpp"
#include "common/status/status.h"
#include "google/rpc/code.pb.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::gateway::openapi {
namespace {

using boost::json::array;
using boost::json::object;
using google::protobuf::Descriptor;

constexpr char kReason[] = "Error.Reason";

// The reasons' names; false when the contract has none.
bool AddReasons(const contract::FileList& files,
                const contract::ServiceList& services,
                const contract::Comments& comments, OpenApiSchemas* schemas) {
  std::vector<std::string> seen;
  array names;
  std::string text =
      "Why a call was refused. Later versions may bring further reasons.\n";
  for (const auto* reasons : contract::ReasonEnums(files, services)) {
    for (int i = 0; i < reasons->value_count(); ++i) {
      const auto& value = *reasons->value(i);
      if (value.number() == 0) continue;
      absl::StrAppend(
          &text, "\n- `", value.name(), "`: ",
          absl::StrReplaceAll(comments.Of(value.full_name()), {{"\n", " "}}));
      // Two services may give one reason, each with its own domain.
      if (std::find(seen.begin(), seen.end(), value.name()) != seen.end()) {
        continue;
      }
      seen.push_back(value.name());
      names.push_back(boost::json::string(value.name()));
    }
  }
  if (names.empty()) return false;
  schemas->Add(
      kReason,
      {{"type", "string"}, {"description", text}, {"enum", std::move(names)}});
  return true;
}

// A detail as Any writes it: its fields beside its type.
void AddDetail(const Descriptor& type, bool with_reasons,
               OpenApiSchemas* schemas, array* details) {
  const std::string name =
      absl::StrCat("Error.", OpenApiSchemas::NameOf(type.full_name()));
  object schema = schemas->Inline(type);
  object& properties = schema["properties"].as_object();
  if (with_reasons && &type == google::rpc::ErrorInfo::descriptor()) {
    object reason = OpenApiSchemas::Reference(kReason);
    reason["description"] = properties["reason"].as_object()["description"];
    properties["reason"] = std::move(reason);
  }
  object typed = {
      {"@type",
       {{"const", absl::StrCat(status::kTypeUrlPrefix, type.full_name())}}}};
  for (auto& [key, value] : properties) typed[key] = std::move(value);
  properties = std::move(typed);
  schema["required"] = array{"@type"};
  schemas->Add(name, std::move(schema));
  details->push_back(OpenApiSchemas::Reference(name));
}

array Codes() {
  array names;
  for (int code = google::rpc::Code_MIN; code <= google::rpc::Code_MAX;
       ++code) {
    if (google::rpc::Code_IsValid(code) && code != google::rpc::OK) {
      names.push_back(boost::json::string(
          google::rpc::Code_Name(static_cast<google::rpc::Code>(code))));
    }
  }
  return names;
}

}  // namespace

void AddErrorSchemas(const contract::FileList& files,
                     const contract::ServiceList& services,
                     const contract::Comments& comments,
                     OpenApiSchemas* schemas) {
  const bool with_reasons = AddReasons(files, services, comments, schemas);
  array details;
  for (const Descriptor* type : {google::rpc::ErrorInfo::descriptor(),
                                 google::rpc::BadRequest::descriptor(),
                                 google::rpc::PreconditionFailure::descriptor(),
                                 google::rpc::ResourceInfo::descriptor(),
                                 google::rpc::RetryInfo::descriptor(),
                                 google::rpc::QuotaFailure::descriptor(),
                                 google::rpc::RequestInfo::descriptor()}) {
    AddDetail(*type, with_reasons, schemas, &details);
  }
  for (const Descriptor* type : contract::DetailMessages(files, services)) {
    AddDetail(*type, with_reasons, schemas, &details);
  }
  const object inner = {
      {"type", "object"},
      {"properties",
       {{"code",
         {{"type", "integer"}, {"description", "The HTTP status code."}}},
        {"message",
         {{"type", "string"},
          {"description",
           "What is wrong, for developers. Its wording may change."}}},
        {"status",
         {{"type", "string"},
          {"description", "The name of the google.rpc.Code."},
          {"enum", Codes()}}},
        {"details",
         {{"type", "array"},
          {"description",
           "One ErrorInfo first, then what applies of the others."},
          {"items", {{"anyOf", std::move(details)}}}}}}},
      {"required", array{"code", "message", "status", "details"}}};
  schemas->Add("Error", {{"type", "object"},
                         {"description", "A refusal (AIP-193)."},
                         {"properties", {{"error", inner}}},
                         {"required", array{"error"}}});
}

}  // namespace transparency::gateway::openapi
