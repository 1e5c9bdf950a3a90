#include "gateway/pack/tables.h"

#include <cstdint>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "boost/json/object.hpp"
#include "boost/json/serialize.hpp"
#include "common/fields/field_rules.h"
#include "common/fields/request_check.h"
#include "common/query/filter_syntax.h"
#include "common/query/order.h"
#include "common/query/page_token.h"
#include "common/query/search_query.h"
#include "common/resource/list_page.h"
#include "common/rpc/status_mapping.h"
#include "common/status/status.h"
#include "google/rpc/code.pb.h"
#include "transparency/type/v1/refusal.pb.h"

namespace transparency::gateway {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

std::string Cell(const object& row, const std::string& key) {
  const value* cell = row.if_contains(key);
  if (cell == nullptr) return "";
  if (cell->is_string()) {
    return absl::StrReplaceAll(cell->as_string().c_str(),
                               {{"\n", " "}, {"|", "\\|"}});
  }
  if (cell->is_array()) {
    std::vector<std::string> parts;
    for (const value& part : cell->as_array()) {
      parts.emplace_back(part.as_string().c_str());
    }
    return absl::StrJoin(parts, ", ");
  }
  return boost::json::serialize(*cell);
}

// What a caller does about a code, where a reason says nothing more.
const char* AdviceOf(google::rpc::Code code) {
  switch (code) {
    case google::rpc::INVALID_ARGUMENT:
    case google::rpc::OUT_OF_RANGE:
      return "Correct the request; the same again is refused again.";
    case google::rpc::NOT_FOUND:
      return "Check the name; what the caller may not see is not found either.";
    case google::rpc::ALREADY_EXISTS:
      return "Use what exists, or choose another value.";
    case google::rpc::ABORTED:
      return "Read again and decide anew.";
    case google::rpc::FAILED_PRECONDITION:
      return "Change first what the details name.";
    case google::rpc::UNAUTHENTICATED:
      return "Send a known bearer token.";
    case google::rpc::PERMISSION_DENIED:
      return "Ask for the role; trying again does not help.";
    case google::rpc::RESOURCE_EXHAUSTED:
      return "Wait as RetryInfo says, then try again.";
    case google::rpc::UNAVAILABLE:
      return "Nothing was done: try again, later each time.";
    case google::rpc::DEADLINE_EXCEEDED:
      return "Try again with more time; a change with the same request_id.";
    case google::rpc::UNIMPLEMENTED:
      return "Check the method's name and this server's version.";
    case google::rpc::INTERNAL:
      return "Report it with the request id.";
    case google::rpc::CANCELLED:
      return "Nothing: the caller ended the call.";
    default:
      return "Ask again with the same request_id.";
  }
}

object Row(const char* limit, int64_t number, const char* unit) {
  return {{"limit", limit}, {"value", number}, {"unit", unit}};
}

// Adds the rows of a message that clients send, and of those inside it. Fields
// are named by their message, so that each is listed once.
void AddFields(const Descriptor& type, std::map<std::string, object>* by_name) {
  for (const fields::FieldRules& rules : fields::RulesOf(type).fields) {
    const FieldDescriptor& field = *rules.field;
    if (rules.output_only || rules.identifier ||
        by_name->count(field.full_name()) > 0) {
      continue;
    }
    const bool is_text = field.type() == FieldDescriptor::TYPE_STRING;
    object row = {{"field", field.full_name()}};
    if (is_text) row["max_length"] = rules.max_length;
    if (field.is_repeated()) row["max_items"] = rules.max_items;
    if (rules.format != type::v1::FORMAT_UNSPECIFIED) {
      row["format"] = type::v1::Format_Name(rules.format);
    }
    if (rules.required) row["required"] = true;
    by_name->emplace(field.full_name(), std::move(row));
    if (rules.message != nullptr &&
        !absl::StartsWith(rules.message->type->full_name(), "google.")) {
      AddFields(*rules.message->type, by_name);
    }
  }
}

}  // namespace

std::string ToMarkdown(const Table& table) {
  std::string text = absl::StrCat("## ", table.title, "\n\n| ",
                                  absl::StrJoin(table.keys, " | "), " |\n|");
  for (size_t i = 0; i < table.keys.size(); ++i) text += "---|";
  for (const value& row : table.rows) {
    text += "\n|";
    for (const std::string& key : table.keys) {
      absl::StrAppend(&text, " ", Cell(row.as_object(), key), " |");
    }
  }
  return text + "\n";
}

