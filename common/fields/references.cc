#include "common/fields/references.h"

#include <cstddef>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "google/api/resource.pb.h"
#include "google/protobuf/descriptor.h"

namespace transparency::fields {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using NameVisitor = absl::FunctionRef<void(const std::string&)>;

bool IsReference(const FieldDescriptor* field) {
  return field->type() == FieldDescriptor::TYPE_STRING &&
         field->options().HasExtension(google::api::resource_reference);
}

// Where messages of one type hold resource names, themselves or further down.
struct References {
  struct Below {
    const FieldDescriptor* field;
    const References* type;
  };
  std::vector<const FieldDescriptor*> names;
  std::vector<Below> below;
};

// Knows them by type; asks each descriptor once. Thread-safe.
class ReferenceMap {
 public:
  const References* Of(const Descriptor* type) {
    {
      absl::ReaderMutexLock lock(&mutex_);
      const auto found = types_.find(type);
      if (found != types_.end()) return found->second.get();
    }
    absl::MutexLock lock(&mutex_);
    return Find(type);
  }

 private:
  const References* Find(const Descriptor* type)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    auto& slot = types_[type];
    if (slot != nullptr) return slot.get();
    slot = std::make_unique<References>();
    References* references = slot.get();  // the slot may move
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      std::set<const Descriptor*> seen;
      if (IsReference(field)) {
        references->names.push_back(field);
      } else if (field->message_type() != nullptr &&
                 Holds(field->message_type(), &seen)) {
        references->below.push_back({field, Find(field->message_type())});
      }
    }
    return references;
  }

  static bool Holds(const Descriptor* type, std::set<const Descriptor*>* seen) {
    if (!seen->insert(type).second) return false;
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      if (IsReference(field) || (field->message_type() != nullptr &&
                                 Holds(field->message_type(), seen))) {
        return true;
      }
    }
    return false;
  }

  absl::Mutex mutex_;
  absl::flat_hash_map<const Descriptor*, std::unique_ptr<References>> types_
      ABSL_GUARDED_BY(mutex_);
};

void VisitReferences(const Message& message, const References& references,
                     NameVisitor visit) {
  const auto* reflection = message.GetReflection();
  std::string scratch;
  for (const FieldDescriptor* field : references.names) {
    if (!field->is_repeated()) {
      const std::string& name =
          reflection->GetStringReference(message, field, &scratch);
      if (!name.empty()) visit(name);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      visit(
          reflection->GetRepeatedStringReference(message, field, i, &scratch));
    }
  }
  for (const auto& [field, type] : references.below) {
    if (!field->is_repeated()) {
      if (reflection->HasField(message, field)) {
        VisitReferences(reflection->GetMessage(message, field), *type, visit);
      }
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      VisitReferences(reflection->GetRepeatedMessage(message, field, i), *type,
                      visit);
    }
  }
}

bool ClearReferences(const References& references,
                     absl::FunctionRef<bool(const std::string&)> which,
                     Message* message) {
  const auto* reflection = message->GetReflection();
  bool cleared = false;
  for (const FieldDescriptor* field : references.names) {
    if (!field->is_repeated()) {
      const std::string name = reflection->GetString(*message, field);
      if (name.empty() || !which(name)) continue;
      reflection->ClearField(message, field);
      cleared = true;
      continue;
    }
    std::vector<std::string> left;
    const int count = reflection->FieldSize(*message, field);
    for (int i = 0; i < count; ++i) {
      std::string name = reflection->GetRepeatedString(*message, field, i);
      if (!which(name)) left.push_back(std::move(name));
    }
    if (left.size() == static_cast<size_t>(count)) continue;
    reflection->ClearField(message, field);
    for (std::string& name : left) {
      reflection->AddString(message, field, std::move(name));
    }
    cleared = true;
  }
  for (const auto& [field, type] : references.below) {
    if (!field->is_repeated()) {
      if (reflection->HasField(*message, field)) {
        cleared |= ClearReferences(*type, which,
                                   reflection->MutableMessage(message, field));
      }
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(*message, field); ++i) {
      cleared |= ClearReferences(
          *type, which, reflection->MutableRepeatedMessage(message, field, i));
    }
  }
  return cleared;
}

const References& ReferencesOf(const Message& message) {
  static auto* const map = new ReferenceMap;
  return *map->Of(message.GetDescriptor());
}

}  // namespace

void VisitReferences(const Message& message, NameVisitor visit) {
  VisitReferences(message, ReferencesOf(message), visit);
}

bool ClearReferences(absl::FunctionRef<bool(const std::string&)> which,
                     Message* message) {
  return ClearReferences(ReferencesOf(*message), which, message);
}

}  // namespace transparency::fields
