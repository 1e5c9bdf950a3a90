#include "gateway/json/field_text.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/charconv.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"

namespace transparency::gateway::json {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Most that google.protobuf.Duration holds, 10,000 years, in seconds.
constexpr int64_t kMaxDurationSeconds = 315'576'000'000;

template <typename Int>
bool ParseInteger(absl::string_view text, Int* value) {
  // SimpleAtoi trims blanks; a value with blanks is a mistake here.
  if (text.empty() || absl::ascii_isspace(text.front()) ||
      absl::ascii_isspace(text.back()) || text.front() == '+') {
    return false;
  }
  if (absl::SimpleAtoi(text, value)) return true;
  // 1.0 and 1e3 are whole numbers too, as JSON writes them.
  if (text.find_first_of(".eE") == absl::string_view::npos) return false;
  double number = 0;
  auto end = absl::from_chars(text.data(), text.data() + text.size(), number);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) {
    return false;
  }
  // The exclusive upper bound is a power of two and thus exact as a double.
  const double low = static_cast<double>(std::numeric_limits<Int>::min());
  const double high = std::ldexp(1.0, std::numeric_limits<Int>::digits);
  if (!(number >= low && number < high) || number != std::floor(number)) {
    return false;
  }
  *value = static_cast<Int>(number);
  return true;
}

bool ParseReal(absl::string_view text, double* value) {
  if (text == "NaN") {
    *value = std::numeric_limits<double>::quiet_NaN();
  } else if (text == "Infinity") {
    *value = std::numeric_limits<double>::infinity();
  } else if (text == "-Infinity") {
    *value = -std::numeric_limits<double>::infinity();
  } else {
    // absl also takes 0x10 and inf.
    if (text.empty() || text[0] == '+' ||
        text.find_first_not_of("0123456789+-.eE") != absl::string_view::npos) {
      return false;
    }
    auto end = absl::from_chars(text.data(), text.data() + text.size(), *value);
    return end.ec == std::errc() && end.ptr == text.data() + text.size() &&
           std::isfinite(*value);
  }
  return true;
}

bool ParseBool(absl::string_view text, bool* value) {
  *value = text == "true";
  return *value || text == "false";
}

bool ParseEnum(absl::string_view text, const EnumDescriptor& type, int* value) {
  if (const EnumValueDescriptor* named =
          type.FindValueByName(std::string(text))) {
    *value = named->number();
    return true;
  }
  int32_t number = 0;
  if (!ParseInteger(text, &number)) return false;
  *value = number;
  return true;
}

bool ParseTimestamp(absl::string_view text, Message* message) {
  absl::Time time;
  std::string error;
  // absl also takes blanks and "infinite-future".
  if (text.size() < 20 || text.size() > 64 || !absl::ascii_isdigit(text[0]) ||
      absl::ascii_isspace(text.back()) ||
      !absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return false;
  }
  const int64_t seconds = absl::ToUnixSeconds(time);
  constexpr int64_t kYear1 = -62'135'596'800;
  constexpr int64_t kYear10000 = 253'402'300'800;
  if (seconds < kYear1 || seconds >= kYear10000) return false;
  const auto nanos = static_cast<int32_t>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds)));
  const Descriptor& type = *message->GetDescriptor();
  const Reflection& reflection = *message->GetReflection();
  reflection.SetInt64(message, type.FindFieldByNumber(1), seconds);
  reflection.SetInt32(message, type.FindFieldByNumber(2), nanos);
  return true;
}

bool ParseDuration(absl::string_view text, Message* message) {
  if (text.empty() || text.back() != 's') return false;
  text.remove_suffix(1);
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  if (parts.size() > 2 || parts[0].empty() ||
      !absl::ascii_isdigit(parts[0][0])) {
    return false;
  }
  int64_t seconds = 0;
  if (!ParseInteger(parts[0], &seconds) || seconds > kMaxDurationSeconds) {
    return false;
  }
  int32_t nanos = 0;
  if (parts.size() == 2) {
    std::string digits(parts[1]);
    if (digits.empty() || digits.size() > 9) return false;
    for (char c : digits) {
      if (!absl::ascii_isdigit(c)) return false;
    }
    digits.resize(9, '0');
    if (!absl::SimpleAtoi(digits, &nanos)) return false;
  }
  const Descriptor& type = *message->GetDescriptor();
  const Reflection& reflection = *message->GetReflection();
  reflection.SetInt64(message, type.FindFieldByNumber(1),
                      negative ? -seconds : seconds);
  reflection.SetInt32(message, type.FindFieldByNumber(2),
                      negative ? -nanos : nanos);
  return true;
}

