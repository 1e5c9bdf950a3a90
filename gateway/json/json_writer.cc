#include "gateway/json/json_writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"

namespace transparency::gateway::json {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

struct JsonWriter::Plan {
  struct Field {
    const FieldDescriptor* field;
    std::string key;             // "\"validUntil\":"
    const Plan* type = nullptr;  // of the field's message type
  };
  Descriptor::WellKnownType known;
  std::vector<Field> fields;
};

namespace {

using Plan = JsonWriter::Plan;

// For what needs a plan that is not linked from another: the contents of Any.
// The number is how many Any there are around it.
using Write = std::function<void(const Message&, int, std::string*)>;

// An Any in an Any is bytes to the parser, whose depth limit does not see it.
constexpr int kMostAnyInAny = 8;

void AppendReal(double value, bool single, std::string* json) {
  if (std::isnan(value)) {
    json->append("\"NaN\"");
  } else if (std::isinf(value)) {
    json->append(value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  } else {
    char digits[32];
    const auto end =
        single ? std::to_chars(digits, digits + sizeof(digits),
                               static_cast<float>(value))
               : std::to_chars(digits, digits + sizeof(digits), value);
    json->append(digits, end.ptr);
  }
}

template <typename Int>
void AppendInteger(Int value, bool quoted, std::string* json) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value);
  if (quoted) json->push_back('"');
  json->append(digits, end.ptr);
  if (quoted) json->push_back('"');
}

// 0, 3, 6 or 9 digits, as many as it takes.
void AppendFraction(int32_t nanos, std::string* json) {
  if (nanos == 0) return;
  if (nanos % 1'000'000 == 0) {
    absl::StrAppendFormat(json, ".%03d", nanos / 1'000'000);
  } else if (nanos % 1'000 == 0) {
    absl::StrAppendFormat(json, ".%06d", nanos / 1'000);
  } else {
    absl::StrAppendFormat(json, ".%09d", nanos);
  }
}

void AppendTimestamp(int64_t seconds, int32_t nanos, std::string* json) {
  const absl::CivilSecond civil =
      absl::ToCivilSecond(absl::FromUnixSeconds(seconds), absl::UTCTimeZone());
  absl::StrAppendFormat(json, "\"%04d-%02d-%02dT%02d:%02d:%02d", civil.year(),
                        civil.month(), civil.day(), civil.hour(),
                        civil.minute(), civil.second());
  AppendFraction(nanos, json);
  json->append("Z\"");
}

void AppendDuration(int64_t seconds, int32_t nanos, std::string* json) {
  json->push_back('"');
  if (seconds < 0 || nanos < 0) json->push_back('-');
  absl::StrAppend(json, seconds < 0 ? 0 - static_cast<uint64_t>(seconds)
                                    : static_cast<uint64_t>(seconds));
  AppendFraction(std::abs(nanos), json);
  json->append("s\"");
}

std::string ToCamelCase(absl::string_view path) {
  std::string camel;
  bool raise = false;
  for (char c : path) {
    if (c == '_') {
      raise = true;
    } else {
      camel += raise ? absl::ascii_toupper(c) : c;
      raise = false;
    }
  }
  return camel;
}

void AppendFieldMask(const Message& mask, std::string* json) {
  const FieldDescriptor* paths = mask.GetDescriptor()->FindFieldByNumber(1);
  const Reflection& reflection = *mask.GetReflection();
  std::string joined;
  for (int i = 0; i < reflection.FieldSize(mask, paths); ++i) {
    if (i > 0) joined += ',';
    joined += ToCamelCase(reflection.GetRepeatedString(mask, paths, i));
  }
  AppendJsonString(joined, json);
}

// Writes one message by its plan.
class Printer {
 public:
  Printer(const Write& write, int any_depth, std::string* json)
      : write_(write), any_depth_(any_depth), json_(*json) {}

  void Print(const Message& message, const Plan& plan);
  void PrintField(const Message& message, const Plan::Field& field);

 private:
  void PrintMembers(const Message& message, const Plan& plan, bool first);
  void PrintMap(const Message& message, const Plan::Field& field);
  void PrintSingular(const Message& message, const Plan::Field& field);
  void PrintElement(const Message& message, const Plan::Field& field, int i);
  void PrintEnum(const FieldDescriptor& field, int value);
  void PrintString(const FieldDescriptor& field, const std::string& value);
  void PrintValue(const Message& message, const Plan& plan);
  void PrintAny(const Message& message);

  const Write& write_;
  const int any_depth_;
  std::string& json_;
};

void Printer::Print(const Message& message, const Plan& plan) {
  const Reflection& from = *message.GetReflection();
  switch (plan.known) {
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      return AppendTimestamp(from.GetInt64(message, plan.fields[0].field),
                             from.GetInt32(message, plan.fields[1].field),
                             &json_);
    case Descriptor::WELLKNOWNTYPE_DURATION:
      return AppendDuration(from.GetInt64(message, plan.fields[0].field),
                            from.GetInt32(message, plan.fields[1].field),
                            &json_);
    case Descriptor::WELLKNOWNTYPE_FIELDMASK:
      return AppendFieldMask(message, &json_);
    case Descriptor::WELLKNOWNTYPE_ANY:
      return PrintAny(message);
    case Descriptor::WELLKNOWNTYPE_VALUE:
      return PrintValue(message, plan);
    case Descriptor::WELLKNOWNTYPE_UNSPECIFIED:
      json_.push_back('{');
      PrintMembers(message, plan, true);
      json_.push_back('}');
      return;
    default:
      // Struct, ListValue and the wrappers are their one field.
      return PrintField(message, plan.fields[0]);
  }
}

void Printer::PrintMembers(const Message& message, const Plan& plan,
                           bool first) {
  const Reflection& from = *message.GetReflection();
  for (const Plan::Field& field : plan.fields) {
    const bool set = field.field->is_repeated()
                         ? from.FieldSize(message, field.field) > 0
                         : from.HasField(message, field.field);
    if (!set) continue;
    if (!first) json_.push_back(',');
    first = false;
    json_.append(field.key);
    PrintField(message, field);
  }
}

void Printer::PrintField(const Message& message, const Plan::Field& field) {
  if (field.field->is_map()) return PrintMap(message, field);
  if (!field.field->is_repeated()) return PrintSingular(message, field);
  json_.push_back('[');
  const int size = message.GetReflection()->FieldSize(message, field.field);
  for (int i = 0; i < size; ++i) {
    if (i > 0) json_.push_back(',');
    PrintElement(message, field, i);
  }
  json_.push_back(']');
}

void Printer::PrintMap(const Message& message, const Plan::Field& field) {
  const Reflection& from = *message.GetReflection();
  const Plan::Field& key = field.type->fields[0];
  const Plan::Field& value = field.type->fields[1];
  std::vector<std::pair<std::string, const Message*>> entries;
  const int size = from.FieldSize(message, field.field);
  entries.reserve(static_cast<size_t>(size));
  for (int i = 0; i < size; ++i) {
    const Message& entry = from.GetRepeatedMessage(message, field.field, i);
    std::string text;
    Printer(write_, any_depth_, &text).PrintSingular(entry, key);
    // Keys are strings in JSON, whatever their type.
    if (text.empty() || text[0] != '"') text = absl::StrCat("\"", text, "\"");
    entries.emplace_back(std::move(text), &entry);
  }
  std::sort(entries.begin(), entries.end());
  json_.push_back('{');
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0) json_.push_back(',');
    json_.append(entries[i].first);
    json_.push_back(':');
    PrintSingular(*entries[i].second, value);
  }
  json_.push_back('}');
}

