#include "common/resource/kind.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/digest.h"
#include "common/fields/names.h"
#include "google/api/resource.pb.h"
#include "transparency/type/v1/annotations.pb.h"

namespace transparency::resource {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

absl::Status Defect(const Descriptor* type, absl::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat("contract of ", type->full_name(), ": ", what));
}

// The collection ids of a pattern or name: every other segment.
std::string Collections(absl::string_view name) {
  std::string ids;
  int place = 0;
  for (absl::string_view segment : absl::StrSplit(name, '/')) {
    if (place++ % 2 != 0) continue;
    if (!ids.empty()) ids.push_back('/');
    ids.append(segment.data(), segment.size());
  }
  return ids;
}

std::string SnakeCase(absl::string_view camel) {
  std::string snake;
  for (char c : camel) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c)) && !snake.empty()) {
      snake.push_back('_');
    }
    snake.push_back(absl::ascii_tolower(static_cast<unsigned char>(c)));
  }
  return snake;
}

const FieldDescriptor* Timestamp(const Descriptor* type, const char* name) {
  const FieldDescriptor* field = type->FindFieldByName(name);
  const bool fits =
      field != nullptr && field->message_type() != nullptr &&
      field->message_type()->full_name() == "google.protobuf.Timestamp";
  return fits ? field : nullptr;
}

absl::Status ReadPattern(Kind* kind) {
  const auto& resource =
      kind->descriptor->options().GetExtension(google::api::resource);
  if (resource.pattern_size() != 1) {
    return Defect(kind->descriptor, "needs google.api.resource, one pattern");
  }
  kind->type = resource.type();
  kind->pattern = resource.pattern(0);
  std::vector<std::string> segments = absl::StrSplit(kind->pattern, '/');
  const std::string& last = segments.back();
  if (segments.size() % 2 != 0 || last.size() < 3 || last.front() != '{') {
    return Defect(kind->descriptor, "its pattern must end in {id}");
  }
  kind->collection = segments[segments.size() - 2];
  kind->table = SnakeCase(kind->collection);
  kind->singular = SnakeCase(kind->descriptor->name());
  return absl::OkStatus();
}

absl::Status ReadFields(Kind* kind) {
  const Descriptor* type = kind->descriptor;
  kind->name_field = type->FindFieldByName("name");
  kind->etag_field = type->FindFieldByName("etag");
  for (const FieldDescriptor* field : {kind->name_field, kind->etag_field}) {
    if (field == nullptr || field->is_repeated() ||
        field->type() != FieldDescriptor::TYPE_STRING) {
      return Defect(type, "needs the text fields `name` and `etag`");
    }
  }
  kind->create_time_field = Timestamp(type, "create_time");
  kind->update_time_field = Timestamp(type, "update_time");
  kind->delete_time_field = Timestamp(type, "delete_time");
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->options().GetExtension(type::v1::personal)) {
      kind->personal_fields.push_back(field);
    }
    if (!field->options().GetExtension(type::v1::title)) continue;
    if (kind->title_field != nullptr || field->is_repeated() ||
        field->type() != FieldDescriptor::TYPE_STRING) {
      return Defect(type, "has one `title` at most, a text field");
    }
    kind->title_field = field;
  }
  return absl::OkStatus();
}

bool HasAudience(const Descriptor* type, std::set<const Descriptor*>* seen) {
  if (type == nullptr || !seen->insert(type).second) return false;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (!field->options().GetExtension(type::v1::audience).empty() ||
        HasAudience(field->message_type(), seen)) {
      return true;
    }
  }
  return false;
}

