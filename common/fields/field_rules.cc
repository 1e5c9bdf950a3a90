#include "common/fields/field_rules.h"

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "common/fields/names.h"
#include "common/fields/resource_types.h"
#include "google/api/field_behavior.pb.h"
#include "google/api/resource.pb.h"

namespace transparency::fields {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

Value ValueOf(const Descriptor& type) {
  static const auto* const values = new absl::flat_hash_map<std::string, Value>{
      {"google.protobuf.Timestamp", Value::kTimestamp},
      {"google.protobuf.Duration", Value::kDuration},
      {"google.type.Date", Value::kDate},
      {"google.type.Money", Value::kMoney},
      {"transparency.type.v1.Period", Value::kPeriod},
  };
  const auto found = values->find(type.full_name());
  return found == values->end() ? Value::kNone : found->second;
}

// `standards` of the package transparency.standards.v1.
std::string ServiceOf(const FieldDescriptor& field) {
  const std::vector<std::string> parts =
      absl::StrSplit(field.file()->package(), '.');
  return parts.size() < 2 ? "" : parts[1];
}

void ReadBehavior(const FieldDescriptor& field, FieldRules* rules) {
  const auto& options = field.options();
  for (int i = 0; i < options.ExtensionSize(google::api::field_behavior); ++i) {
    switch (options.GetExtension(google::api::field_behavior, i)) {
      case google::api::REQUIRED:
        rules->required = true;
        break;
      case google::api::OUTPUT_ONLY:
        rules->output_only = true;
        break;
      case google::api::IMMUTABLE:
        rules->immutable = true;
        break;
      case google::api::IDENTIFIER:
        rules->identifier = true;
        break;
      default:
        break;
    }
  }
}

void ReadReference(const FieldDescriptor& field, FieldRules* rules) {
  if (field.type() != FieldDescriptor::TYPE_STRING ||
      !field.options().HasExtension(google::api::resource_reference)) {
    return;
  }
  const auto& reference =
      field.options().GetExtension(google::api::resource_reference);
  rules->names_parent = !reference.child_type().empty();
  rules->reference_type =
      rules->names_parent ? reference.child_type() : reference.type();
  if (rules->reference_type == "*") {
    rules->reference = FieldRules::Reference::kAny;
    return;
  }
  const std::string domain =
      rules->reference_type.substr(0, rules->reference_type.find('/'));
  rules->reference = domain.substr(0, domain.find('.')) == ServiceOf(field)
                         ? FieldRules::Reference::kLocal
                         : FieldRules::Reference::kForeign;
  if (const std::string* pattern = PatternOf(rules->reference_type)) {
    rules->reference_pattern =
        rules->names_parent ? std::string(ParentOf(*pattern)) : *pattern;
  }
}

FieldRules ReadField(const FieldDescriptor& field) {
  FieldRules rules;
  rules.field = &field;
  ReadBehavior(field, &rules);
  ReadReference(field, &rules);
  rules.format = field.options().GetExtension(type::v1::format);
  const auto& limits = field.options().GetExtension(type::v1::limits);
  if (limits.max_length() > 0) rules.max_length = limits.max_length();
  if (limits.max_items() > 0) rules.max_items = limits.max_items();
  return rules;
}

// `book_id` beside `Book book`.
void MarkChosenIds(const Descriptor& type, std::vector<FieldRules>* fields) {
  for (const FieldRules& resource : *fields) {
    if (resource.message == nullptr || resource.field->is_repeated() ||
        resource.message->resource_pattern.empty()) {
      continue;
    }
    const FieldDescriptor* id =
        type.FindFieldByName(resource.field->name() + "_id");
    if (id != nullptr && id->type() == FieldDescriptor::TYPE_STRING) {
      (*fields)[static_cast<size_t>(id->index())].chosen_id = true;
    }
  }
}

class Cache {
 public:
  const MessageRules& Find(const Descriptor& type) {
    {
      absl::ReaderMutexLock lock(&mutex_);
      const auto found = rules_.find(&type);
      if (found != rules_.end()) return *found->second;
    }
    absl::MutexLock lock(&mutex_);
    return *Read(type);
  }

 private:
  // The rules are in place before their fields are read: a type may hold
  // itself.
  const MessageRules* Read(const Descriptor& type)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    auto& slot = rules_[&type];
    if (slot != nullptr) return slot.get();
    slot = std::make_unique<MessageRules>();
    MessageRules* rules = slot.get();
    rules->type = &type;
    rules->value = ValueOf(type);
    const auto& resource = type.options().GetExtension(google::api::resource);
    if (resource.pattern_size() > 0) {
      rules->resource_pattern = resource.pattern(0);
    }
    std::vector<FieldRules> fields;
    for (int i = 0; i < type.field_count(); ++i) {
      fields.push_back(ReadField(*type.field(i)));
      if (type.field(i)->message_type() != nullptr) {
        fields.back().message = Read(*type.field(i)->message_type());
      }
    }
    MarkChosenIds(type, &fields);
    rules->fields = std::move(fields);
    return rules;
  }

  absl::Mutex mutex_;
  absl::flat_hash_map<const Descriptor*, std::unique_ptr<MessageRules>> rules_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace

const MessageRules& RulesOf(const Descriptor& type) {
  static auto* const cache = new Cache();
  // Each call asks for its request's rules: most find them without a lock.
  thread_local const Descriptor* last_type = nullptr;
  thread_local const MessageRules* last_rules = nullptr;
  if (last_type != &type) {
    last_rules = &cache->Find(type);
    last_type = &type;
  }
  return *last_rules;
}

const FieldRules& RulesOf(const FieldDescriptor& field) {
  return RulesOf(*field.containing_type())
      .fields[static_cast<size_t>(field.index())];
}

}  // namespace transparency::fields