void Printer::PrintSingular(const Message& message, const Plan::Field& field) {
  const Reflection& from = *message.GetReflection();
  const FieldDescriptor& f = *field.field;
  switch (f.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return AppendInteger(from.GetInt32(message, &f), false, &json_);
    case FieldDescriptor::CPPTYPE_UINT32:
      return AppendInteger(from.GetUInt32(message, &f), false, &json_);
    case FieldDescriptor::CPPTYPE_INT64:
      return AppendInteger(from.GetInt64(message, &f), true, &json_);
    case FieldDescriptor::CPPTYPE_UINT64:
      return AppendInteger(from.GetUInt64(message, &f), true, &json_);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return AppendReal(from.GetDouble(message, &f), false, &json_);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return AppendReal(static_cast<double>(from.GetFloat(message, &f)), true,
                        &json_);
    case FieldDescriptor::CPPTYPE_BOOL:
      json_.append(from.GetBool(message, &f) ? "true" : "false");
      return;
    case FieldDescriptor::CPPTYPE_ENUM:
      return PrintEnum(f, from.GetEnumValue(message, &f));
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      return PrintString(f, from.GetStringReference(message, &f, &scratch));
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return Print(from.GetMessage(message, &f), *field.type);
  }
}

void Printer::PrintElement(const Message& message, const Plan::Field& field,
                           int i) {
  const Reflection& from = *message.GetReflection();
  const FieldDescriptor& f = *field.field;
  switch (f.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return AppendInteger(from.GetRepeatedInt32(message, &f, i), false,
                           &json_);
    case FieldDescriptor::CPPTYPE_UINT32:
      return AppendInteger(from.GetRepeatedUInt32(message, &f, i), false,
                           &json_);
    case FieldDescriptor::CPPTYPE_INT64:
      return AppendInteger(from.GetRepeatedInt64(message, &f, i), true, &json_);
    case FieldDescriptor::CPPTYPE_UINT64:
      return AppendInteger(from.GetRepeatedUInt64(message, &f, i), true,
                           &json_);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return AppendReal(from.GetRepeatedDouble(message, &f, i), false, &json_);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return AppendReal(
          static_cast<double>(from.GetRepeatedFloat(message, &f, i)), true,
          &json_);
    case FieldDescriptor::CPPTYPE_BOOL:
      json_.append(from.GetRepeatedBool(message, &f, i) ? "true" : "false");
      return;
    case FieldDescriptor::CPPTYPE_ENUM:
      return PrintEnum(f, from.GetRepeatedEnumValue(message, &f, i));
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      return PrintString(
          f, from.GetRepeatedStringReference(message, &f, i, &scratch));
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return Print(from.GetRepeatedMessage(message, &f, i), *field.type);
  }
}

