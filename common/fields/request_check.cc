#include "common/fields/request_check.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/civil.h"
#include "common/base/text.h"
#include "common/fields/field_rules.h"
#include "common/fields/formats.h"
#include "common/fields/names.h"
#include "common/status/status.h"
#include "google/protobuf/unknown_field_set.h"

namespace transparency::fields {
namespace {

// What an id is, for refusals of names.
constexpr char kIdHint[] =
    "; an id has a-z, 0-9 and -, and begins with a letter";

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Of google.protobuf.Timestamp: years 1 to 9999.
constexpr int64_t kFirstSecond = -62135596800;
constexpr int64_t kLastSecond = 253402300799;
// Of google.protobuf.Duration: some 10,000 years.
constexpr int64_t kMaxDurationSeconds = 315576000000;
constexpr int kNanos = 1000000000;

// What a request asks for, by the fields that its type has.
struct Mode {
  bool is_update = false;
  bool spans_parents = false;  // List, BatchGet
  bool is_resource = false;    // CheckResource
};

int64_t Int64At(const Message& value, int number) {
  return value.GetReflection()->GetInt64(
      value, value.GetDescriptor()->FindFieldByNumber(number));
}
int32_t Int32At(const Message& value, int number) {
  return value.GetReflection()->GetInt32(
      value, value.GetDescriptor()->FindFieldByNumber(number));
}

google::type::Date DateOf(const Message& value) {
  google::type::Date date;
  date.set_year(Int32At(value, 1));
  date.set_month(Int32At(value, 2));
  date.set_day(Int32At(value, 3));
  return date;
}

enum class TextKind { kPlain, kToNormalize, kControls };

// One pass over text: most is ASCII without control characters.
TextKind Classify(absl::string_view text) {
  bool ascii = true;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F) {
      return TextKind::kControls;
    }
    if (c < 0x80) continue;
    ascii = false;
    // U+0080 to U+009F.
    if (c == 0xC2 && i + 1 < text.size() &&
        static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      return TextKind::kControls;
    }
  }
  return ascii ? TextKind::kPlain : TextKind::kToNormalize;
}

class Checker {
 public:
  Checker(const Mode& mode, absl::string_view root) : mode_(mode) {
    if (!root.empty()) path_.push_back({root, -1});
  }

  void Check(Message* message, const MessageRules& rules, bool ask_required);
  absl::Status ToStatus() const { return violations_.ToStatus(); }

 private:
  struct Place {
    absl::string_view name;
    int index;  // -1: none
  };

  std::string Path() const {
    std::string path;
    for (const Place& place : path_) {
      if (!path.empty()) path.push_back('.');
      absl::StrAppend(&path, place.name);
      if (place.index >= 0) absl::StrAppend(&path, "[", place.index, "]");
    }
    return path;
  }
  void Wrong(absl::string_view what) { violations_.Add(Path(), what); }

  void CheckUnknown(const Message& message);
  void CheckField(Message* message, const FieldRules& rules, bool ask_required);
  void CheckElements(Message* message, const FieldRules& rules,
                     bool ask_required);
  void CheckOne(Message* message, const FieldRules& rules, int index,
                bool ask_required);
  void CheckMessage(Message* value, const FieldRules& rules, bool ask_required);
  void CheckText(Message* message, const FieldRules& rules, int index);
  void CheckReference(const FieldRules& rules, absl::string_view name);
  void CheckNumber(const Message& message, const FieldDescriptor& field,
                   int index);
  void CheckTimestamp(Message* value);
  void CheckDuration(const Message& value);
  void CheckDate(const Message& value);
  void CheckMoney(const Message& value);
  void CheckPeriodOf(const Message& value);

  const Mode mode_;
  std::vector<Place> path_;
  status::Violations violations_;
};

void Checker::Check(Message* message, const MessageRules& rules,
                    bool ask_required) {
  if (static_cast<int>(path_.size()) > kMaxMessageDepth) {
    return Wrong(absl::StrCat("is nested deeper than ", kMaxMessageDepth));
  }
  CheckUnknown(*message);
  for (const FieldRules& field : rules.fields) {
    if (field.output_only) continue;
    path_.push_back({field.field->name(), -1});
    if (!field.identifier || mode_.is_resource) {
      CheckField(message, field, ask_required);
    } else if (mode_.is_update) {
      CheckText(message, field, -1);
      const auto& name =
          message->GetReflection()->GetString(*message, field.field);
      if (name.empty()) {
        Wrong("is required");
      } else if (!HasPattern(name, rules.resource_pattern)) {
        Wrong(absl::StrCat("\"", text::Excerpt(name), "\" is not of the form ",
                           rules.resource_pattern, kIdHint));
      }
    }
    path_.pop_back();
  }
}

// A field that is not understood would be stored unchecked, or lost.
void Checker::CheckUnknown(const Message& message) {
  const auto& unknown = message.GetReflection()->GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    path_.push_back({"", -1});
    const std::string number = absl::StrCat(unknown.field(i).number());
    path_.back().name = number;
    Wrong("is a field number that this version does not know");
    path_.pop_back();
  }
}

