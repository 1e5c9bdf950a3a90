#include "common/fields/picked_fields.h"

#include <set>

#include "absl/strings/str_cat.h"

namespace transparency::fields {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void Reach(const Descriptor& type, std::set<const Descriptor*>* reached) {
  if (!reached->insert(&type).second) return;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    if (field->message_type() != nullptr && !field->is_map()) {
      Reach(*field->message_type(), reached);
    }
  }
}

}  // namespace

std::string PickedValue::Path() const {
  std::string path;
  const auto append = [&path](const FieldStep& step) {
    absl::StrAppend(&path, path.empty() ? "" : ".", step.field->name());
    if (step.index >= 0) absl::StrAppend(&path, "[", step.index, "]");
  };
  for (const FieldStep& step : way) append(step);
  append(place);
  return path;
}

PickedFields::PickedFields(
    const Descriptor& root,
    absl::FunctionRef<int(const FieldDescriptor&)> mark_of) {
  std::set<const Descriptor*> reached;
  Reach(root, &reached);
  // A type is kept once a field of it is picked or of a type that is kept;
  // types may hold each other, so until nothing is added.
  std::set<const Descriptor*> kept;
  for (size_t before = 0, first = 1; first != 0 || kept.size() != before;
       first = 0) {
    before = kept.size();
    for (const Descriptor* type : reached) {
      for (int i = 0; i < type->field_count(); ++i) {
        const FieldDescriptor* field = type->field(i);
        if (mark_of(*field) != 0 ||
            (!field->is_map() && kept.count(field->message_type()) != 0)) {
          kept.insert(type);
        }
      }
    }
  }
  for (const Descriptor* type : kept) types_[type];
  for (auto& [type, picked] : types_) {
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      const int mark = mark_of(*field);
      const auto below =
          field->is_map() ? types_.end() : types_.find(field->message_type());
      if (mark != 0 || below != types_.end()) {
        picked.fields.push_back(
            {field, mark, below == types_.end() ? nullptr : &below->second});
      }
    }
  }
  const auto found = types_.find(&root);
  if (found != types_.end()) root_ = &found->second;
}

void PickedFields::Visit(const Message& message, Visitor visit) const {
  if (root_ == nullptr) return;
  std::vector<FieldStep> way;
  VisitFields(message, *root_, &way, visit);
}

void PickedFields::VisitFields(const Message& message, const Type& type,
                               std::vector<FieldStep>* way,
                               Visitor visit) const {
  const auto* reflection = message.GetReflection();
  const auto take = [&](const Field& field, int index) {
    if (field.mark != 0) {
      visit({message, {field.field, index}, field.mark, *way});
    }
    if (field.below == nullptr) return;
    way->push_back({field.field, index});
    VisitFields(
        index < 0 ? reflection->GetMessage(message, field.field)
                  : reflection->GetRepeatedMessage(message, field.field, index),
        *field.below, way, visit);
    way->pop_back();
  };
  for (const Field& field : type.fields) {
    if (!field.field->is_repeated()) {
      if (reflection->HasField(message, field.field)) take(field, -1);
      continue;
    }
    const int count = reflection->FieldSize(message, field.field);
    for (int i = 0; i < count; ++i) take(field, i);
  }
}

}  // namespace transparency::fields
