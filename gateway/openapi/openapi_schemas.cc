#include "gateway/openapi/openapi_schemas.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "boost/json/array.hpp"
#include "boost/json/value.hpp"
#include "common/fields/field_rules.h"
#include "common/fields/formats.h"
#include "gateway/json/field_text.h"
#include "google/api/field_behavior.pb.h"
#include "google/api/resource.pb.h"
#include "transparency/type/v1/annotations.pb.h"

namespace transparency::gateway::openapi {
namespace {

using boost::json::array;
using boost::json::object;
using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

constexpr absl::string_view kOurPackage = "transparency.";
constexpr char kPatchSuffix[] = ".patch";

boost::json::string Text(absl::string_view text) {
  return boost::json::string(
      boost::json::string_view(text.data(), text.size()));
}

const fields::FieldRules& RulesOf(const FieldDescriptor& field) {
  return fields::RulesOf(*field.containing_type())
      .fields[static_cast<size_t>(field.index())];
}

bool HasBehavior(const FieldDescriptor& field,
                 google::api::FieldBehavior behavior) {
  const auto& options = field.options();
  for (int i = 0; i < options.ExtensionSize(google::api::field_behavior); ++i) {
    if (options.GetExtension(google::api::field_behavior, i) == behavior) {
      return true;
    }
  }
  return false;
}

bool SetByServer(const FieldDescriptor& field) {
  const fields::FieldRules& rules = RulesOf(field);
  return rules.output_only || rules.identifier;
}

const std::string& AudienceOf(const FieldDescriptor& field) {
  return field.options().GetExtension(type::v1::audience);
}

// The schema of a type that JSON writes as no object of its fields; empty for
// the others.
object WellKnown(const Descriptor& type) {
  switch (type.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      return {{"type", "string"}, {"format", "date-time"}};
    case Descriptor::WELLKNOWNTYPE_DURATION:
      return {{"type", "string"},
              {"pattern", "^-?[0-9]+(\\.[0-9]{1,9})?s$"},
              {"examples", array{"3600s"}}};
    case Descriptor::WELLKNOWNTYPE_FIELDMASK:
      return {{"type", "string"}};
    case Descriptor::WELLKNOWNTYPE_STRUCT:
      return {{"type", "object"}, {"additionalProperties", true}};
    case Descriptor::WELLKNOWNTYPE_LISTVALUE:
      return {{"type", "array"}, {"items", object()}};
    case Descriptor::WELLKNOWNTYPE_ANY:
      return {{"type", "object"},
              {"properties", {{"@type", {{"type", "string"}}}}},
              {"required", array{"@type"}},
              {"additionalProperties", true}};
    default:
      return {};
  }
}

bool IsWrapper(const Descriptor& type) {
  return type.well_known_type() >= Descriptor::WELLKNOWNTYPE_DOUBLEVALUE &&
         type.well_known_type() <= Descriptor::WELLKNOWNTYPE_BOOLVALUE;
}

void AddFormat(type::v1::Format format, object* schema) {
  switch (format) {
    case type::v1::COUNTRY:
      (*schema)["pattern"] = "^[A-Z]{2}$";
      break;
    case type::v1::SHA256:
      (*schema)["pattern"] = "^[0-9a-f]{64}$";
      break;
    case type::v1::URI:
      (*schema)["format"] = "uri";
      break;
    case type::v1::UUID4:
      (*schema)["format"] = "uuid";
      break;
    case type::v1::EMAIL:
      (*schema)["format"] = "email";
      break;
    default:
      break;
  }
}

void AppendSentence(absl::string_view sentence, std::string* text) {
  if (sentence.empty()) return;
  absl::StrAppend(text, text->empty() ? "" : "\n\n", sentence);
}

}  // namespace

OpenApiSchemas::OpenApiSchemas(const contract::Comments* comments,
                               const std::vector<const Descriptor*>& requests)
    : comments_(*comments) {
  std::vector<const Descriptor*> next = requests;
  while (!next.empty()) {
    const Descriptor* type = next.back();
    next.pop_back();
    if (!sent_.insert(type).second) continue;
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor& field = *type->field(i);
      if (field.message_type() != nullptr && !SetByServer(field)) {
        next.push_back(field.message_type());
      }
    }
  }
}

