#include "common/query/order.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/text.h"
#include "common/fields/field_rules.h"
#include "common/query/query_error.h"
#include "google/api/resource.pb.h"

namespace transparency::query {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr char kOrderBy[] = "order_by";
constexpr size_t kMaxTextBytes = 100;

// Big-endian, so that bytes sort as numbers do.
void AppendNumber(uint64_t number, std::string* key) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    key->push_back(static_cast<char>((number >> shift) & 0xFF));
  }
}

constexpr uint64_t kSign = uint64_t{1} << 63;

void AppendSigned(int64_t number, std::string* key) {
  AppendNumber(static_cast<uint64_t>(number) ^ kSign, key);
}

void AppendReal(double number, std::string* key) {
  if (number == 0) number = 0;  // -0 is 0
  uint64_t bits = 0;
  std::memcpy(&bits, &number, sizeof(bits));
  AppendNumber((bits & kSign) != 0 ? ~bits : bits | kSign, key);
}

// Ends in NUL, which text here does not hold: a beginning sorts before the
// rest.
void AppendText(absl::string_view text, bool for_people, std::string* key) {
  std::string folded;
  if (for_people) {
    text::FoldCase(text, &folded);
    text = folded;
  }
  for (char c : text.substr(0, kMaxTextBytes)) {
    key->push_back(c == '\0' ? '\1' : c);
  }
  key->push_back('\0');
}

// Messages that sort: of numbers in the order of their fields.
bool IsSortable(const Descriptor& type) {
  switch (fields::RulesOf(type).value) {
    case fields::Value::kTimestamp:
    case fields::Value::kDuration:
    case fields::Value::kDate:
      return true;
    default:
      return false;
  }
}

void AppendParts(const Message& value, std::string* key) {
  const auto* type = value.GetDescriptor();
  const auto* reflection = value.GetReflection();
  for (int number = 1; number <= type->field_count(); ++number) {
    const FieldDescriptor* field = type->FindFieldByNumber(number);
    AppendSigned(field->cpp_type() == FieldDescriptor::CPPTYPE_INT64
                     ? reflection->GetInt64(value, field)
                     : reflection->GetInt32(value, field),
                 key);
  }
}

void AppendValue(const Message& holder, const FieldDescriptor* field,
                 bool for_people, std::string* key) {
  const auto* r = holder.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return AppendSigned(r->GetInt32(holder, field), key);
    case FieldDescriptor::CPPTYPE_INT64:
      return AppendSigned(r->GetInt64(holder, field), key);
    case FieldDescriptor::CPPTYPE_UINT32:
      return AppendNumber(r->GetUInt32(holder, field), key);
    case FieldDescriptor::CPPTYPE_UINT64:
      return AppendNumber(r->GetUInt64(holder, field), key);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return AppendReal(r->GetDouble(holder, field), key);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return AppendReal(static_cast<double>(r->GetFloat(holder, field)), key);
    case FieldDescriptor::CPPTYPE_BOOL:
      return key->push_back(r->GetBool(holder, field) ? '\1' : '\0');
    case FieldDescriptor::CPPTYPE_ENUM:
      return AppendSigned(r->GetEnumValue(holder, field), key);
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      return AppendText(r->GetStringReference(holder, field, &scratch),
                        for_people, key);
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return AppendParts(r->GetMessage(holder, field), key);
  }
}

// Why a field does not sort; null when it does.
const char* WhyUnsortable(const fields::FieldPath& path) {
  const FieldDescriptor* last = path.back();
  if (path.front()->options().GetExtension(type::v1::personal)) {
    return "is personal, and no list is sorted by it";
  }
  if (last->is_repeated()) return "is repeated, and has no order";
  if (last->type() == FieldDescriptor::TYPE_BYTES) {
    return "holds bytes, which have no order";
  }
  if (last->message_type() != nullptr && !IsSortable(*last->message_type())) {
    return "is a message: name one of its fields";
  }
  return nullptr;
}