// Whether a path with an underscore is in the proto's spelling: one that JSON
// can write too, and be read for the same path again.
bool IsSnakeCase(absl::string_view path) {
  for (size_t i = 0; i < path.size(); ++i) {
    if (absl::ascii_isupper(path[i]) ||
        (path[i] == '_' &&
         (i + 1 == path.size() || !absl::ascii_islower(path[i + 1])))) {
      return false;
    }
  }
  return true;
}

// JSON writes paths in camelCase.
std::string ToSnakeCase(absl::string_view path) {
  std::string snake;
  for (char c : path) {
    if (absl::ascii_isupper(c)) {
      snake += '_';
      snake += absl::ascii_tolower(c);
    } else {
      snake += c;
    }
  }
  return snake;
}

bool ParseFieldMask(absl::string_view text, Message* message) {
  const FieldDescriptor* paths = message->GetDescriptor()->FindFieldByNumber(1);
  std::vector<std::string> parsed;
  for (absl::string_view path : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    path = absl::StripAsciiWhitespace(path);
    if (path.empty() || !IsUtf8(path)) return false;
    if (path.find('_') == absl::string_view::npos) {
      parsed.push_back(ToSnakeCase(path));
    } else if (IsSnakeCase(path)) {
      parsed.emplace_back(path);
    } else {
      return false;
    }
  }
  for (std::string& path : parsed) {
    message->GetReflection()->AddString(message, paths, std::move(path));
  }
  return true;
}

// 2019, 2019-12 or 2019-12-31: google.type.Date knows all three.
bool ParseDate(absl::string_view text, Message* message) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '-');
  if (parts.size() > 3 || parts[0].size() != 4) return false;
  int32_t numbers[3] = {0, 0, 0};
  for (size_t i = 0; i < parts.size(); ++i) {
    if ((i > 0 && parts[i].size() != 2) || !absl::ascii_isdigit(parts[i][0]) ||
        !ParseInteger(parts[i], &numbers[i]) || numbers[i] == 0) {
      return false;
    }
  }
  if (parts.size() > 1) {
    const absl::CivilDay day(numbers[0], numbers[1],
                             parts.size() == 3 ? numbers[2] : 1);
    if (day.month() != numbers[1] ||
        (parts.size() == 3 && day.day() != numbers[2])) {
      return false;
    }
  }
  const Descriptor& type = *message->GetDescriptor();
  for (int i = 0; i < 3; ++i) {
    message->GetReflection()->SetInt32(message, type.FindFieldByNumber(i + 1),
                                       numbers[i]);
  }
  return true;
}

enum class TextForm {
  kNone,
  kWrapper,
  kTimestamp,
  kDuration,
  kFieldMask,
  kDate
};

TextForm FormOf(const Descriptor& type) {
  switch (type.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      return TextForm::kTimestamp;
    case Descriptor::WELLKNOWNTYPE_DURATION:
      return TextForm::kDuration;
    case Descriptor::WELLKNOWNTYPE_FIELDMASK:
      return TextForm::kFieldMask;
    case Descriptor::WELLKNOWNTYPE_DOUBLEVALUE:
    case Descriptor::WELLKNOWNTYPE_FLOATVALUE:
    case Descriptor::WELLKNOWNTYPE_INT64VALUE:
    case Descriptor::WELLKNOWNTYPE_UINT64VALUE:
    case Descriptor::WELLKNOWNTYPE_INT32VALUE:
    case Descriptor::WELLKNOWNTYPE_UINT32VALUE:
    case Descriptor::WELLKNOWNTYPE_STRINGVALUE:
    case Descriptor::WELLKNOWNTYPE_BYTESVALUE:
    case Descriptor::WELLKNOWNTYPE_BOOLVALUE:
      return TextForm::kWrapper;
    default:
      return type.full_name() == "google.type.Date" ? TextForm::kDate
                                                    : TextForm::kNone;
  }
}