std::string OpenApiSchemas::NameOf(absl::string_view full_name) {
  absl::ConsumePrefix(&full_name, kOurPackage);
  return std::string(full_name);
}

object OpenApiSchemas::Reference(absl::string_view name) {
  return {{"$ref", Text(absl::StrCat("#/components/schemas/", name))}};
}

void OpenApiSchemas::Add(const std::string& name, object schema) {
  components_[name] = std::move(schema);
}

object OpenApiSchemas::Take() const {
  object all;
  for (const auto& [name, schema] : components_) all[name] = schema;
  return all;
}

object OpenApiSchemas::OfMessage(const Descriptor& type) {
  if (IsWrapper(type)) return Scalar(*type.FindFieldByNumber(1));
  if (type.well_known_type() == Descriptor::WELLKNOWNTYPE_VALUE) return {};
  if (object known = WellKnown(type); !known.empty()) return known;
  const std::string name = NameOf(type.full_name());
  // In place before its fields are looked at: a type may hold itself.
  if (components_.try_emplace(name).second) components_[name] = Inline(type);
  return Reference(name);
}

object OpenApiSchemas::Inline(const Descriptor& type) {
  return Object(type, Shape());
}

object OpenApiSchemas::OfField(const FieldDescriptor& field) {
  return Value(field, Shape());
}

object OpenApiSchemas::OfBody(const Descriptor& type,
                              const std::set<std::string>& elsewhere,
                              bool partial, const std::string& name) {
  const Shape shape{"", &elsewhere, partial};
  if (!Differs(type, shape)) return OfMessage(type);
  Add(name, Object(type, shape));
  return Reference(name);
}

bool OpenApiSchemas::Differs(const Descriptor& type, const Shape& shape) {
  return (shape.elsewhere != nullptr && !shape.elsewhere->empty()) ||
         (shape.partial && AsksForFields(type));
}

bool OpenApiSchemas::AsksForFields(const Descriptor& type) const {
  absl::flat_hash_set<const Descriptor*> seen;
  std::vector<const Descriptor*> next = {&type};
  while (!next.empty()) {
    const Descriptor* at = next.back();
    next.pop_back();
    if (!seen.insert(at).second || !WellKnown(*at).empty()) continue;
    for (int i = 0; i < at->field_count(); ++i) {
      const FieldDescriptor& field = *at->field(i);
      if (RulesOf(field).required) return true;
      if (field.message_type() != nullptr && !field.is_repeated()) {
        next.push_back(field.message_type());
      }
    }
  }
  return false;
}

object OpenApiSchemas::Object(const Descriptor& type, const Shape& shape) {
  object properties;
  array required;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (shape.elsewhere != nullptr &&
        shape.elsewhere->count(shape.at + field.name()) > 0) {
      continue;
    }
    properties[field.json_name()] = Value(field, shape);
    // Who is not of its audience does not get it.
    if (RulesOf(field).required && !shape.partial &&
        AudienceOf(field).empty()) {
      required.push_back(Text(field.json_name()));
    }
  }
  object schema = {{"type", "object"}};
  if (std::string text = Description(type); !text.empty()) {
    schema["description"] = text;
  }
  if (!properties.empty()) schema["properties"] = std::move(properties);
  if (!required.empty()) schema["required"] = std::move(required);
  if (type.options().deprecated()) schema["deprecated"] = true;
  return schema;
}