bool IsForPeople(const FieldDescriptor& field) {
  const fields::FieldRules& rules = fields::RulesOf(field);
  return field.type() == FieldDescriptor::TYPE_STRING && !rules.identifier &&
         rules.format == type::v1::FORMAT_UNSPECIFIED &&
         rules.reference == fields::FieldRules::Reference::kNone;
}

// Reads `a.b` at `offset` of the text into a path; an error otherwise.
absl::Status ReadPath(absl::string_view text, size_t offset,
                      absl::string_view name, const Descriptor& type,
                      const fields::FieldAccess& access,
                      fields::FieldPath* path) {
  const Descriptor* at = &type;
  for (absl::string_view part : absl::StrSplit(name, '.')) {
    const FieldDescriptor* field =
        at == nullptr || (!path->empty() && path->back()->is_repeated())
            ? nullptr
            : fields::FindField(*at, part);
    if (field != nullptr) path->push_back(field);
    if (field == nullptr || !access.Knows(*path)) {
      return QueryInvalid(kOrderBy, text, offset,
                          absl::StrCat("\"", text::Excerpt(name),
                                       "\" is no field of ", type.name()));
    }
    at = field->message_type();
  }
  if (const char* why = WhyUnsortable(*path)) {
    return QueryInvalid(kOrderBy, text, offset, absl::StrCat(name, " ", why));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Order>> Order::Parse(
    absl::string_view text, const Descriptor& type,
    const fields::FieldAccess& access) {
  auto order = std::make_shared<Order>();
  if (absl::StripAsciiWhitespace(text).empty()) {
    return std::shared_ptr<const Order>(std::move(order));
  }
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(part, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
    const auto offset = static_cast<size_t>(
        (words.empty() ? part : words[0]).data() - text.data());
    if (words.empty() || words.size() > 2) {
      return QueryInvalid(kOrderBy, text, offset,
                          words.empty() ? "expected a field"
                                        : "expected a field, then `desc` or "
                                          "nothing, then a comma");
    }
    if (order->fields_.size() == kMaxFields) {
      return QueryInvalid(kOrderBy, text, offset,
                          absl::StrCat("more than ", kMaxFields, " fields"));
    }
    Field field;
    absl::Status read =
        ReadPath(text, offset, words[0], type, access, &field.path);
    if (!read.ok()) return read;
    if (words.size() == 2 && words[1] != "desc" && words[1] != "asc") {
      return QueryInvalid(kOrderBy, text,
                          static_cast<size_t>(words[1].data() - text.data()),
                          absl::StrCat("expected `desc`, not \"",
                                       text::Excerpt(words[1], 20), "\""));
    }
    field.descending = words.size() == 2 && words[1] == "desc";
    field.for_people = IsForPeople(*field.path.back());
    order->fields_.push_back(std::move(field));
  }
  // Nothing sorts after a name: it is unique.
  const Field& first = order->fields_.front();
  if (fields::RulesOf(*first.path[0]).identifier && !first.descending) {
    order->fields_.clear();
  }
  for (const Field& by : order->fields_) order->subset_.Add(*by.path[0]);
  return std::shared_ptr<const Order>(std::move(order));
}

void Order::Key(const Message& resource, std::string* key) const {
  key->clear();
  for (const Field& field : fields_) {
    const size_t start = key->size();
    const Message* holder = &resource;
    bool set = true;
    for (size_t i = 0; i < field.path.size() && set; ++i) {
      const FieldDescriptor* step = field.path[i];
      const auto* reflection = holder->GetReflection();
      set = !step->has_presence() || reflection->HasField(*holder, step);
      if (set && i + 1 < field.path.size()) {
        holder = &reflection->GetMessage(*holder, step);
      }
    }
    key->push_back(set ? '\1' : '\0');
    if (set) AppendValue(*holder, field.path.back(), field.for_people, key);
    if (field.descending) {
      for (size_t i = start; i < key->size(); ++i) {
        (*key)[i] = static_cast<char>(~(*key)[i]);
      }
    }
  }
}

}  // namespace transparency::query
