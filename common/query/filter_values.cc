#include "common/query/filter_values.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "common/base/civil.h"
#include "common/base/text.h"

namespace transparency::query::filter_tree {
namespace {

using filter_syntax::Comparator;
using filter_syntax::Literal;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Whether `value` stands to the literal as the comparator asks, from their
// order: negative, zero or positive.
bool Holds(Comparator comparator, int order) {
  switch (comparator) {
    case Comparator::kEq:
    case Comparator::kHas:
      return order == 0;
    case Comparator::kNe:
      return order != 0;
    case Comparator::kLt:
      return order < 0;
    case Comparator::kLe:
      return order <= 0;
    case Comparator::kGt:
      return order > 0;
    case Comparator::kGe:
      return order >= 0;
  }
  return false;
}

template <class T>
int Order(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

bool IsOrdering(Comparator comparator) {
  return comparator != Comparator::kEq && comparator != Comparator::kNe &&
         comparator != Comparator::kHas;
}

const std::string& TextOf(const Message& holder, const FieldDescriptor& field,
                          int index, std::string* scratch) {
  const auto* reflection = holder.GetReflection();
  return index < 0 ? reflection->GetStringReference(holder, &field, scratch)
                   : reflection->GetRepeatedStringReference(holder, &field,
                                                            index, scratch);
}

const Message& MessageOf(const Message& holder, const FieldDescriptor& field,
                         int index) {
  const auto* reflection = holder.GetReflection();
  return index < 0 ? reflection->GetMessage(holder, &field)
                   : reflection->GetRepeatedMessage(holder, &field, index);
}

class SignedTest final : public ValueTest {
 public:
  SignedTest(Comparator comparator, int64_t value)
      : comparator_(comparator), value_(value) {}
  bool Test(const Message& holder, const FieldDescriptor& field, int index,
            const Caller*) const override {
    const auto* r = holder.GetReflection();
    int64_t value = 0;
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT32) {
      value = index < 0 ? r->GetInt32(holder, &field)
                        : r->GetRepeatedInt32(holder, &field, index);
    } else {
      value = index < 0 ? r->GetInt64(holder, &field)
                        : r->GetRepeatedInt64(holder, &field, index);
    }
    return Holds(comparator_, Order(value, value_));
  }

 private:
  const Comparator comparator_;
  const int64_t value_;
};

class UnsignedTest final : public ValueTest {
 public:
  UnsignedTest(Comparator comparator, uint64_t value)
      : comparator_(comparator), value_(value) {}
  bool Test(const Message& holder, const FieldDescriptor& field, int index,
            const Caller*) const override {
    const auto* r = holder.GetReflection();
    uint64_t value = 0;
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
      value = index < 0 ? r->GetUInt32(holder, &field)
                        : r->GetRepeatedUInt32(holder, &field, index);
    } else {
      value = index < 0 ? r->GetUInt64(holder, &field)
                        : r->GetRepeatedUInt64(holder, &field, index);
    }
    return Holds(comparator_, Order(value, value_));
  }

 private:
  const Comparator comparator_;
  const uint64_t value_;
};

class RealTest final : public ValueTest {
 public:
  RealTest(Comparator comparator, double value)
      : comparator_(comparator), value_(value) {}
  bool Test(const Message& holder, const FieldDescriptor& field, int index,
            const Caller*) const override {
    const auto* r = holder.GetReflection();
    double value = 0;
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_FLOAT) {
      value = static_cast<double>(
          index < 0 ? r->GetFloat(holder, &field)
                    : r->GetRepeatedFloat(holder, &field, index));
    } else {
      value = index < 0 ? r->GetDouble(holder, &field)
                        : r->GetRepeatedDouble(holder, &field, index);
    }
    if (std::isnan(value)) return comparator_ == Comparator::kNe;
    return Holds(comparator_, Order(value, value_));
  }

 private:
  const Comparator comparator_;
  const double value_;
};

class BoolTest final : public ValueTest {
 public:
  explicit BoolTest(bool wanted) : wanted_(wanted) {}
  bool Test(const Message& holder, const FieldDescriptor& field, int index,
            const Caller*) const override {
    const auto* r = holder.GetReflection();
    return (index < 0 ? r->GetBool(holder, &field)
                      : r->GetRepeatedBool(holder, &field, index)) == wanted_;
  }

 private:
  const bool wanted_;
};

