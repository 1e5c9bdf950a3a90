#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace transparency::fields {

// One step down from a message: a field, and which of its elements.
struct FieldStep {
  const google::protobuf::FieldDescriptor* field = nullptr;
  int index = -1;  // -1 of a field that is not repeated
};

// A value of a picked field, and the way to it from the message visited. Lives
// as long as the visit.
struct PickedValue {
  const google::protobuf::Message& holder;
  FieldStep place;
  int mark = 0;  // as it was picked
  const std::vector<FieldStep>& way;

  // `steps[2].reason`.
  std::string Path() const;
};

// The fields of a message type, at any depth, that an annotation picks out.
// Immutable, thread-safe. Fields of map entries are not looked at.
class PickedFields {
 public:
  // `mark_of` says what a field is picked as; 0: not. Descriptors live as long
  // as the process.
  PickedFields(
      const google::protobuf::Descriptor& root,
      absl::FunctionRef<int(const google::protobuf::FieldDescriptor&)> mark_of);

  bool empty() const { return types_.empty(); }

  // Calls `visit` with every picked value that is set, in the order in which
  // fields are declared.
  void Visit(const google::protobuf::Message& message,
             absl::FunctionRef<void(const PickedValue&)> visit) const;

 private:
  struct Type;
  struct Field {
    const google::protobuf::FieldDescriptor* field;
    int mark;
    const Type* below;  // null: nothing picked below it
  };
  struct Type {
    std::vector<Field> fields;
  };
  using Visitor = absl::FunctionRef<void(const PickedValue&)>;

  void VisitFields(const google::protobuf::Message& message, const Type& type,
                   std::vector<FieldStep>* way, Visitor visit) const;

  // Those that hold something picked, at any depth.
  std::map<const google::protobuf::Descriptor*, Type> types_;
  const Type* root_ = nullptr;
};

}  // namespace transparency::fields