void Printer::PrintEnum(const FieldDescriptor& field, int value) {
  if (field.enum_type()->full_name() == "google.protobuf.NullValue") {
    json_.append("null");
    return;
  }
  const auto* named = field.enum_type()->FindValueByNumber(value);
  // A value newer than this process.
  if (named == nullptr) return AppendInteger(value, false, &json_);
  json_.push_back('"');
  json_.append(named->name());
  json_.push_back('"');
}

void Printer::PrintString(const FieldDescriptor& field,
                          const std::string& value) {
  if (field.type() != FieldDescriptor::TYPE_BYTES) {
    return AppendJsonString(value, &json_);
  }
  json_.push_back('"');
  json_.append(absl::Base64Escape(value));
  json_.push_back('"');
}

void Printer::PrintValue(const Message& message, const Plan& plan) {
  const Reflection& from = *message.GetReflection();
  for (const Plan::Field& field : plan.fields) {
    if (from.HasField(message, field.field)) {
      return PrintSingular(message, field);
    }
  }
  json_.append("null");
}

void Printer::PrintAny(const Message& message) {
  const Descriptor& any = *message.GetDescriptor();
  const Reflection& from = *message.GetReflection();
  const std::string url = from.GetString(message, any.FindFieldByNumber(1));
  const std::string bytes = from.GetString(message, any.FindFieldByNumber(2));
  const Descriptor* type =
      any.file()->pool()->FindMessageTypeByName(url.substr(url.rfind('/') + 1));
  json_.append("{\"@type\":");
  AppendJsonString(url, &json_);
  std::unique_ptr<Message> content;
  if (type != nullptr && any_depth_ < kMostAnyInAny) {
    content.reset(from.GetMessageFactory()->GetPrototype(type)->New());
    if (!content->ParsePartialFromString(bytes)) content = nullptr;
  }
  if (content == nullptr) {
    json_.append(",\"value\":\"");
    json_.append(absl::Base64Escape(bytes));
    json_.append("\"}");
    return;
  }
  std::string written;
  write_(*content, any_depth_ + 1, &written);
  if (type->well_known_type() != Descriptor::WELLKNOWNTYPE_UNSPECIFIED) {
    absl::StrAppend(&json_, ",\"value\":", written, "}");
  } else if (written == "{}") {
    json_.push_back('}');
  } else {
    json_.push_back(',');
    json_.append(written, 1);
  }
}

}  // namespace