// Gathers fields with an audience below `type`. `path` leads to it. Within a
// recursive type they would stand at any depth: a defect.
absl::Status ReadAudiences(const Descriptor* type,
                           std::vector<const FieldDescriptor*>* path,
                           Kind* kind) {
  const bool recursive =
      !path->empty() && std::any_of(path->begin(), path->end() - 1,
                                    [type](const FieldDescriptor* above) {
                                      return above->message_type() == type;
                                    });
  if (recursive) {
    std::set<const Descriptor*> seen;
    return HasAudience(type, &seen)
               ? Defect(type, "an audience stands in a recursive type")
               : absl::OkStatus();
  }
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    path->push_back(field);
    const std::string& audience =
        field->options().GetExtension(type::v1::audience);
    if (!audience.empty()) {
      auto predicate = query::Predicate::Compile(audience, *kind->descriptor);
      if (!predicate.ok()) return predicate.status();
      kind->hidden_fields.push_back({*path, *std::move(predicate)});
    } else if (field->message_type() != nullptr) {
      absl::Status below = ReadAudiences(field->message_type(), path, kind);
      if (!below.ok()) return below;
    }
    path->pop_back();
  }
  return absl::OkStatus();
}

}  // namespace

std::string Kind::TitleOf(const google::protobuf::Message& resource) const {
  const auto* reflection = resource.GetReflection();
  std::string scratch;
  if (title_field != nullptr) {
    const std::string& title =
        reflection->GetStringReference(resource, title_field, &scratch);
    if (!title.empty()) return title;
  }
  return std::string(fields::IdOf(
      reflection->GetStringReference(resource, name_field, &scratch)));
}

EtagKey::EtagKey() { Set(digest::RandomBytes(digest::kBytes)); }

void EtagKey::Set(std::string key) {
  key_.store(std::make_shared<const std::string>(std::move(key)));
}

std::string EtagKey::Digest(absl::string_view bytes) const {
  return digest::Hmac(*key_.load(), bytes);
}

std::string Catalogue::service() const {
  const std::string& type = kinds_.front()->type;
  return type.substr(0, type.find('/'));
}

absl::Status Catalogue::Add(const Descriptor* descriptor, KindRules rules) {
  auto kind = std::make_unique<Kind>();
  kind->etag_key = etag_key_;
  kind->descriptor = descriptor;
  kind->prototype =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(
          descriptor);
  kind->rules = std::move(rules);
  absl::Status status = ReadPattern(kind.get());
  if (status.ok()) status = ReadFields(kind.get());
  std::vector<const FieldDescriptor*> path;
  if (status.ok()) status = ReadAudiences(descriptor, &path, kind.get());
  if (!status.ok()) return status;

  const std::string& visible_when =
      descriptor->options().GetExtension(type::v1::visible_when);
  if (!visible_when.empty()) {
    auto predicate = query::Predicate::Compile(visible_when, *descriptor);
    if (!predicate.ok()) return predicate.status();
    kind->visible_when = *std::move(predicate);
  }
  const std::string collections = Collections(kind->pattern);
  const size_t slash = collections.rfind('/');
  if (slash != std::string::npos) {
    auto parent = by_collections_.find(collections.substr(0, slash));
    if (parent == by_collections_.end()) {
      return Defect(descriptor, "add the kind that nests it first");
    }
    kind->parent = parent->second;
  }
  const Kind* added = kind.get();
  if (!by_collections_.emplace(collections, added).second ||
      !by_type_.emplace(added->type, added).second) {
    return Defect(descriptor, "its pattern or type is taken");
  }
  by_descriptor_[descriptor] = added;
  kinds_.push_back(std::move(kind));
  return absl::OkStatus();
}

const Kind* Catalogue::ByDescriptor(const Descriptor* type) const {
  auto found = by_descriptor_.find(type);
  return found == by_descriptor_.end() ? nullptr : found->second;
}

const Kind* Catalogue::ByType(absl::string_view resource_type) const {
  auto found = by_type_.find(resource_type);
  return found == by_type_.end() ? nullptr : found->second;
}

const Kind* Catalogue::ByName(absl::string_view name) const {
  const auto slashes = std::count(name.begin(), name.end(), '/');
  if (slashes % 2 == 0) return nullptr;
  // Collections of two segments, the common case, need no text of their own.
  if (slashes == 1) {
    auto found = by_collections_.find(name.substr(0, name.find('/')));
    return found == by_collections_.end() ? nullptr : found->second;
  }
  auto found = by_collections_.find(Collections(name));
  return found == by_collections_.end() ? nullptr : found->second;
}

}  // namespace transparency::resource