class EnumTest final : public ValueTest {
 public:
  EnumTest(Comparator comparator, int value)
      : comparator_(comparator), value_(value) {}
  bool Test(const Message& holder, const FieldDescriptor& field, int index,
            const Caller*) const override {
    const auto* r = holder.GetReflection();
    const int value = index < 0
                          ? r->GetEnumValue(holder, &field)
                          : r->GetRepeatedEnumValue(holder, &field, index);
    return Holds(comparator_, Order(value, value_));
  }

 private:
  const Comparator comparator_;
  const int value_;
};

class TextTest final : public ValueTest {
 public:
  TextTest(Comparator comparator, const Literal& literal)
      : comparator_(comparator) {
    if (IsOrdering(comparator)) {
      pieces_ = {literal.text};
    } else {
      pieces_ = Pieces(literal);
    }
  }
  bool Test(const Message& holder, const FieldDescriptor& field, int index,
            const Caller*) const override {
    std::string scratch;
    const std::string& text = TextOf(holder, field, index, &scratch);
    if (pieces_.size() == 1) {
      return Holds(comparator_, text.compare(pieces_[0]));
    }
    return Like(text) != (comparator_ == Comparator::kNe);
  }

 private:
  // Whether the text is the pieces with any text between them.
  bool Like(absl::string_view text) const {
    if (!absl::ConsumePrefix(&text, pieces_.front()) ||
        !absl::ConsumeSuffix(&text, pieces_.back())) {
      return false;
    }
    for (size_t i = 1; i + 1 < pieces_.size(); ++i) {
      const size_t found = text::FindText(text, pieces_[i]);
      if (found == absl::string_view::npos) return false;
      text.remove_prefix(found + pieces_[i].size());
    }
    return true;
  }

  const Comparator comparator_;
  std::vector<std::string> pieces_;
};

// Timestamp and Duration: both have seconds = 1 and nanos = 2.
class InstantTest final : public ValueTest {
 public:
  InstantTest(Comparator comparator, int64_t seconds, int nanos)
      : comparator_(comparator), seconds_(seconds), nanos_(nanos) {}
  bool Test(const Message& holder, const FieldDescriptor& field, int index,
            const Caller*) const override {
    const Message& value = MessageOf(holder, field, index);
    const auto* type = value.GetDescriptor();
    const auto* r = value.GetReflection();
    const int seconds =
        Order(r->GetInt64(value, type->FindFieldByNumber(1)), seconds_);
    const int nanos =
        Order(r->GetInt32(value, type->FindFieldByNumber(2)), nanos_);
    return Holds(comparator_, seconds != 0 ? seconds : nanos);
  }

 private:
  const Comparator comparator_;
  const int64_t seconds_;
  const int nanos_;
};

class DateTest final : public ValueTest {
 public:
  DateTest(Comparator comparator, const google::type::Date& date)
      : comparator_(comparator),
        first_(civil::FirstDay(date)),
        last_(civil::LastDay(date)) {}

  bool Test(const Message& holder, const FieldDescriptor& field, int index,
            const Caller*) const override {
    const Message& value = MessageOf(holder, field, index);
    const auto* type = value.GetDescriptor();
    const auto* r = value.GetReflection();
    google::type::Date date;
    date.set_year(r->GetInt32(value, type->FindFieldByNumber(1)));
    date.set_month(r->GetInt32(value, type->FindFieldByNumber(2)));
    date.set_day(r->GetInt32(value, type->FindFieldByNumber(3)));
    return civil::IsDate(date) &&
           SurelyHolds(civil::FirstDay(date), civil::LastDay(date));
  }

 private:
  bool SurelyHolds(absl::CivilDay first, absl::CivilDay last) const {
    switch (comparator_) {
      case Comparator::kEq:
      case Comparator::kHas:
        return first_ <= first && last <= last_;
      case Comparator::kNe:
        return last < first_ || first > last_;
      case Comparator::kLt:
        return last < first_;
      case Comparator::kLe:
        return last <= last_;
      case Comparator::kGt:
        return first > last_;
      case Comparator::kGe:
        return first >= first_;
    }
    return false;
  }

  const Comparator comparator_;
  const absl::CivilDay first_;
  const absl::CivilDay last_;
};