void Checker::CheckField(Message* message, const FieldRules& rules,
                         bool ask_required) {
  const auto* reflection = message->GetReflection();
  const FieldDescriptor* field = rules.field;
  if (field->is_repeated()) {
    const int size = reflection->FieldSize(*message, field);
    if (size == 0 && rules.required && ask_required) Wrong("is required");
    if (size > rules.max_items) {
      return Wrong(
          absl::StrCat("has ", size, " elements, more than ", rules.max_items));
    }
    if (size > 0) CheckElements(message, rules, ask_required);
    return;
  }
  if (!reflection->HasField(*message, field)) {
    if (rules.required && ask_required) Wrong("is required");
    return;
  }
  CheckOne(message, rules, -1, ask_required);
}

void Checker::CheckElements(Message* message, const FieldRules& rules,
                            bool ask_required) {
  const int size = message->GetReflection()->FieldSize(*message, rules.field);
  for (int i = 0; i < size; ++i) {
    path_.back().index = i;
    CheckOne(message, rules, i, ask_required);
  }
  path_.back().index = -1;
}

void Checker::CheckOne(Message* message, const FieldRules& rules, int index,
                       bool ask_required) {
  const auto* reflection = message->GetReflection();
  const FieldDescriptor* field = rules.field;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      Message* value =
          index < 0 ? reflection->MutableMessage(message, field)
                    : reflection->MutableRepeatedMessage(message, field, index);
      return CheckMessage(value, rules, ask_required);
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return CheckText(message, rules, index);
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number =
          index < 0 ? reflection->GetEnumValue(*message, field)
                    : reflection->GetRepeatedEnumValue(*message, field, index);
      if (field->enum_type()->FindValueByNumber(number) == nullptr) {
        Wrong(absl::StrCat(number, " is no value of ",
                           field->enum_type()->full_name()));
      }
      return;
    }
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return CheckNumber(*message, *field, index);
    case FieldDescriptor::CPPTYPE_INT32:
      // Of the request itself: told with all else that is wrong.
      if (path_.size() == 1 && field->name() == "page_size" && index < 0) {
        if (reflection->GetInt32(*message, field) < 0) Wrong("is negative");
      }
      return;
    default:
      return;
  }
}

void Checker::CheckMessage(Message* value, const FieldRules& rules,
                           bool ask_required) {
  if (rules.message->value != Value::kNone) CheckUnknown(*value);
  switch (rules.message->value) {
    case Value::kTimestamp:
      return CheckTimestamp(value);
    case Value::kDuration:
      return CheckDuration(*value);
    case Value::kDate:
      return CheckDate(*value);
    case Value::kMoney:
      return CheckMoney(*value);
    case Value::kPeriod:
      return CheckPeriodOf(*value);
    case Value::kNone:
      break;
  }
  // What an update leaves out is taken from the present resource.
  const bool updated =
      mode_.is_update && !rules.message->resource_pattern.empty();
  Check(value, *rules.message, ask_required && !updated);
}

void Checker::CheckText(Message* message, const FieldRules& rules, int index) {
  const auto* reflection = message->GetReflection();
  const FieldDescriptor* field = rules.field;
  std::string scratch;
  const std::string* text =
      index < 0 ? &reflection->GetStringReference(*message, field, &scratch)
                : &reflection->GetRepeatedStringReference(*message, field,
                                                          index, &scratch);
  if (field->type() == FieldDescriptor::TYPE_BYTES) return;
  const TextKind kind = Classify(*text);
  if (kind == TextKind::kControls) {
    return Wrong("holds a control character other than line feed and tab");
  }
  std::string normal;
  if (kind == TextKind::kToNormalize) {
    normal = *text;
    if (!text::NormalizeNfc(&normal)) return Wrong("is no UTF-8");
    if (normal != *text) {
      if (index < 0) {
        reflection->SetString(message, field, normal);
      } else {
        reflection->SetRepeatedString(message, field, index, normal);
      }
    }
    text = &normal;
  }
  const size_t length =
      kind == TextKind::kPlain ? text->size() : text::CodePoints(*text);
  if (length > static_cast<size_t>(rules.max_length)) {
    return Wrong(absl::StrCat("has ", length, " characters, more than ",
                              rules.max_length));
  }
  if (text->empty()) return;
  if (rules.format != type::v1::FORMAT_UNSPECIFIED &&
      !HasFormat(*text, rules.format)) {
    return Wrong(absl::StrCat("\"", text::Excerpt(*text), "\" is not ",
                              DescribeFormat(rules.format)));
  }
  if (rules.chosen_id && !IsId(*text)) return Wrong(WhyNoId(*text));
  CheckReference(rules, *text);
}