JsonWriter::JsonWriter() = default;
JsonWriter::~JsonWriter() = default;

const JsonWriter::Plan& JsonWriter::PlanOf(const Descriptor& type) const {
  {
    absl::ReaderMutexLock lock(&mutex_);
    auto found = plans_.find(&type);
    if (found != plans_.end()) return *found->second;
  }
  absl::MutexLock lock(&mutex_);
  return *Prepare(type);
}

const JsonWriter::Plan* JsonWriter::Prepare(const Descriptor& type) const {
  auto [entry, inserted] = plans_.try_emplace(&type, nullptr);
  if (!inserted) return entry->second.get();
  // Entered before its fields: types refer to themselves.
  auto* plan = new Plan{type.well_known_type(), {}};
  entry->second.reset(plan);
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    std::string key;
    AppendJsonString(field.json_name(), &key);
    key += ':';
    plan->fields.push_back({&field, std::move(key),
                            field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE
                                ? Prepare(*field.message_type())
                                : nullptr});
  }
  return plan;
}

void JsonWriter::Write(const Message& message, std::string* json) const {
  WriteInside(message, 0, json);
}

void JsonWriter::WriteInside(const Message& message, int any_depth,
                             std::string* json) const {
  const json::Write write = [this](const Message& inner, int depth,
                                   std::string* out) {
    WriteInside(inner, depth, out);
  };
  Printer(write, any_depth, json)
      .Print(message, PlanOf(*message.GetDescriptor()));
}

void JsonWriter::WriteField(const Message& message,
                            const FieldDescriptor& field,
                            std::string* json) const {
  if (!field.is_repeated() &&
      field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
      !message.GetReflection()->HasField(message, &field)) {
    json->append("null");
    return;
  }
  const json::Write write = [this](const Message& inner, int depth,
                                   std::string* out) {
    WriteInside(inner, depth, out);
  };
  const Plan& plan = PlanOf(*message.GetDescriptor());
  Printer(write, 0, json)
      .PrintField(message, plan.fields[static_cast<size_t>(field.index())]);
}

void AppendJsonString(absl::string_view text, std::string* json) {
  static constexpr char kHex[] = "0123456789abcdef";
  json->push_back('"');
  size_t start = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F) continue;
    json->append(text.data() + start, i - start);
    start = i + 1;
    json->push_back('\\');
    switch (c) {
      case '"':
      case '\\':
        json->push_back(static_cast<char>(c));
        break;
      case '\b':
        json->push_back('b');
        break;
      case '\f':
        json->push_back('f');
        break;
      case '\n':
        json->push_back('n');
        break;
      case '\r':
        json->push_back('r');
        break;
      case '\t':
        json->push_back('t');
        break;
      default:
        json->append("u00");
        json->push_back(kHex[c >> 4]);
        json->push_back(kHex[c & 0xF]);
    }
  }
  json->append(text.data() + start, text.size() - start);
  json->push_back('"');
}

}  // namespace transparency::gateway::json