object OpenApiSchemas::Value(const FieldDescriptor& field, const Shape& shape) {
  object schema;
  if (field.is_map()) {
    schema["type"] = "object";
    schema["additionalProperties"] =
        Single(*field.message_type()->map_value(), Shape());
  } else if (field.is_repeated()) {
    schema["type"] = "array";
    schema["items"] = Single(field, Shape());
  } else {
    schema = Single(field, shape);
  }
  AddLimits(field, &schema);
  Describe(field, false, &schema);
  if (SetByServer(field)) schema["readOnly"] = true;
  if (HasBehavior(field, google::api::INPUT_ONLY)) schema["writeOnly"] = true;
  return schema;
}

object OpenApiSchemas::Single(const FieldDescriptor& field,
                              const Shape& shape) {
  const Descriptor* type = field.message_type();
  if (type == nullptr) return Scalar(field);
  const std::string at = absl::StrCat(shape.at, field.name(), ".");
  const bool inside =
      shape.elsewhere != nullptr &&
      std::any_of(shape.elsewhere->begin(), shape.elsewhere->end(),
                  [&at](const auto& p) { return absl::StartsWith(p, at); });
  if (inside) return Object(*type, {at, shape.elsewhere, shape.partial});
  if (!shape.partial || !AsksForFields(*type)) return OfMessage(*type);
  const std::string name = NameOf(type->full_name()) + kPatchSuffix;
  if (components_.try_emplace(name).second) {
    components_[name] = Object(*type, {"", nullptr, true});
  }
  return Reference(name);
}

object OpenApiSchemas::Scalar(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return {{"type", "integer"}, {"format", "int32"}};
    case FieldDescriptor::CPPTYPE_UINT32:
      return {{"type", "integer"}, {"minimum", 0}, {"maximum", 4294967295U}};
    case FieldDescriptor::CPPTYPE_INT64:
      return {{"type", "string"},
              {"format", "int64"},
              {"pattern", "^-?[0-9]{1,19}$"}};
    case FieldDescriptor::CPPTYPE_UINT64:
      return {{"type", "string"},
              {"format", "uint64"},
              {"pattern", "^[0-9]{1,20}$"}};
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return {{"type", "number"}, {"format", "double"}};
    case FieldDescriptor::CPPTYPE_FLOAT:
      return {{"type", "number"}, {"format", "float"}};
    case FieldDescriptor::CPPTYPE_BOOL:
      return {{"type", "boolean"}};
    case FieldDescriptor::CPPTYPE_ENUM:
      return OfEnum(*field.enum_type());
    default:
      if (field.type() == FieldDescriptor::TYPE_BYTES) {
        return {{"type", "string"}, {"contentEncoding", "base64"}};
      }
      return {{"type", "string"}};
  }
}

object OpenApiSchemas::OfEnum(const EnumDescriptor& type) {
  if (type.full_name() == "google.protobuf.NullValue") {
    return {{"type", "null"}};
  }
  const std::string name = NameOf(type.full_name());
  if (components_.count(name) > 0) return Reference(name);
  array values;
  std::string text(comments_.Of(type.full_name()));
  std::string list;
  for (int i = 0; i < type.value_count(); ++i) {
    const auto& value = *type.value(i);
    values.push_back(Text(value.name()));
    std::vector<std::string> words;
    if (value.options().deprecated()) words.push_back("Deprecated.");
    const absl::string_view comment = comments_.Of(value.full_name());
    for (absl::string_view line :
         absl::StrSplit(comment, '\n', absl::SkipWhitespace())) {
      words.emplace_back(line);
    }
    if (words.empty()) continue;
    absl::StrAppend(&list, list.empty() ? "" : "\n", "- `", value.name(),
                    "`: ", absl::StrJoin(words, " "));
  }
  AppendSentence(list, &text);
  object schema = {{"type", "string"}, {"enum", std::move(values)}};
  if (!text.empty()) schema["description"] = text;
  if (type.options().deprecated()) schema["deprecated"] = true;
  Add(name, std::move(schema));
  return Reference(name);
}