void Checker::CheckReference(const FieldRules& rules, absl::string_view name) {
  using Reference = FieldRules::Reference;
  if (rules.reference == Reference::kNone) return;
  const AnyIds any = rules.names_parent && mode_.spans_parents
                         ? AnyIds::kAllow
                         : AnyIds::kRefuse;
  absl::string_view domain;
  absl::string_view local = name;
  const bool full = SplitFullName(name, &domain, &local);
  const absl::string_view wanted_domain =
      absl::string_view(rules.reference_type)
          .substr(0, rules.reference_type.find('/'));
  const bool fits_domain =
      rules.reference == Reference::kAny ||
      (rules.reference == Reference::kForeign ? full && domain == wanted_domain
                                              : !full);
  const bool fits_pattern =
      rules.reference_pattern.empty()
          ? IsName(local, any)
          : HasPattern(local, rules.reference_pattern, any);
  if (fits_domain && fits_pattern) return;
  const std::string form =
      rules.reference == Reference::kAny
          ? "a name, or //service/name"
          : absl::StrCat(rules.reference == Reference::kForeign
                             ? absl::StrCat("//", wanted_domain, "/")
                             : "",
                         rules.reference_pattern.empty()
                             ? "{collection}/{id}"
                             : rules.reference_pattern);
  Wrong(absl::StrCat("\"", text::Excerpt(name), "\" is not of the form ", form,
                     kIdHint));
}

void Checker::CheckNumber(const Message& message, const FieldDescriptor& field,
                          int index) {
  const auto* r = message.GetReflection();
  const double number =
      field.cpp_type() == FieldDescriptor::CPPTYPE_FLOAT
          ? static_cast<double>(
                index < 0 ? r->GetFloat(message, &field)
                          : r->GetRepeatedFloat(message, &field, index))
          : (index < 0 ? r->GetDouble(message, &field)
                       : r->GetRepeatedDouble(message, &field, index));
  if (!std::isfinite(number)) Wrong("is no number");
}

void Checker::CheckTimestamp(Message* value) {
  const int64_t seconds = Int64At(*value, 1);
  const int32_t nanos = Int32At(*value, 2);
  if (seconds < kFirstSecond || seconds > kLastSecond || nanos < 0 ||
      nanos >= kNanos) {
    return Wrong(
        "is no instant: seconds of the years 1 to 9999, nanos from 0 "
        "to 999,999,999");
  }
  if (nanos % 1000 != 0) {
    value->GetReflection()->SetInt32(
        value, value->GetDescriptor()->FindFieldByNumber(2),
        nanos - nanos % 1000);
  }
}

void Checker::CheckDuration(const Message& value) {
  const int64_t seconds = Int64At(value, 1);
  const int32_t nanos = Int32At(value, 2);
  if (seconds < -kMaxDurationSeconds || seconds > kMaxDurationSeconds ||
      nanos <= -kNanos || nanos >= kNanos || (seconds < 0 && nanos > 0) ||
      (seconds > 0 && nanos < 0)) {
    Wrong(
        "is no duration: seconds and nanos of one sign, some 10,000 years at "
        "most");
  }
}

void Checker::CheckDate(const Message& value) {
  if (!civil::IsDate(DateOf(value))) {
    Wrong(
        "is no date: year 1 to 9999, with a month of it or 0, with a day of "
        "that month or 0");
  }
}

void Checker::CheckMoney(const Message& value) {
  const auto* code_field = value.GetDescriptor()->FindFieldByNumber(1);
  const std::string code = value.GetReflection()->GetString(value, code_field);
  const int64_t units = Int64At(value, 2);
  const int32_t nanos = Int32At(value, 3);
  const bool is_code = code.size() == 3 &&
                       std::all_of(code.begin(), code.end(),
                                   [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!is_code) {
    Wrong("needs currency_code: three capital letters, ISO 4217");
  }
  if (nanos <= -kNanos || nanos >= kNanos || (units < 0 && nanos > 0) ||
      (units > 0 && nanos < 0)) {
    Wrong(
        "is no sum: units and nanos are of one sign, nanos below "
        "1,000,000,000");
  }
}

void Checker::CheckPeriodOf(const Message& value) {
  type::v1::Period period;
  period.ParsePartialFromString(value.SerializePartialAsString());
  if (period.attested_on_size() > kDefaultMaxItems) {
    return Wrong(absl::StrCat("attested_on has ", period.attested_on_size(),
                              " elements, more than ", kDefaultMaxItems));
  }
  civil::CheckPeriod(Path(), period, &violations_);
}

bool HasFieldNamed(const Message& message, const char* name) {
  return message.GetDescriptor()->FindFieldByName(name) != nullptr;
}

}  // namespace

absl::Status CheckRequest(Message* request) {
  Mode mode;
  mode.is_update = HasFieldNamed(*request, "update_mask");
  mode.spans_parents =
      HasFieldNamed(*request, "page_token") || HasFieldNamed(*request, "names");
  Checker checker(mode, "");
  checker.Check(request, RulesOf(*request->GetDescriptor()), true);
  return checker.ToStatus();
}

absl::Status CheckResource(const Message& resource, absl::string_view path) {
  Mode mode;
  mode.is_resource = true;
  Checker checker(mode, path);
  // The check normalises what it finds, here in a copy.
  const std::unique_ptr<Message> copy(resource.New());
  copy->CopyFrom(resource);
  checker.Check(copy.get(), RulesOf(*resource.GetDescriptor()), true);
  return checker.ToStatus();
}

}  // namespace transparency::fields
