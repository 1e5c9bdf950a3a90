#include "common/fields/references.h"

#include <cstddef>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "google/api/resource.pb.h"
#include "google/protobuf/descriptor.h"

namespace transparency::fields {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Visitor = absl::FunctionRef<void(const Reference&)>;
using Place = Reference::Place;

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

void Visit(const Message& message, const References& references,
           const Place* outer, Visitor visit) {
  const auto* reflection = message.GetReflection();
  std::string scratch;
  for (const FieldDescriptor* field : references.names) {
    const bool repeated = field->is_repeated();
    const int count = repeated ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const std::string& name =
          repeated ? reflection->GetRepeatedStringReference(message, field, i,
                                                            &scratch)
                   : reflection->GetStringReference(message, field, &scratch);
      const Place place{outer, field, repeated ? i : -1};
      if (!name.empty()) visit(Reference(name, place));
    }
  }
  for (const auto& [field, type] : references.below) {
    if (!field->is_repeated()) {
      if (!reflection->HasField(message, field)) continue;
      const Place place{outer, field, -1};
      Visit(reflection->GetMessage(message, field), *type, &place, visit);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      const Place place{outer, field, i};
      Visit(reflection->GetRepeatedMessage(message, field, i), *type, &place,
            visit);
    }
  }
}

std::string PathOf(const Place& place) {
  return absl::StrCat(
      place.outer == nullptr ? "" : absl::StrCat(PathOf(*place.outer), "."),
      place.field->name(),
      place.index < 0 ? "" : absl::StrCat("[", place.index, "]"));
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

const std::string& Reference::type() const {
  return place_.field->options()
      .GetExtension(google::api::resource_reference)
      .type();
}

std::string Reference::path() const { return PathOf(place_); }

void VisitReferences(const Message& message, Visitor visit) {
  Visit(message, ReferencesOf(message), nullptr, visit);
}

bool ClearReferences(absl::FunctionRef<bool(const std::string&)> which,
                     Message* message) {
  return ClearReferences(ReferencesOf(*message), which, message);
}

}  // namespace transparency::fields
