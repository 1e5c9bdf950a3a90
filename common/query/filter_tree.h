#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/caller.h"
#include "common/fields/field_access.h"
#include "common/fields/field_subset.h"
#include "common/query/predicate.h"
#include "google/protobuf/message.h"

// The evaluator of filters and predicates: a tree over one message type.
namespace transparency::query::filter_tree {

class FoldedTexts;

// What is judged. `caller` is null in filters, which cannot name it. `texts` is
// empty when the first node of a tree looks at a message; words fill it.
struct Subject {
  const google::protobuf::Message& message;
  const Caller* caller;
  FoldedTexts* texts;
};

class Node {
 public:
  virtual ~Node() = default;
  virtual bool Matches(const Subject& subject) const = 0;
  // Adds the fields of the message that it looks at.
  virtual void AddFields(fields::FieldSubset* fields) const = 0;
  // What can be said of the caller without a message.
  virtual Reach ReachOf(const Caller&) const { return Reach::kDepends; }
  // How many comparisons and words it is made of.
  virtual int Terms() const { return 1; }
};
using NodePtr = std::unique_ptr<const Node>;

NodePtr And(std::vector<NodePtr> operands);
NodePtr Or(std::vector<NodePtr> operands);
NodePtr Not(NodePtr operand);

// Judges one value of a field: the field itself (index -1), or one element.
class ValueTest {
 public:
  virtual ~ValueTest() = default;
  virtual bool Test(const google::protobuf::Message& holder,
                    const google::protobuf::FieldDescriptor& field, int index,
                    const Caller* caller) const = 0;
  // No value passes for this caller.
  virtual bool NeverFor(const Caller&) const { return false; }
};
using ValueTestPtr = std::unique_ptr<const ValueTest>;

// The way to a field. An entry of a map is chosen by its key.
struct Step {
  const google::protobuf::FieldDescriptor* field;
  // Set on the step to a map's `value`.
  std::string key;
};
using Steps = std::vector<Step>;

// Whether `test` holds for the value at the end of the way; for one of them
// where the way is through repeated fields.
NodePtr Restrict(Steps steps, ValueTestPtr test);
// Whether the field at the end of the way is set.
NodePtr Present(Steps steps);

// A judgement of the caller alone.
NodePtr OfCaller(std::function<bool(const Caller&)> test);

}  // namespace transparency::query::filter_tree
