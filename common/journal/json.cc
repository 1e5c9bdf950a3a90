#include "common/journal/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/field_mask_util.h"
#include "google/protobuf/util/time_util.h"

namespace transparency::journal {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

enum class Style { kCanonical, kColumn };

// UTF-16 code units, by which RFC 8785 orders keys.
std::u16string CodeUnits(const std::string& text) {
  std::u16string units;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80   ? 1
                          : lead < 0xe0 ? 2
                          : lead < 0xf0 ? 3
                                        : 4;
    uint32_t code = length == 1 ? lead : lead & (0x7fu >> length);
    for (size_t k = 1; k < length && i + k < text.size(); ++k) {
      code = (code << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3f);
    }
    i += length;
    if (code < 0x10000) {
      units.push_back(static_cast<char16_t>(code));
    } else {
      units.push_back(static_cast<char16_t>(0xd7c0 + (code >> 10)));
      units.push_back(static_cast<char16_t>(0xdc00 + (code & 0x3ff)));
    }
  }
  return units;
}

bool KeyLess(const std::string& a, const std::string& b) {
  const auto high = [](char c) { return (c & 0x80) != 0; };
  const bool ascii = std::none_of(a.begin(), a.end(), high) &&
                     std::none_of(b.begin(), b.end(), high);
  return ascii ? a < b : CodeUnits(a) < CodeUnits(b);
}

// ECMAScript's Number::toString over the shortest digits that read back as the
// same value (of a float: the same float).
template <class Real>
void AppendReal(Real value, std::string* out) {
  if (std::isnan(value)) {
    out->append("\"NaN\"");
    return;
  }
  if (std::isinf(value)) {
    out->append(value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    return;
  }
  if (value == 0) {
    out->push_back('0');
    return;
  }
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value,
                                 std::chars_format::scientific);
  std::string text(buffer, end.ptr);
  if (text[0] == '-') {
    out->push_back('-');
    text.erase(0, 1);
  }
  const size_t e = text.find('e');
  const int exponent = std::stoi(text.substr(e + 1)) + 1;
  std::string digits = text.substr(0, 1);
  if (e > 2) digits += text.substr(2, e - 2);
  const int count = static_cast<int>(digits.size());
  if (count <= exponent && exponent <= 21) {
    absl::StrAppend(out, digits,
                    std::string(static_cast<size_t>(exponent - count), '0'));
  } else if (0 < exponent && exponent <= 21) {
    digits.insert(static_cast<size_t>(exponent), ".");
    out->append(digits);
  } else if (-6 < exponent && exponent <= 0) {
    absl::StrAppend(out, "0.", std::string(static_cast<size_t>(-exponent), '0'),
                    digits);
  } else {
    if (count > 1) digits.insert(1, ".");
    absl::StrAppend(out, digits, "e", exponent > 0 ? "+" : "-",
                    std::abs(exponent - 1));
  }
}

class JsonWriter {
 public:
  JsonWriter(Style style, std::string* out) : style_(style), out_(out) {}

  void Object(const Message& message) {
    if (WellKnown(message)) return;
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    if (style_ == Style::kCanonical) {
      std::sort(fields.begin(), fields.end(), [](const auto* a, const auto* b) {
        return a->json_name() < b->json_name();
      });
    }
    out_->push_back('{');
    const char* separator = "";
    for (const FieldDescriptor* field : fields) {
      absl::StrAppend(
          out_, separator, "\"",
          style_ == Style::kCanonical ? field->json_name() : field->name(),
          "\":");
      Field(message, field);
      separator = ",";
    }
    out_->push_back('}');
  }

  void Field(const Message& message, const FieldDescriptor* field) {
    if (field->is_map()) {
      Map(message, field);
    } else if (field->is_repeated()) {
      out_->push_back('[');
      const int size = message.GetReflection()->FieldSize(message, field);
      for (int i = 0; i < size; ++i) {
        if (i > 0) out_->push_back(',');
        Element(message, field, i);
      }
      out_->push_back(']');
    } else {
      Single(message, field);
    }
  }

