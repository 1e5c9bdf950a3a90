#include "common/fields/masks.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/text.h"
#include "common/fields/field_rules.h"
#include "common/status/status.h"
#include "google/protobuf/reflection.h"
#include "google/protobuf/util/message_differencer.h"

namespace transparency::fields {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FieldMask;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

constexpr int kMaxReadPaths = 100;
constexpr size_t kMaxReadMaskLength = 4000;

template <class T>
void CopyRepeated(const FieldDescriptor* field, const Message& from,
                  Message* to) {
  to->GetReflection()->GetMutableRepeatedFieldRef<T>(to, field).CopyFrom(
      from.GetReflection()->GetRepeatedFieldRef<T>(from, field));
}

void CopyList(const FieldDescriptor* field, const Message& from, Message* to) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_ENUM:
      return CopyRepeated<int32_t>(field, from, to);
    case FieldDescriptor::CPPTYPE_INT64:
      return CopyRepeated<int64_t>(field, from, to);
    case FieldDescriptor::CPPTYPE_UINT32:
      return CopyRepeated<uint32_t>(field, from, to);
    case FieldDescriptor::CPPTYPE_UINT64:
      return CopyRepeated<uint64_t>(field, from, to);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return CopyRepeated<double>(field, from, to);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return CopyRepeated<float>(field, from, to);
    case FieldDescriptor::CPPTYPE_BOOL:
      return CopyRepeated<bool>(field, from, to);
    case FieldDescriptor::CPPTYPE_STRING:
      return CopyRepeated<std::string>(field, from, to);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  const auto* reflection = from.GetReflection();
  const int size = reflection->FieldSize(from, field);
  for (int i = 0; i < size; ++i) {
    to->GetReflection()->AddMessage(to, field)->CopyFrom(
        reflection->GetRepeatedMessage(from, field, i));
  }
}