bool ParseInto(absl::string_view text, Message* message) {
  switch (FormOf(*message->GetDescriptor())) {
    case TextForm::kTimestamp:
      return ParseTimestamp(text, message);
    case TextForm::kDuration:
      return ParseDuration(text, message);
    case TextForm::kFieldMask:
      return ParseFieldMask(text, message);
    case TextForm::kDate:
      return ParseDate(text, message);
    case TextForm::kWrapper:
      return SetFromText(text, *message->GetDescriptor()->FindFieldByNumber(1),
                         message);
    case TextForm::kNone:
      return false;
  }
  return false;
}

bool SetMessage(absl::string_view text, const FieldDescriptor& field,
                Message* message) {
  const Reflection& reflection = *message->GetReflection();
  // Into a message of its own first, so that bad text changes nothing.
  std::unique_ptr<Message> value(reflection.GetMessageFactory()
                                     ->GetPrototype(field.message_type())
                                     ->New());
  if (!ParseInto(text, value.get())) return false;
  Message* target = field.is_repeated()
                        ? reflection.AddMessage(message, &field)
                        : reflection.MutableMessage(message, &field);
  target->GetReflection()->Swap(target, value.get());
  return true;
}

std::string ExpectedEnum(const EnumDescriptor& type) {
  constexpr int kMost = 20;
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count() && i < kMost; ++i) {
    names.push_back(type.value(i)->name());
  }
  if (type.value_count() > kMost) names.push_back("...");
  return absl::StrCat("one of ", absl::StrJoin(names, ", "));
}

template <typename Int>
std::string ExpectedInteger() {
  return absl::StrCat("a whole number from ", std::numeric_limits<Int>::min(),
                      " to ", std::numeric_limits<Int>::max());
}

std::string ExpectedMessage(const Descriptor& type) {
  switch (FormOf(type)) {
    case TextForm::kTimestamp:
      return "a time as in RFC 3339, such as 2019-12-31T23:59:59Z, of the "
             "years 1 to 9999";
    case TextForm::kDuration:
      return "a duration in seconds that ends in s, such as 1.5s";
    case TextForm::kFieldMask:
      return "field paths separated by commas, such as title,validUntil";
    case TextForm::kDate:
      return "a date such as 2019-12-31, or 2019-12 or 2019";
    case TextForm::kWrapper:
      return ExpectedText(*type.FindFieldByNumber(1));
    case TextForm::kNone:
      return "an object";
  }
  return "an object";
}

}  // namespace

bool TakesText(const FieldDescriptor& field) {
  if (field.is_map()) return false;
  return field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE ||
         FormOf(*field.message_type()) != TextForm::kNone;
}

std::string ExpectedText(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return ExpectedInteger<int32_t>();
    case FieldDescriptor::CPPTYPE_INT64:
      return ExpectedInteger<int64_t>();
    case FieldDescriptor::CPPTYPE_UINT32:
      return ExpectedInteger<uint32_t>();
    case FieldDescriptor::CPPTYPE_UINT64:
      return ExpectedInteger<uint64_t>();
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "a number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return ExpectedEnum(*field.enum_type());
    case FieldDescriptor::CPPTYPE_STRING:
      return field.type() == FieldDescriptor::TYPE_BYTES ? "base64"
                                                         : "text in UTF-8";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ExpectedMessage(*field.message_type());
  }
  return "another value";
}

