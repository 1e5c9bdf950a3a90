#include "common/resource/form.h"

#include <openssl/sha.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/base/bytes.h"

namespace transparency::resource {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Clears the field at the end of the path, in every element on the way.
void Clear(Message* message, absl::Span<const FieldDescriptor* const> path) {
  const auto* reflection = message->GetReflection();
  const FieldDescriptor* field = path.front();
  if (path.size() == 1) {
    reflection->ClearField(message, field);
  } else if (field->is_repeated()) {
    const int count = reflection->FieldSize(*message, field);
    for (int i = 0; i < count; ++i) {
      Clear(reflection->MutableRepeatedMessage(message, field, i),
            path.subspan(1));
    }
  } else if (reflection->HasField(*message, field)) {
    Clear(reflection->MutableMessage(message, field), path.subspan(1));
  }
}

// Where an audience leaves out a field that is not set, nothing is hidden.
bool IsSet(const Message& message,
           absl::Span<const FieldDescriptor* const> path) {
  const auto* reflection = message.GetReflection();
  const FieldDescriptor* field = path.front();
  if (!field->is_repeated()) {
    return reflection->HasField(message, field) &&
           (path.size() == 1 ||
            IsSet(reflection->GetMessage(message, field), path.subspan(1)));
  }
  const int count = reflection->FieldSize(message, field);
  if (path.size() == 1) return count > 0;
  for (int i = 0; i < count; ++i) {
    if (IsSet(reflection->GetRepeatedMessage(message, field, i),
              path.subspan(1))) {
      return true;
    }
  }
  return false;
}

void Serialize(const Message& message, std::string* bytes) {
  bytes->clear();
  AppendDeterministicBytes(message, message.ByteSizeLong(), bytes);
}

}  // namespace

Form::Form(const Kind& kind, const Caller& caller)
    : kind_(kind),
      caller_(caller),
      public_(caller.anonymous() && caller.roles.empty()) {
  if (kind.visible_when == nullptr) {
    sees_ = query::Reach::kAlways;
  } else if (!public_) {
    sees_ = kind.visible_when->ReachOf(caller);
  }
  for (const HiddenField& field : kind.hidden_fields) {
    switch (field.audience->ReachOf(caller)) {
      case query::Reach::kNever:
        always_.push_back(&field);
        break;
      case query::Reach::kDepends:
        sometimes_.push_back(&field);
        break;
      case query::Reach::kAlways:
        break;
    }
  }
}

template <class MessageOf>
bool Form::SeesBy(const Item& item, const MessageOf& message_of) const {
  if (item.deleted() && !caller_.HasRole(kStaffRole)) return false;
  if (sees_ != query::Reach::kDepends) return sees_ == query::Reach::kAlways;
  if (public_) return item.is_public();
  return kind_.visible_when->Matches(message_of(), caller_);
}

bool Form::Sees(const Item& item) const {
  // The whole message would be kept by the item: whoever looks at all of them
  // once would make the process hold twice as much for good.
  std::unique_ptr<Message> scratch;
  return Sees(item, &scratch);
}

bool Form::Sees(const Item& item, std::unique_ptr<Message>* scratch) const {
  return SeesBy(item, [&]() -> const Message& {
    return item.message(kind_.visible_when->fields(), scratch);
  });
}

bool Form::SeesAllLive() const {
  return sees_ == query::Reach::kAlways ||
         (public_ &&
          kind_.visible_when->ReachOf(caller_) == query::Reach::kAlways);
}

void Form::HiddenIn(const Message& resource, const Hidden& candidates,
                    Hidden* hidden) const {
  for (const HiddenField* field : candidates) {
    if (IsSet(resource, field->path) &&
        !field->audience->Matches(resource, caller_)) {
      hidden->push_back(field);
    }
  }
}

const Message& Form::Without(const Hidden& hidden, const Message& full,
                             std::unique_ptr<Message>* scratch) {
  if (hidden.empty()) return full;
  if (scratch->get() != &full) {
    if (*scratch == nullptr ||
        (*scratch)->GetDescriptor() != full.GetDescriptor()) {
      scratch->reset(full.New());
    }
    (*scratch)->CopyFrom(full);
  }
  for (const HiddenField* field : hidden) Clear(scratch->get(), field->path);
  return **scratch;
}