class SubjectTest final : public ValueTest {
 public:
  explicit SubjectTest(bool equal) : equal_(equal) {}
  bool Test(const Message& holder, const FieldDescriptor& field, int index,
            const Caller* caller) const override {
    std::string scratch;
    return !caller->anonymous() && (TextOf(holder, field, index, &scratch) ==
                                    caller->subject) == equal_;
  }
  bool NeverFor(const Caller& caller) const override {
    return caller.anonymous();
  }

 private:
  const bool equal_;
};

class RoleTest final : public ValueTest {
 public:
  bool Test(const Message& holder, const FieldDescriptor& field, int index,
            const Caller* caller) const override {
    std::string scratch;
    return caller->HasRole(TextOf(holder, field, index, &scratch));
  }
  bool NeverFor(const Caller& caller) const override {
    return caller.roles.empty();
  }
};

ValueTestPtr Unsuited(const Literal& literal, absl::string_view what,
                      std::string* error) {
  *error =
      absl::StrCat("\"", text::Excerpt(literal.text, 40), "\" is no ", what);
  return nullptr;
}

ValueTestPtr OfNumber(const FieldDescriptor& field, Comparator comparator,
                      const Literal& literal, std::string* error) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64: {
      int64_t value = 0;
      if (!absl::SimpleAtoi(literal.text, &value)) {
        return Unsuited(literal, "whole number", error);
      }
      return std::make_unique<SignedTest>(comparator, value);
    }
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64: {
      uint64_t value = 0;
      if (!absl::SimpleAtoi(literal.text, &value)) {
        return Unsuited(literal, "whole number from 0 on", error);
      }
      return std::make_unique<UnsignedTest>(comparator, value);
    }
    default:
      break;
  }
  double value = 0;
  if (!absl::SimpleAtod(literal.text, &value) || !std::isfinite(value)) {
    return Unsuited(literal, "number", error);
  }
  // 0.1 stands for the nearest value that the field can hold.
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_FLOAT) {
    value = static_cast<double>(static_cast<float>(value));
  }
  return std::make_unique<RealTest>(comparator, value);
}

ValueTestPtr OfBool(Comparator comparator, const Literal& literal,
                    std::string* error) {
  if (IsOrdering(comparator)) {
    *error = "true and false have no order: use = or !=";
    return nullptr;
  }
  if (literal.text != "true" && literal.text != "false") {
    return Unsuited(literal, "true or false", error);
  }
  return std::make_unique<BoolTest>((literal.text == "true") !=
                                    (comparator == Comparator::kNe));
}

// The values of an enum, less the one that stands for none, for a message.
std::string Names(const google::protobuf::EnumDescriptor& type) {
  constexpr int kMost = 12;
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() == 0) continue;
    if (names.size() == kMost) {
      names.push_back("…");
      break;
    }
    names.push_back(type.value(i)->name());
  }
  return absl::StrJoin(names, ", ");
}

ValueTestPtr OfEnum(const FieldDescriptor& field, Comparator comparator,
                    const Literal& literal, std::string* error) {
  if (IsOrdering(comparator)) {
    *error = absl::StrCat("values of ", field.enum_type()->name(),
                          " have no order: use = or !=");
    return nullptr;
  }
  const auto* value = field.enum_type()->FindValueByName(literal.text);
  if (value == nullptr) {
    return Unsuited(
        literal,
        absl::StrCat("value of ", field.enum_type()->name(),
                     ": expected one of ", Names(*field.enum_type())),
        error);
  }
  return std::make_unique<EnumTest>(comparator, value->number());
}

ValueTestPtr OfTimestamp(Comparator comparator, const Literal& literal,
                         std::string* error) {
  absl::Time time;
  std::string ignored;
  // RFC 3339 leaves no room for what absl reads beyond it.
  if (literal.text.empty() || literal.text[0] == ' ' ||
      absl::StartsWith(literal.text, "infinite") ||
      !absl::ParseTime(absl::RFC3339_full, literal.text, &time, &ignored)) {
    return Unsuited(literal, "instant of RFC 3339 such as 2026-01-31T09:00:00Z",
                    error);
  }
  const int64_t seconds = absl::ToUnixSeconds(time);
  const int64_t nanos =
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds));
  return std::make_unique<InstantTest>(comparator, seconds,
                                       static_cast<int>(nanos));
}