bool SetFromText(absl::string_view text, const FieldDescriptor& field,
                 Message* message) {
  const Reflection& to = *message->GetReflection();
  const bool add = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      int32_t value = 0;
      if (!ParseInteger(text, &value)) return false;
      add ? to.AddInt32(message, &field, value)
          : to.SetInt32(message, &field, value);
      return true;
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      int64_t value = 0;
      if (!ParseInteger(text, &value)) return false;
      add ? to.AddInt64(message, &field, value)
          : to.SetInt64(message, &field, value);
      return true;
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      uint32_t value = 0;
      if (!ParseInteger(text, &value)) return false;
      add ? to.AddUInt32(message, &field, value)
          : to.SetUInt32(message, &field, value);
      return true;
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      uint64_t value = 0;
      if (!ParseInteger(text, &value)) return false;
      add ? to.AddUInt64(message, &field, value)
          : to.SetUInt64(message, &field, value);
      return true;
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      double value = 0;
      if (!ParseReal(text, &value)) return false;
      add ? to.AddDouble(message, &field, value)
          : to.SetDouble(message, &field, value);
      return true;
    }
    case FieldDescriptor::CPPTYPE_FLOAT: {
      double value = 0;
      if (!ParseReal(text, &value)) return false;
      if (std::isfinite(value) &&
          std::abs(value) > std::numeric_limits<float>::max()) {
        return false;
      }
      add ? to.AddFloat(message, &field, static_cast<float>(value))
          : to.SetFloat(message, &field, static_cast<float>(value));
      return true;
    }
    case FieldDescriptor::CPPTYPE_BOOL: {
      bool value = false;
      if (!ParseBool(text, &value)) return false;
      add ? to.AddBool(message, &field, value)
          : to.SetBool(message, &field, value);
      return true;
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      int value = 0;
      if (!ParseEnum(text, *field.enum_type(), &value)) return false;
      add ? to.AddEnumValue(message, &field, value)
          : to.SetEnumValue(message, &field, value);
      return true;
    }
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string value;
      if (field.type() == FieldDescriptor::TYPE_BYTES) {
        if (!DecodeBase64(text, &value)) return false;
      } else {
        if (!IsUtf8(text)) return false;
        value.assign(text.data(), text.size());
      }
      add ? to.AddString(message, &field, std::move(value))
          : to.SetString(message, &field, std::move(value));
      return true;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return !field.is_map() && SetMessage(text, field, message);
  }
  return false;
}

const FieldDescriptor* FindField(const Descriptor& type,
                                 absl::string_view name) {
  const std::string key(name);
  if (const FieldDescriptor* field = type.FindFieldByName(key)) return field;
  if (const FieldDescriptor* field = type.FindFieldByCamelcaseName(key)) {
    return field;
  }
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->json_name() == key) return type.field(i);
  }
  return nullptr;
}

std::string Shown(absl::string_view text) {
  constexpr size_t kMost = 80;
  const bool cut = text.size() > kMost;
  std::string shown;
  if (IsUtf8(text)) {
    size_t end = cut ? kMost : text.size();
    while (cut && end > 0 && (text[end] & 0xC0) == 0x80) --end;
    for (char c : text.substr(0, end)) {
      shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
    }
  } else {
    shown = absl::CHexEscape(text.substr(0, kMost));
  }
  if (cut) shown += "...";
  return shown;
}

bool IsUtf8(absl::string_view text, size_t* where) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  size_t i = 0;
  while (i < text.size()) {
    // Eight ASCII bytes at a time: nearly all of what comes.
    while (i + 8 <= text.size()) {
      uint64_t word;
      memcpy(&word, bytes + i, 8);
      if ((word & 0x8080808080808080) != 0) break;
      i += 8;
    }
    if (i == text.size()) break;
    const unsigned char lead = bytes[i];
    size_t length = 1;
    if (lead >= 0x80) {
      // The second byte's bounds rule out overlong forms, surrogates and what
      // lies above U+10FFFF.
      unsigned char low = 0x80, high = 0xBF;
      if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
      } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        if (lead == 0xE0) low = 0xA0;
        if (lead == 0xED) high = 0x9F;
      } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        if (lead == 0xF0) low = 0x90;
        if (lead == 0xF4) high = 0x8F;
      }
      bool good = length > 1 && i + length <= text.size() &&
                  bytes[i + 1] >= low && bytes[i + 1] <= high;
      for (size_t k = 2; good && k < length; ++k) {
        good = (bytes[i + k] & 0xC0) == 0x80;
      }
      if (!good) {
        if (where != nullptr) *where = i;
        return false;
      }
    }
    i += length;
  }
  return true;
}

bool DecodeBase64(absl::string_view text, std::string* bytes) {
  const bool standard = text.find_first_of("+/") != absl::string_view::npos;
  const bool url_safe = text.find_first_of("-_") != absl::string_view::npos;
  // absl skips blanks inside.
  if ((standard && url_safe) ||
      text.find_first_of(" \t\r\n\v\f") != absl::string_view::npos) {
    return false;
  }
  return url_safe ? absl::WebSafeBase64Unescape(text, bytes)
                  : absl::Base64Unescape(text, bytes);
}

}  // namespace transparency::gateway::json
