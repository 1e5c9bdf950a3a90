#include "common/query/filter_binding.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/text.h"
#include "common/query/filter_syntax.h"
#include "common/query/filter_values.h"
#include "common/query/filter_words.h"
#include "common/query/query_error.h"

namespace transparency::query::filter_tree {
namespace {

using filter_syntax::Comparator;
using filter_syntax::Expression;
using filter_syntax::Literal;
using filter_syntax::Segment;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr char kSubject[] = "caller.subject";

// What a path of a filter leads to.
struct Target {
  Steps steps;
  fields::FieldPath path;
  // It passes a repeated field, or ends in one.
  bool repeated = false;
  const FieldDescriptor* field() const { return steps.back().field; }
};

// `google.protobuf.StringValue` and the like: a value that can be absent.
bool IsWrapper(const FieldDescriptor& field) {
  return field.message_type() != nullptr &&
         field.message_type()->file()->name() ==
             "google/protobuf/wrappers.proto";
}

bool IsStar(const Literal& literal) {
  return literal.text == "*" && literal.stars.size() == 1;
}

// Whether `:` with a value asks for a part of the field of that name, and not
// for the value.
bool HasParts(const FieldDescriptor& field) {
  if (field.is_map()) return true;
  if (field.message_type() == nullptr) return false;
  const std::string& type = field.message_type()->full_name();
  return type != "google.protobuf.Timestamp" &&
         type != "google.protobuf.Duration" && type != "google.type.Date";
}

// The first error is kept and ends the binding: functions return null then.
class Binder {
 public:
  Binder(absl::string_view text, const Descriptor& type,
         const fields::FieldAccess& access, CallerWords words)
      : text_(text), type_(type), access_(access), words_(words) {}

  absl::StatusOr<NodePtr> Run() {
    auto parsed = filter_syntax::Parse(text_);
    if (!parsed.ok()) return parsed.status();
    if (*parsed == nullptr) return NodePtr();
    NodePtr bound = BindExpression(**parsed);
    if (!error_.ok()) return error_;
    return bound;
  }

 private:
  NodePtr Fail(size_t offset, absl::string_view what) {
    if (error_.ok()) error_ = QueryInvalid("filter", text_, offset, what);
    return nullptr;
  }

  NodePtr BindExpression(const Expression& expression);
  NodePtr BindRestriction(const Expression& restriction);
  // Distributes a value in parentheses over the comparison that `compare` makes
  // with one value.
  template <class CompareOne>
  NodePtr BindArgument(const Expression& argument, const CompareOne& compare);
  template <class BindOperand>
  NodePtr Combine(const Expression& expression, const BindOperand& bind);
  NodePtr Compare(const Expression& restriction, const Target& target,
                  const Literal& literal);
  NodePtr CompareHas(Target target, const Literal& literal);
  bool Resolve(const std::vector<Segment>& member, Target* target);
  bool Enter(const Segment& segment, const Descriptor& type, Target* target);
  static void EnterEntry(const Segment& segment, Target* target);
  NodePtr CompareSubject(const Expression& restriction, const Literal& literal);
  NodePtr CompareRoles(const Expression& restriction, const Literal& literal);
  bool ResolveText(const Literal& literal, bool may_repeat, Target* target);