 private:
  void Map(const Message& message, const FieldDescriptor* field) {
    const auto* reflection = message.GetReflection();
    const FieldDescriptor* key = field->message_type()->map_key();
    const FieldDescriptor* value = field->message_type()->map_value();
    std::vector<std::pair<std::string, const Message*>> entries;
    const int size = reflection->FieldSize(message, field);
    for (int i = 0; i < size; ++i) {
      const Message& entry = reflection->GetRepeatedMessage(message, field, i);
      std::string name;
      if (key->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
        name = entry.GetReflection()->GetString(entry, key);
      } else {
        JsonWriter(Style::kColumn, &name).Single(entry, key);
      }
      entries.emplace_back(std::move(name), &entry);
    }
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      return KeyLess(a.first, b.first);
    });
    out_->push_back('{');
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out_->push_back(',');
      AppendJsonString(entries[i].first, out_);
      out_->push_back(':');
      Single(*entries[i].second, value);
    }
    out_->push_back('}');
  }

  void Single(const Message& m, const FieldDescriptor* f) {
    const auto* r = m.GetReflection();
    std::string scratch;
    switch (f->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return Small(r->GetInt32(m, f));
      case FieldDescriptor::CPPTYPE_UINT32:
        return Small(r->GetUInt32(m, f));
      case FieldDescriptor::CPPTYPE_INT64:
        return Large(r->GetInt64(m, f));
      case FieldDescriptor::CPPTYPE_UINT64:
        return Large(r->GetUInt64(m, f));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return AppendReal(r->GetDouble(m, f), out_);
      case FieldDescriptor::CPPTYPE_FLOAT:
        return AppendReal(r->GetFloat(m, f), out_);
      case FieldDescriptor::CPPTYPE_BOOL:
        return Bool(r->GetBool(m, f));
      case FieldDescriptor::CPPTYPE_ENUM:
        return Enum(f, r->GetEnumValue(m, f));
      case FieldDescriptor::CPPTYPE_STRING:
        return Text(f, r->GetStringReference(m, f, &scratch));
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Object(r->GetMessage(m, f));
    }
  }

  void Element(const Message& m, const FieldDescriptor* f, int i) {
    const auto* r = m.GetReflection();
    std::string scratch;
    switch (f->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return Small(r->GetRepeatedInt32(m, f, i));
      case FieldDescriptor::CPPTYPE_UINT32:
        return Small(r->GetRepeatedUInt32(m, f, i));
      case FieldDescriptor::CPPTYPE_INT64:
        return Large(r->GetRepeatedInt64(m, f, i));
      case FieldDescriptor::CPPTYPE_UINT64:
        return Large(r->GetRepeatedUInt64(m, f, i));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return AppendReal(r->GetRepeatedDouble(m, f, i), out_);
      case FieldDescriptor::CPPTYPE_FLOAT:
        return AppendReal(r->GetRepeatedFloat(m, f, i), out_);
      case FieldDescriptor::CPPTYPE_BOOL:
        return Bool(r->GetRepeatedBool(m, f, i));
      case FieldDescriptor::CPPTYPE_ENUM:
        return Enum(f, r->GetRepeatedEnumValue(m, f, i));
      case FieldDescriptor::CPPTYPE_STRING:
        return Text(f, r->GetRepeatedStringReference(m, f, i, &scratch));
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Object(r->GetRepeatedMessage(m, f, i));
    }
  }

  template <class Int>
  void Small(Int value) {
    absl::StrAppend(out_, value);
  }
  template <class Int>
  void Large(Int value) {
    if (style_ == Style::kColumn) return Small(value);
    absl::StrAppend(out_, "\"", value, "\"");
  }
  void Bool(bool value) { out_->append(value ? "true" : "false"); }

  void Enum(const FieldDescriptor* field, int number) {
    const auto* value = field->enum_type()->FindValueByNumber(number);
    if (field->enum_type()->full_name() == "google.protobuf.NullValue") {
      out_->append("null");
    } else if (value != nullptr) {
      absl::StrAppend(out_, "\"", value->name(), "\"");
    } else {
      absl::StrAppend(out_, number);
    }
  }

  void Text(const FieldDescriptor* field, const std::string& value) {
    if (field->type() != FieldDescriptor::TYPE_BYTES) {
      AppendJsonString(value, out_);
    } else if (style_ == Style::kColumn) {
      absl::StrAppend(out_, "\"\\\\x", absl::BytesToHexString(value), "\"");
    } else {
      absl::StrAppend(out_, "\"", absl::Base64Escape(value), "\"");
    }
  }

  // Messages that JSON shows otherwise than by their fields; false for others.
  bool WellKnown(const Message& message) {
    const std::string& type = message.GetDescriptor()->full_name();
    if (type == "google.type.Date" && style_ == Style::kColumn) {
      Date(message);
      return true;
    }
    if (!absl::StartsWith(type, "google.protobuf.")) return false;
    if (type == "google.protobuf.Timestamp") {
      AppendJsonString(google::protobuf::util::TimeUtil::ToString(
                           As<google::protobuf::Timestamp>(message)),
                       out_);
    } else if (type == "google.protobuf.Duration") {
      AppendJsonString(google::protobuf::util::TimeUtil::ToString(
                           As<google::protobuf::Duration>(message)),
                       out_);
    } else if (type == "google.protobuf.FieldMask") {
      std::string paths;
      google::protobuf::util::FieldMaskUtil::ToJsonString(
          As<google::protobuf::FieldMask>(message), &paths);
      AppendJsonString(paths, out_);
    } else if (type == "google.protobuf.Struct") {
      Map(message, message.GetDescriptor()->FindFieldByName("fields"));
    } else if (type == "google.protobuf.ListValue") {
      Field(message, message.GetDescriptor()->FindFieldByName("values"));
    } else if (type == "google.protobuf.Value") {
      DynamicValue(message);
    } else if (absl::EndsWith(type, "Value")) {
      Single(message, message.GetDescriptor()->FindFieldByName("value"));
    } else {
      return false;
    }
    return true;
  }

  // A generated message, whatever pool `message` came from.
  template <class T>
  static T As(const Message& message) {
    T typed;
    typed.ParseFromString(message.SerializeAsString());
    return typed;
  }

  void DynamicValue(const Message& message) {
    std::vector<const FieldDescriptor*> set;
    message.GetReflection()->ListFields(message, &set);
    if (set.empty()) {
      out_->append("null");
    } else {
      Single(message, set.front());
    }
  }

  void Date(const Message& message) {
    const auto* reflection = message.GetReflection();
    const auto part = [&](const char* name) {
      return reflection->GetInt32(
          message, message.GetDescriptor()->FindFieldByName(name));
    };
    const int year = part("year"), month = part("month"), day = part("day");
    if (year == 0 || month == 0 || day == 0) {
      out_->append("null");
    } else {
      absl::StrAppendFormat(out_, "\"%04d-%02d-%02d\"", year, month, day);
    }
  }

  const Style style_;
  std::string* const out_;
};