ValueTestPtr OfDuration(Comparator comparator, const Literal& literal,
                        std::string* error) {
  absl::Duration duration;
  absl::string_view number = literal.text;
  const bool shape =
      absl::ConsumeSuffix(&number, "s") && !number.empty() &&
      std::all_of(number.begin() + (number[0] == '-' ? 1 : 0), number.end(),
                  [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  if (!shape || !absl::ParseDuration(literal.text, &duration) ||
      duration == absl::InfiniteDuration() ||
      duration == -absl::InfiniteDuration()) {
    return Unsuited(literal, "duration such as 90s or 1.5s", error);
  }
  const int64_t seconds = absl::ToInt64Seconds(duration);
  const int64_t nanos =
      absl::ToInt64Nanoseconds(duration - absl::Seconds(seconds));
  return std::make_unique<InstantTest>(comparator, seconds,
                                       static_cast<int>(nanos));
}

// Reads 4, 2 and 2 digits with a hyphen between; fewer parts are less precise.
bool ReadDate(absl::string_view text, google::type::Date* date) {
  std::vector<absl::string_view> parts = absl::StrSplit(text, '-');
  if (parts.size() > 3) return false;
  int numbers[3] = {0, 0, 0};
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].size() != (i == 0 ? 4u : 2u) ||
        !std::all_of(parts[i].begin(), parts[i].end(),
                     [](char c) { return c >= '0' && c <= '9'; }) ||
        !absl::SimpleAtoi(parts[i], &numbers[i]) || numbers[i] == 0) {
      return false;
    }
  }
  date->set_year(numbers[0]);
  date->set_month(numbers[1]);
  date->set_day(numbers[2]);
  return civil::IsDate(*date);
}

ValueTestPtr OfMessage(const FieldDescriptor& field, Comparator comparator,
                       const Literal& literal, std::string* error) {
  const std::string& type = field.message_type()->full_name();
  if (type == "google.protobuf.Timestamp") {
    return OfTimestamp(comparator, literal, error);
  }
  if (type == "google.protobuf.Duration") {
    return OfDuration(comparator, literal, error);
  }
  if (type == "google.type.Date") {
    google::type::Date date;
    if (!ReadDate(literal.text, &date)) {
      return Unsuited(literal, "date such as 2019-12-31, 2019-12 or 2019",
                      error);
    }
    return std::make_unique<DateTest>(comparator, date);
  }
  *error = absl::StrCat(field.name(), " is a message: name one of its fields, ",
                        "or use `", field.name(), ":*`");
  return nullptr;
}

bool FunctionSuits(const FieldDescriptor& field, const Literal& literal,
                   std::string* error) {
  const char* type =
      literal.function == "timestamp"  ? "google.protobuf.Timestamp"
      : literal.function == "duration" ? "google.protobuf.Duration"
                                       : nullptr;
  if (type == nullptr) {
    *error = absl::StrCat("there is no function ",
                          text::Excerpt(literal.function, 40),
                          "; there are timestamp and duration");
    return false;
  }
  if (field.message_type() == nullptr ||
      field.message_type()->full_name() != type) {
    *error = absl::StrCat(field.name(), " is no ", literal.function);
    return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> Pieces(const Literal& literal) {
  std::vector<std::string> pieces;
  size_t from = 0;
  for (size_t star : literal.stars) {
    pieces.push_back(literal.text.substr(from, star - from));
    from = star + 1;
  }
  pieces.push_back(literal.text.substr(from));
  return pieces;
}

ValueTestPtr CompareWith(const FieldDescriptor& field, Comparator comparator,
                         const Literal& literal, std::string* error) {
  if (!literal.function.empty() && !FunctionSuits(field, literal, error)) {
    return nullptr;
  }
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      if (field.type() == FieldDescriptor::TYPE_BYTES) {
        *error = absl::StrCat(field.name(), " holds bytes: use `", field.name(),
                              ":*`");
        return nullptr;
      }
      return std::make_unique<TextTest>(comparator, literal);
    case FieldDescriptor::CPPTYPE_BOOL:
      return OfBool(comparator, literal, error);
    case FieldDescriptor::CPPTYPE_ENUM:
      return OfEnum(field, comparator, literal, error);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return OfMessage(field, comparator, literal, error);
    default:
      return OfNumber(field, comparator, literal, error);
  }
}

ValueTestPtr CompareWithSubject(Comparator comparator) {
  if (IsOrdering(comparator)) return nullptr;
  return std::make_unique<SubjectTest>(comparator != Comparator::kNe);
}

ValueTestPtr IsRoleOfCaller() { return std::make_unique<RoleTest>(); }

}  // namespace transparency::query::filter_tree
