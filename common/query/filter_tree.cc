#include "common/query/filter_tree.h"

#include <numeric>
#include <utility>

#include "absl/strings/string_view.h"
#include "common/base/text.h"
#include "google/protobuf/descriptor.pb.h"

namespace transparency::query::filter_tree {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

int TermsOf(const std::vector<NodePtr>& operands) {
  return std::accumulate(
      operands.begin(), operands.end(), 0,
      [](int sum, const NodePtr& operand) { return sum + operand->Terms(); });
}

class AndNode final : public Node {
 public:
  explicit AndNode(std::vector<NodePtr> operands)
      : operands_(std::move(operands)) {}
  bool Matches(const Subject& subject) const override {
    for (const NodePtr& operand : operands_) {
      if (!operand->Matches(subject)) return false;
    }
    return true;
  }
  void AddFields(fields::FieldSubset* fields) const override {
    for (const NodePtr& operand : operands_) operand->AddFields(fields);
  }
  int Terms() const override { return TermsOf(operands_); }
  Reach ReachOf(const Caller& caller) const override {
    Reach all = Reach::kAlways;
    for (const NodePtr& operand : operands_) {
      const Reach one = operand->ReachOf(caller);
      if (one == Reach::kNever) return Reach::kNever;
      if (one == Reach::kDepends) all = Reach::kDepends;
    }
    return all;
  }

 private:
  const std::vector<NodePtr> operands_;
};

class OrNode final : public Node {
 public:
  explicit OrNode(std::vector<NodePtr> operands)
      : operands_(std::move(operands)) {}
  bool Matches(const Subject& subject) const override {
    for (const NodePtr& operand : operands_) {
      if (operand->Matches(subject)) return true;
    }
    return false;
  }
  void AddFields(fields::FieldSubset* fields) const override {
    for (const NodePtr& operand : operands_) operand->AddFields(fields);
  }
  int Terms() const override { return TermsOf(operands_); }
  Reach ReachOf(const Caller& caller) const override {
    Reach any = Reach::kNever;
    for (const NodePtr& operand : operands_) {
      const Reach one = operand->ReachOf(caller);
      if (one == Reach::kAlways) return Reach::kAlways;
      if (one == Reach::kDepends) any = Reach::kDepends;
    }
    return any;
  }

 private:
  const std::vector<NodePtr> operands_;
};

class NotNode final : public Node {
 public:
  explicit NotNode(NodePtr operand) : operand_(std::move(operand)) {}
  bool Matches(const Subject& subject) const override {
    return !operand_->Matches(subject);
  }
  void AddFields(fields::FieldSubset* fields) const override {
    operand_->AddFields(fields);
  }
  int Terms() const override { return operand_->Terms(); }
  Reach ReachOf(const Caller& caller) const override {
    switch (operand_->ReachOf(caller)) {
      case Reach::kNever:
        return Reach::kAlways;
      case Reach::kAlways:
        return Reach::kNever;
      case Reach::kDepends:
        break;
    }
    return Reach::kDepends;
  }

 private:
  const NodePtr operand_;
};

bool KeyIs(const Message& entry, const std::string& key) {
  const auto* field = entry.GetDescriptor()->map_key();
  const auto* reflection = entry.GetReflection();
  std::string scratch;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->GetStringReference(entry, field, &scratch) == key;
    case FieldDescriptor::CPPTYPE_INT32:
      return std::to_string(reflection->GetInt32(entry, field)) == key;
    case FieldDescriptor::CPPTYPE_INT64:
      return std::to_string(reflection->GetInt64(entry, field)) == key;
    case FieldDescriptor::CPPTYPE_UINT32:
      return std::to_string(reflection->GetUInt32(entry, field)) == key;
    case FieldDescriptor::CPPTYPE_UINT64:
      return std::to_string(reflection->GetUInt64(entry, field)) == key;
    default:
      return (reflection->GetBool(entry, field) ? "true" : "false") == key;
  }
}

// A value of a map is there when its entry is.
bool InEntry(const FieldDescriptor& field) {
  return field.containing_type()->options().map_entry();
}