bool HasNothing(const Message& message, const FieldDescriptor* field) {
  if (field->is_repeated()) return false;
  const auto* reflection = message.GetReflection();
  if (reflection->HasField(message, field)) return false;
  return field->has_presence() ||
         field->cpp_type() == FieldDescriptor::CPPTYPE_STRING ||
         field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM;
}

}  // namespace

void AppendJsonString(const std::string& text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        out->append("\\\"");
        break;
      case '\\':
        out->append("\\\\");
        break;
      case '\b':
        out->append("\\b");
        break;
      case '\t':
        out->append("\\t");
        break;
      case '\n':
        out->append("\\n");
        break;
      case '\f':
        out->append("\\f");
        break;
      case '\r':
        out->append("\\r");
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          absl::StrAppendFormat(out, "\\u%04x", static_cast<unsigned>(c));
        } else {
          out->push_back(c);
        }
    }
  }
  out->push_back('"');
}

std::string CanonicalJson(const Message& message) {
  std::string out;
  JsonWriter(Style::kCanonical, &out).Object(message);
  return out;
}

void AppendColumnJson(const Message& message, const FieldDescriptor* field,
                      std::string* out) {
  if (HasNothing(message, field)) {
    out->append("null");
  } else {
    JsonWriter(Style::kColumn, out).Field(message, field);
  }
}

}  // namespace transparency::journal