// Copies one field, also when it is empty.
void CopyField(const FieldDescriptor* field, const Message& from, Message* to) {
  const auto* in = from.GetReflection();
  const auto* out = to->GetReflection();
  out->ClearField(to, field);
  if (field->is_repeated()) return CopyList(field, from, to);
  if (!in->HasField(from, field)) return;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return out->SetInt32(to, field, in->GetInt32(from, field));
    case FieldDescriptor::CPPTYPE_ENUM:
      return out->SetEnumValue(to, field, in->GetEnumValue(from, field));
    case FieldDescriptor::CPPTYPE_INT64:
      return out->SetInt64(to, field, in->GetInt64(from, field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return out->SetUInt32(to, field, in->GetUInt32(from, field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return out->SetUInt64(to, field, in->GetUInt64(from, field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return out->SetDouble(to, field, in->GetDouble(from, field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return out->SetFloat(to, field, in->GetFloat(from, field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return out->SetBool(to, field, in->GetBool(from, field));
    case FieldDescriptor::CPPTYPE_STRING:
      return out->SetString(to, field, in->GetString(from, field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return out->MutableMessage(to, field)->CopyFrom(
          in->GetMessage(from, field));
  }
}

bool SameField(const FieldDescriptor* field, const Message& a,
               const Message& b) {
  MessageDifferencer differencer;
  return differencer.CompareWithFields(a, b, {field}, {field});
}

bool IsSet(const Message& message, const FieldDescriptor* field) {
  const auto* reflection = message.GetReflection();
  return field->is_repeated() ? reflection->FieldSize(message, field) > 0
                              : reflection->HasField(message, field);
}

bool IsEmpty(const Message& message) {
  std::vector<const FieldDescriptor*> set;
  message.GetReflection()->ListFields(message, &set);
  return set.empty();
}

// One update. `target` begins as a copy of the present resource.
class Update {
 public:
  Update(Message* target, const Message& incoming, const FieldAccess& access,
         absl::string_view path)
      : target_(target), incoming_(incoming), access_(access), root_(path) {}

  void Run(const FieldMask* mask) {
    if (mask == nullptr || mask->paths().empty()) {
      std::vector<const FieldDescriptor*> set;
      incoming_.GetReflection()->ListFields(incoming_, &set);
      for (const FieldDescriptor* field : set) {
        Replace(field, incoming_, target_, /*named=*/false);
      }
    } else if (mask->paths_size() == 1 && mask->paths(0) == "*") {
      ReplaceAll(incoming_, target_);
    } else {
      for (const std::string& path : mask->paths()) ReplacePath(path);
    }
  }

  absl::Status ToStatus() const { return violations_.ToStatus(); }

 private:
  void ReplacePath(absl::string_view path);
  void ReplaceAll(const Message& source, Message* target);
  void Replace(const FieldDescriptor* field, const Message& source,
               Message* target, bool named);
  void ReplaceMessage(const FieldDescriptor* field, const Message& source,
                      Message* target);
  bool Resolve(absl::string_view path, FieldPath* resolved);
  bool PassedOver(const FieldDescriptor& field) const;
  std::string PathText() const;

  Message* const target_;
  const Message& incoming_;
  const FieldAccess& access_;
  const absl::string_view root_;
  FieldPath path_;  // of the message that is worked on
  status::Violations violations_;
};

std::string Update::PathText() const {
  std::string text(root_);
  for (const FieldDescriptor* field : path_) {
    absl::StrAppend(&text, text.empty() ? "" : ".", field->name());
  }
  return text;
}

// What every client's update leaves as it is. The etag is computed.
bool Update::PassedOver(const FieldDescriptor& field) const {
  const FieldRules& rules = RulesOf(field);
  return rules.output_only || rules.identifier ||
         (field.containing_type() == target_->GetDescriptor() &&
          field.name() == "etag");
}

void Update::ReplaceAll(const Message& source, Message* target) {
  const Descriptor* type = target->GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    Replace(type->field(i), source, target, /*named=*/false);
  }
}

void Update::Replace(const FieldDescriptor* field, const Message& source,
                     Message* target, bool named) {
  if (PassedOver(*field)) return;
  path_.push_back(field);
  const bool immutable = RulesOf(*field).immutable;
  if (!access_.Knows(path_) || (immutable && !named && !IsSet(source, field))) {
    // Stays as it is.
  } else if (immutable) {
    if (!SameField(field, source, *target)) {
      violations_.Add(PathText(),
                      "is immutable: it keeps the value it was "
                      "created with");
    }
  } else if (field->message_type() != nullptr && !field->is_repeated()) {
    ReplaceMessage(field, source, target);
  } else {
    CopyField(field, source, target);
    if (field->message_type() != nullptr && !field->is_map()) {
      const int size = target->GetReflection()->FieldSize(*target, field);
      for (int i = 0; i < size; ++i) {
        ClearOutputOnly(
            target->GetReflection()->MutableRepeatedMessage(target, field, i));
      }
    }
  }
  path_.pop_back();
}

// The parts of a message that are not the client's stay also where the client
// leaves the message out.
void Update::ReplaceMessage(const FieldDescriptor* field, const Message& source,
                            Message* target) {
  const auto* reflection = target->GetReflection();
  const bool given = source.GetReflection()->HasField(source, field);
  if (!given && !reflection->HasField(*target, field)) return;
  Message* below = reflection->MutableMessage(target, field);
  ReplaceAll(source.GetReflection()->GetMessage(source, field), below);
  if (!given && IsEmpty(*below)) reflection->ClearField(target, field);
}

bool Update::Resolve(absl::string_view path, FieldPath* resolved) {
  const Descriptor* type = target_->GetDescriptor();
  for (absl::string_view part : absl::StrSplit(path, '.')) {
    const bool enters =
        resolved->empty() || (!resolved->back()->is_repeated() &&
                              resolved->back()->message_type() != nullptr);
    const FieldDescriptor* field = enters ? FindField(*type, part) : nullptr;
    if (field != nullptr) resolved->push_back(field);
    if (field == nullptr || !access_.Knows(*resolved)) {
      violations_.Add(
          "update_mask",
          absl::StrCat("\"", text::Excerpt(path), "\" is no path to a ",
                       "field of ", target_->GetDescriptor()->name()));
      return false;
    }
    type = field->message_type();
  }
  return true;
}

void Update::ReplacePath(absl::string_view path) {
  FieldPath resolved;
  if (path == "*") {
    violations_.Add("update_mask", "\"*\" stands alone");
    return;
  }
  if (!Resolve(path, &resolved)) return;
  const Message* source = &incoming_;
  Message* target = target_;
  path_.clear();
  for (size_t i = 0; i + 1 < resolved.size(); ++i) {
    const FieldDescriptor* field = resolved[i];
    if (PassedOver(*field)) return;
    path_.push_back(field);
    const auto* reflection = source->GetReflection();
    if (!reflection->HasField(*source, field) &&
        !target->GetReflection()->HasField(*target, field)) {
      return;  // nothing there, and nothing to come
    }
    if (RulesOf(*field).immutable && !SameField(field, *source, *target)) {
      violations_.Add(PathText(),
                      "is immutable: it keeps the value it was "
                      "created with");
      return;
    }
    source = &reflection->GetMessage(*source, field);
    target = target->GetReflection()->MutableMessage(target, field);
  }
  Replace(resolved.back(), *source, target, /*named=*/true);
  path_.clear();
}

}  // namespace

void ClearOutputOnly(Message* resource) {
  const auto* reflection = resource->GetReflection();
  std::vector<const FieldDescriptor*> set;
  reflection->ListFields(*resource, &set);
  for (const FieldDescriptor* field : set) {
    if (RulesOf(*field).output_only) {
      reflection->ClearField(resource, field);
    } else if (field->message_type() == nullptr || field->is_map()) {
      continue;
    } else if (!field->is_repeated()) {
      ClearOutputOnly(reflection->MutableMessage(resource, field));
    } else {
      const int size = reflection->FieldSize(*resource, field);
      for (int i = 0; i < size; ++i) {
        ClearOutputOnly(reflection->MutableRepeatedMessage(resource, field, i));
      }
    }
  }
}

absl::StatusOr<std::unique_ptr<Message>> ApplyUpdate(const Message& current,
                                                     const Message& incoming,
                                                     const FieldMask* mask,
                                                     const FieldAccess& access,
                                                     absl::string_view path) {
  std::unique_ptr<Message> target(current.New());
  target->CopyFrom(current);
  Update update(target.get(), incoming, access, path);
  update.Run(mask);
  absl::Status status = update.ToStatus();
  if (!status.ok()) return status;
  return target;
}

absl::StatusOr<ReadMask> ReadMask::Parse(absl::string_view field,
                                         absl::string_view text,
                                         const Descriptor& type) {
  ReadMask mask;
  if (text.size() > kMaxReadMaskLength) {
    return status::InvalidField(
        field,
        absl::StrCat("is longer than ", kMaxReadMaskLength, " characters"));
  }
  int paths = 0;
  for (absl::string_view path : absl::StrSplit(text, ',')) {
    path = absl::StripAsciiWhitespace(path);
    if (++paths > kMaxReadPaths) {
      return status::InvalidField(
          field, absl::StrCat("has more than ", kMaxReadPaths, " paths"));
    }
    if (path == "*") {
      mask.all_ = true;
    } else if (!mask.Add(path, type)) {
      return status::InvalidField(
          field, absl::StrCat("\"", text::Excerpt(path), "\" is no path to a ",
                              "field of ", type.name()));
    }
  }
  return mask;
}

bool ReadMask::Add(absl::string_view path, const Descriptor& type) {
  std::vector<Node>* nodes = &nodes_;
  const Descriptor* at = &type;
  bool whole = false;  // a shorter path names all of this already
  for (absl::string_view part : absl::StrSplit(path, '.')) {
    const FieldDescriptor* found =
        at == nullptr ? nullptr : FindField(*at, part);
    if (found == nullptr) return false;
    at = found->is_map() ? nullptr : found->message_type();
    if (whole) continue;
    auto node = std::find_if(nodes->begin(), nodes->end(),
                             [&](const Node& n) { return n.field == found; });
    if (node == nodes->end()) {
      node = nodes->insert(nodes->end(), Node{found, {}});
    } else if (node->below.empty()) {
      whole = true;
      continue;
    }
    nodes = &node->below;
  }
  if (!whole) nodes->clear();
  return true;
}

void ReadMask::Apply(Message* answer) const {
  if (!all_) Keep(nodes_, answer);
}

void ReadMask::Keep(const std::vector<Node>& nodes, Message* message) {
  const auto* reflection = message->GetReflection();
  std::vector<const FieldDescriptor*> set;
  reflection->ListFields(*message, &set);
  for (const FieldDescriptor* field : set) {
    const auto node =
        std::find_if(nodes.begin(), nodes.end(),
                     [&](const Node& n) { return n.field == field; });
    if (node == nodes.end()) {
      reflection->ClearField(message, field);
    } else if (node->below.empty()) {
      continue;
    } else if (!field->is_repeated()) {
      Keep(node->below, reflection->MutableMessage(message, field));
    } else {
      const int size = reflection->FieldSize(*message, field);
      for (int i = 0; i < size; ++i) {
        Keep(node->below,
             reflection->MutableRepeatedMessage(message, field, i));
      }
    }
  }
}

}  // namespace transparency::fields