// Calls `leaf(holder, field)` for every holder of the last field on the way
// that is there, until it returns true; whether it did.
template <class Leaf>
bool Walk(const Message& message, const Steps& steps, size_t at,
          const Leaf& leaf) {
  const FieldDescriptor* field = steps[at].field;
  if (at + 1 == steps.size()) return leaf(message, *field);
  const auto* reflection = message.GetReflection();
  if (!field->is_repeated()) {
    return (InEntry(*field) || reflection->HasField(message, field)) &&
           Walk(reflection->GetMessage(message, field), steps, at + 1, leaf);
  }
  const int count = reflection->FieldSize(message, field);
  for (int i = 0; i < count; ++i) {
    const Message& element = reflection->GetRepeatedMessage(message, field, i);
    if (field->is_map() && !KeyIs(element, steps[at + 1].key)) continue;
    if (Walk(element, steps, at + 1, leaf)) return true;
  }
  return false;
}

class RestrictNode final : public Node {
 public:
  RestrictNode(Steps steps, ValueTestPtr test)
      : steps_(std::move(steps)), test_(std::move(test)) {}

  bool Matches(const Subject& subject) const override {
    return Walk(subject.message, steps_, 0,
                [&](const Message& holder, const FieldDescriptor& field) {
                  return TestAt(holder, field, subject.caller);
                });
  }
  void AddFields(fields::FieldSubset* fields) const override {
    fields->Add(*steps_.front().field);
  }
  Reach ReachOf(const Caller& caller) const override {
    return test_->NeverFor(caller) ? Reach::kNever : Reach::kDepends;
  }

 private:
  bool TestAt(const Message& holder, const FieldDescriptor& field,
              const Caller* caller) const {
    const auto* reflection = holder.GetReflection();
    if (!field.is_repeated()) {
      return (!field.has_presence() || InEntry(field) ||
              reflection->HasField(holder, &field)) &&
             test_->Test(holder, field, -1, caller);
    }
    const int count = reflection->FieldSize(holder, &field);
    for (int i = 0; i < count; ++i) {
      if (test_->Test(holder, field, i, caller)) return true;
    }
    return false;
  }
  const Steps steps_;
  const ValueTestPtr test_;
};

class PresentNode final : public Node {
 public:
  explicit PresentNode(Steps steps) : steps_(std::move(steps)) {}
  bool Matches(const Subject& subject) const override {
    return Walk(subject.message, steps_, 0,
                [](const Message& holder, const FieldDescriptor& field) {
                  if (InEntry(field)) return true;
                  const auto* reflection = holder.GetReflection();
                  return field.is_repeated()
                             ? reflection->FieldSize(holder, &field) > 0
                             : reflection->HasField(holder, &field);
                });
  }
  void AddFields(fields::FieldSubset* fields) const override {
    fields->Add(*steps_.front().field);
  }

 private:
  const Steps steps_;
};

class CallerNode final : public Node {
 public:
  explicit CallerNode(std::function<bool(const Caller&)> test)
      : test_(std::move(test)) {}
  bool Matches(const Subject& subject) const override {
    return test_(*subject.caller);
  }
  void AddFields(fields::FieldSubset*) const override {}
  Reach ReachOf(const Caller& caller) const override {
    return test_(caller) ? Reach::kAlways : Reach::kNever;
  }

 private:
  const std::function<bool(const Caller&)> test_;
};

}  // namespace

NodePtr And(std::vector<NodePtr> operands) {
  return std::make_unique<AndNode>(std::move(operands));
}

NodePtr Or(std::vector<NodePtr> operands) {
  return std::make_unique<OrNode>(std::move(operands));
}

NodePtr Not(NodePtr operand) {
  return std::make_unique<NotNode>(std::move(operand));
}

NodePtr Restrict(Steps steps, ValueTestPtr test) {
  return std::make_unique<RestrictNode>(std::move(steps), std::move(test));
}

NodePtr Present(Steps steps) {
  return std::make_unique<PresentNode>(std::move(steps));
}

NodePtr OfCaller(std::function<bool(const Caller&)> test) {
  return std::make_unique<CallerNode>(std::move(test));
}

}  // namespace transparency::query::filter_tree