  const absl::string_view text_;
  const Descriptor& type_;
  const fields::FieldAccess& access_;
  const CallerWords words_;
  std::shared_ptr<const SearchedFields> searched_;  // made for the first word
  absl::Status error_;
};

template <class BindOperand>
NodePtr Binder::Combine(const Expression& expression, const BindOperand& bind) {
  std::vector<NodePtr> operands;
  for (const auto& operand : expression.operands) {
    NodePtr bound = bind(*operand);
    if (bound == nullptr) return nullptr;
    operands.push_back(std::move(bound));
  }
  switch (expression.kind) {
    case Expression::kAnd:
      return And(std::move(operands));
    case Expression::kOr:
      return Or(std::move(operands));
    default:
      return Not(std::move(operands[0]));
  }
}

NodePtr Binder::BindExpression(const Expression& expression) {
  if (expression.kind == Expression::kRestriction) {
    return BindRestriction(expression);
  }
  if (expression.kind == Expression::kLiteral) {
    if (searched_ == nullptr) {
      searched_ = std::make_shared<const SearchedFields>(type_, access_);
    }
    return Word(searched_, Pieces(expression.literal));
  }
  return Combine(expression, [this](const Expression& operand) {
    return BindExpression(operand);
  });
}

template <class CompareOne>
NodePtr Binder::BindArgument(const Expression& argument,
                             const CompareOne& compare) {
  if (argument.kind == Expression::kLiteral) return compare(argument.literal);
  return Combine(argument, [&](const Expression& operand) {
    return BindArgument(operand, compare);
  });
}

NodePtr Binder::BindRestriction(const Expression& restriction) {
  const auto& member = restriction.member;
  if (words_ == CallerWords::kYes && !member[0].quoted &&
      member[0].text == "caller") {
    const bool subject = member.size() == 2 && member[1].text == "subject";
    if (!subject && !(member.size() == 2 && member[1].text == "roles")) {
      return Fail(member[0].offset,
                  "of the caller there are caller.subject and caller.roles");
    }
    return BindArgument(*restriction.argument, [&](const Literal& literal) {
      return subject ? CompareSubject(restriction, literal)
                     : CompareRoles(restriction, literal);
    });
  }
  Target target;
  if (!Resolve(member, &target)) return nullptr;
  return BindArgument(*restriction.argument, [&](const Literal& literal) {
    return Compare(restriction, target, literal);
  });
}

bool Binder::Enter(const Segment& segment, const Descriptor& type,
                   Target* target) {
  const FieldDescriptor* field =
      segment.quoted ? nullptr : fields::FindField(type, segment.text);
  if (field != nullptr) target->path.push_back(field);
  if (field == nullptr || !access_.Knows(target->path)) {
    Fail(segment.offset, absl::StrCat(type.name(), " has no field \"",
                                      text::Excerpt(segment.text, 40), "\""));
    return false;
  }
  target->steps.push_back({field, ""});
  return true;
}

void Binder::EnterEntry(const Segment& segment, Target* target) {
  const FieldDescriptor* value = target->field()->message_type()->map_value();
  target->path.push_back(value);
  target->steps.push_back({value, segment.text});
}

bool Binder::Resolve(const std::vector<Segment>& member, Target* target) {
  const Descriptor* type = &type_;
  for (const Segment& segment : member) {
    if (!target->steps.empty()) {
      const FieldDescriptor* above = target->field();
      if (above->is_map()) {
        EnterEntry(segment, target);
        type = target->field()->message_type();
        continue;
      }
      target->repeated = target->repeated || above->is_repeated();
    }
    if (type == nullptr) {
      Fail(segment.offset,
           absl::StrCat(target->field()->name(), " is no message"));
      return false;
    }
    if (!Enter(segment, *type, target)) return false;
    type = target->field()->message_type();
  }
  const FieldDescriptor* last = target->field();
  target->repeated = target->repeated || last->is_repeated();
  if (IsWrapper(*last)) {
    target->path.push_back(last->message_type()->field(0));
    target->steps.push_back({last->message_type()->field(0), ""});
  }
  return true;
}

NodePtr Binder::Compare(const Expression& restriction, const Target& target,
                        const Literal& literal) {
  const Comparator comparator = restriction.comparator;
  const FieldDescriptor& field = *target.field();
  if (comparator == Comparator::kHas) {
    if (IsStar(literal) || HasParts(field)) return CompareHas(target, literal);
  } else if (target.repeated) {
    return Fail(
        restriction.offset,
        absl::StrCat(field.name(),
                     " is repeated, or stands in a repeated field: it is "
                     "compared with `:` alone"));
  }
  if (words_ == CallerWords::kYes && !literal.quoted &&
      literal.text == kSubject &&
      field.type() == FieldDescriptor::TYPE_STRING) {
    ValueTestPtr test = CompareWithSubject(comparator);
    if (test == nullptr) {
      return Fail(literal.offset, "caller.subject has no order: use = or !=");
    }
    return Restrict(target.steps, std::move(test));
  }
  std::string error;
  ValueTestPtr test = CompareWith(field, comparator, literal, &error);
  if (test == nullptr) return Fail(literal.offset, error);
  return Restrict(target.steps, std::move(test));
}

// `field:*`, `map:key` and `message:field`.
NodePtr Binder::CompareHas(Target target, const Literal& literal) {
  if (IsStar(literal)) {
    // A wrapper is set whatever it holds.
    if (target.steps.size() > 1 &&
        IsWrapper(*target.steps[target.steps.size() - 2].field)) {
      target.steps.pop_back();
    }
    return Present(std::move(target.steps));
  }
  const Segment part{literal.offset, literal.text, false};
  if (target.field()->is_map()) {
    EnterEntry(part, &target);
  } else if (!Enter(part, *target.field()->message_type(), &target)) {
    return nullptr;
  }
  return Present(std::move(target.steps));
}

// Resolves unquoted text on the right as the path of a text field.
bool Binder::ResolveText(const Literal& literal, bool may_repeat,
                         Target* target) {
  std::vector<Segment> member;
  size_t offset = literal.offset;
  for (absl::string_view part : absl::StrSplit(literal.text, '.')) {
    member.push_back({offset, std::string(part), false});
    offset += part.size() + 1;
  }
  if (!Resolve(member, target)) return false;
  if (target->field()->type() != FieldDescriptor::TYPE_STRING ||
      (target->repeated && !may_repeat)) {
    Fail(literal.offset,
         "the caller is compared with a text in quotes or a "
         "field that holds one text");
    return false;
  }
  return true;
}

NodePtr Binder::CompareSubject(const Expression& restriction,
                               const Literal& literal) {
  const Comparator comparator = restriction.comparator;
  if (comparator == Comparator::kHas && IsStar(literal)) {
    return OfCaller([](const Caller& caller) { return !caller.anonymous(); });
  }
  ValueTestPtr test = CompareWithSubject(comparator);
  if (test == nullptr) {
    return Fail(restriction.offset, "caller.subject has no order: use = or !=");
  }
  if (literal.quoted) {
    const bool equal = comparator != Comparator::kNe;
    return OfCaller([equal, text = literal.text](const Caller& caller) {
      return !caller.anonymous() && (caller.subject == text) == equal;
    });
  }
  Target target;
  if (!ResolveText(literal, comparator == Comparator::kHas, &target)) {
    return nullptr;
  }
  return Restrict(std::move(target.steps), std::move(test));
}

NodePtr Binder::CompareRoles(const Expression& restriction,
                             const Literal& literal) {
  if (restriction.comparator != Comparator::kHas) {
    return Fail(restriction.offset,
                "a repeated field is compared with `:` alone");
  }
  if (IsStar(literal)) {
    return OfCaller([](const Caller& caller) { return !caller.roles.empty(); });
  }
  if (literal.quoted) {
    return OfCaller([text = literal.text](const Caller& caller) {
      return caller.HasRole(text);
    });
  }
  Target target;
  if (!ResolveText(literal, true, &target)) return nullptr;
  return Restrict(std::move(target.steps), IsRoleOfCaller());
}

}  // namespace

absl::StatusOr<NodePtr> Bind(absl::string_view text, const Descriptor& type,
                             const fields::FieldAccess& access,
                             CallerWords words) {
  return Binder(text, type, access, words).Run();
}

}  // namespace transparency::query::filter_tree