const Message& Form::Of(const Item& item,
                        std::unique_ptr<Message>* scratch) const {
  const Message& full = item.message(scratch);
  if (always_.empty() && sometimes_.empty()) return full;
  Hidden hidden;
  HiddenIn(full, always_, &hidden);
  HiddenIn(full, sometimes_, &hidden);
  return Without(hidden, full, scratch);
}

const Message& Form::ForQuery(const Item& item,
                              const fields::FieldSubset& wanted,
                              std::unique_ptr<Message>* scratch) const {
  const Message& full = item.message(wanted, scratch);
  if (sometimes_.empty()) return full;
  Hidden hidden;
  HiddenIn(full, sometimes_, &hidden);
  return Without(hidden, full, scratch);
}

fields::FieldSubset Form::ForQuery(fields::FieldSubset wanted) const {
  if (wanted.empty()) return wanted;
  for (const HiddenField* field : sometimes_) {
    wanted.Add(field->audience->fields());
  }
  return wanted;
}

const std::string& Form::Bytes(const Item& item, std::string* scratch) const {
  if (always_.empty() && sometimes_.empty()) return item.bytes();
  if (public_) {
    const std::string* bytes = item.public_bytes();
    if (bytes != nullptr) return *bytes;
  }
  std::unique_ptr<Message> copy;
  const Message& full = item.message(&copy);
  Hidden hidden;
  HiddenIn(full, always_, &hidden);
  HiddenIn(full, sometimes_, &hidden);
  if (hidden.empty()) return item.bytes();
  Serialize(Without(hidden, full, &copy), scratch);
  return *scratch;
}

fields::FieldAccess Form::fields() const {
  std::vector<fields::FieldPath> hidden;
  for (const HiddenField* field : always_) hidden.push_back(field->path);
  return fields::FieldAccess(std::move(hidden));
}

fields::FieldAccess Form::fields(const Item& item) const {
  std::vector<fields::FieldPath> hidden;
  for (const HiddenField* field : always_) hidden.push_back(field->path);
  for (const HiddenField* field : sometimes_) {
    if (!field->audience->Matches(item.message(), caller_)) {
      hidden.push_back(field->path);
    }
  }
  return fields::FieldAccess(std::move(hidden));
}

std::string Form::Fingerprint() const {
  if (kind_.visible_when == nullptr && kind_.hidden_fields.empty()) {
    // Staff alone see what is deleted, and its name in what is old.
    return caller_.HasRole(kStaffRole) ? "staff" : "all";
  }
  if (public_) return "public";
  std::vector<std::string> parts = caller_.roles;
  std::sort(parts.begin(), parts.end());
  parts.push_back(caller_.subject);
  std::string bytes;
  for (const std::string& part : parts) {
    absl::StrAppend(&bytes, part.size(), ":", part);
  }
  // A token does not tell who asked.
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         digest);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), 16));
}

bool PublicSees(const Kind& kind, const Message& resource) {
  return !kind.IsDeleted(resource) &&
         (kind.visible_when == nullptr ||
          kind.visible_when->Matches(resource, Caller{}));
}

bool HidesFromPublic(const Kind& kind, const Message& resource) {
  const Caller everybody;
  return std::any_of(kind.hidden_fields.begin(), kind.hidden_fields.end(),
                     [&](const HiddenField& field) {
                       return IsSet(resource, field.path) &&
                              !field.audience->Matches(resource, everybody);
                     });
}

bool ToPublic(const Kind& kind, Message* resource) {
  if (!PublicSees(kind, *resource)) return false;
  const Caller everybody;
  // All audiences see the full resource, also fields that another one hides.
  std::vector<const HiddenField*> hidden;
  for (const HiddenField& field : kind.hidden_fields) {
    if (!field.audience->Matches(*resource, everybody)) {
      hidden.push_back(&field);
    }
  }
  for (const HiddenField* field : hidden) Clear(resource, field->path);
  return true;
}

}  // namespace transparency::resource