object OpenApiSchemas::OfText(const FieldDescriptor& field) {
  const Descriptor* type = field.message_type();
  object one;
  if (type != nullptr && type->full_name() == "google.type.Date") {
    one = {{"type", "string"},
           {"pattern", "^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"},
           {"examples", array{"2019-12-31"}}};
  } else {
    one = Single(field, Shape());
  }
  object schema;
  if (field.is_repeated()) {
    schema = {{"type", "array"}, {"items", std::move(one)}};
  } else {
    schema = std::move(one);
  }
  AddLimits(field, &schema);
  Describe(field, true, &schema);
  return schema;
}

void OpenApiSchemas::AddLimits(const FieldDescriptor& field,
                               object* schema) const {
  const fields::FieldRules& rules = RulesOf(field);
  object* element = schema;
  const bool limited =
      sent_.contains(field.containing_type()) && !SetByServer(field);
  if (field.is_map()) {
    if (limited) (*schema)["maxProperties"] = rules.max_items;
  } else if (field.is_repeated()) {
    if (limited) (*schema)["maxItems"] = rules.max_items;
    element = &(*schema)["items"].as_object();
  }
  if (field.type() != FieldDescriptor::TYPE_STRING) return;
  if (limited) (*element)["maxLength"] = rules.max_length;
  AddFormat(rules.format, element);
}

void OpenApiSchemas::Describe(const FieldDescriptor& field, bool as_text,
                              object* schema) const {
  if (std::string text = Description(field, as_text); !text.empty()) {
    (*schema)["description"] = text;
  }
  if (field.options().deprecated()) (*schema)["deprecated"] = true;
}

std::string OpenApiSchemas::Description(const FieldDescriptor& field,
                                        bool as_text) const {
  const fields::FieldRules& rules = RulesOf(field);
  std::string text(comments_.Of(field.full_name()));
  if (rules.format != type::v1::FORMAT_UNSPECIFIED) {
    AppendSentence(
        absl::StrCat("Form: ", fields::DescribeFormat(rules.format), "."),
        &text);
  }
  if (as_text && field.message_type() != nullptr) {
    AppendSentence(absl::StrCat("Written as ", json::ExpectedText(field), "."),
                   &text);
  }
  if (!rules.reference_type.empty() && rules.reference_type != "*") {
    AppendSentence(
        absl::StrCat("Names a ", rules.names_parent ? "parent of " : "", "`",
                     rules.reference_type, "`."),
        &text);
  }
  if (rules.immutable) AppendSentence("Cannot be changed later.", &text);
  if (const auto* oneof = field.real_containing_oneof()) {
    std::vector<std::string> names;
    for (int i = 0; i < oneof->field_count(); ++i) {
      names.push_back(absl::StrCat("`", oneof->field(i)->json_name(), "`"));
    }
    AppendSentence(
        absl::StrCat("At most one of ", absl::StrJoin(names, ", "), " is set."),
        &text);
  }
  if (!AudienceOf(field).empty()) {
    AppendSentence(absl::StrCat("Only for callers for whom this holds: `",
                                AudienceOf(field), "`."),
                   &text);
  }
  return text;
}

std::string OpenApiSchemas::Description(const Descriptor& type) const {
  std::string text(comments_.Of(type.full_name()));
  const auto& resource = type.options().GetExtension(google::api::resource);
  if (resource.pattern_size() > 0) {
    AppendSentence(
        absl::StrCat("Resource `", resource.type(), "`, named `",
                     absl::StrJoin(resource.pattern(), "` or `"), "`."),
        &text);
  }
  const std::string& visible =
      type.options().GetExtension(type::v1::visible_when);
  if (!visible.empty()) {
    AppendSentence(absl::StrCat("Exists for callers for whom this holds: `",
                                visible, "`."),
                   &text);
  }
  return text;
}

}  // namespace transparency::gateway::openapi