Table ProcessLimits(const http::Options& http,
                    const rpc::ServiceOptions& grpc) {
  Table table{"Calls, messages and pages", {"limit", "value", "unit"}, {}};
  const auto add = [&table](const char* limit, auto number, const char* unit) {
    table.rows.push_back(Row(limit, static_cast<int64_t>(number), unit));
  };
  const auto seconds = [](absl::Duration d) { return absl::ToInt64Seconds(d); };
  add("gRPC: request message", grpc.max_request_bytes, "bytes");
  add("gRPC: unary deadline, cap", seconds(grpc.max_call_time), "s");
  add("gRPC: stream deadline, cap", seconds(grpc.max_stream_time), "s");
  add("HTTP: connections", http.max_connections, "");
  add("HTTP: streams", http.max_streams, "");
  add("HTTP: calls under way", http.max_calls, "");
  add("HTTP: of these and of held bytes one address gets 1 in",
      http.address_share, "");
  add("HTTP: bodies held at one time", http.max_held_bytes, "bytes");
  add("HTTP: request body", http.max_body_bytes, "bytes");
  add("HTTP: request head", http.max_head_bytes, "bytes");
  add("HTTP: request target", http.max_target_bytes, "bytes");
  add("HTTP: headers of a call to a service", http.max_onward_header_bytes,
      "bytes");
  add("HTTP: nesting of JSON", http.max_json_depth, "levels");
  add("HTTP: names and values of JSON", http.max_json_values, "");
  add("HTTP: deadline without X-Server-Timeout",
      seconds(http.default_call_timeout), "s");
  add("HTTP: deadline, cap", seconds(http.max_call_timeout), "s");
  add("status with its details", rpc::kMaxStatusBytes, "bytes");
  add("violations listed in one BadRequest", status::kMaxViolations, "");
  add("page size, default", query::kDefaultPageSize, "resources");
  add("page size, cap", query::kMaxPageSize, "resources");
  add("page ends at", resource::kMaxPageBytes, "bytes");
  add("page in the order of names looks at", resource::kMaxExamined,
      "resources");
  add("filter", query::filter_syntax::kMaxLength, "characters");
  add("terms of a filter", query::filter_syntax::kMaxTerms, "");
  add("terms of a filter that search through text",
      query::filter_syntax::kMaxSearches, "");
  add("nesting of a filter", query::filter_syntax::kMaxDepth, "levels");
  add("fields of an order", query::Order::kMaxFields, "");
  add("words of a search", query::SearchQuery::kMaxWords, "");
  add("nesting of messages", fields::kMaxMessageDepth, "levels");
  add("text without a limit of its own", fields::kDefaultMaxLength,
      "characters");
  add("repeated field without a limit of its own", fields::kDefaultMaxItems,
      "elements");
  return table;
}

Table FieldLimits(const contract::ServiceList& services) {
  std::map<std::string, object> by_name;
  for (const auto* service : services) {
    for (int i = 0; i < service->method_count(); ++i) {
      AddFields(*service->method(i)->input_type(), &by_name);
    }
  }
  Table table{"Fields that clients send",
              {"field", "max_length", "max_items", "format", "required"},
              {}};
  for (auto& [name, row] : by_name) {
    if (row.size() > 1) table.rows.push_back(std::move(row));
  }
  return table;
}

Table Reasons(const contract::FileList& files,
              const contract::ServiceList& services,
              const contract::Comments& comments) {
  Table table{"Reasons of refusals",
              {"reason", "domain", "codes", "meaning", "advice"},
              {}};
  for (const auto* reasons : contract::ReasonEnums(files, services)) {
    // "certification" of transparency.certification.v1.
    const std::vector<std::string> package =
        absl::StrSplit(reasons->file()->package(), '.');
    const bool common = reasons->name() == "CommonErrorReason";
    for (int i = 0; i < reasons->value_count(); ++i) {
      const auto& reason = *reasons->value(i);
      if (reason.number() == 0) continue;
      const auto& refusal = reason.options().GetExtension(type::v1::refusal);
      array codes;
      for (const int code : refusal.codes()) {
        codes.push_back(boost::json::string(
            google::rpc::Code_Name(static_cast<google::rpc::Code>(code))));
      }
      std::string advice = refusal.advice();
      if (advice.empty() && refusal.codes_size() > 0) {
        advice = AdviceOf(refusal.codes(0));
      }
      table.rows.push_back(
          object{{"reason", reason.name()},
                 {"domain", common ? std::string("any")
                                   : absl::StrCat(package[1], ".transparency")},
                 {"codes", std::move(codes)},
                 {"meaning", std::string(comments.Of(reason.full_name()))},
                 {"advice", advice}});
    }
  }
  return table;
}

}  // namespace transparency::gateway
