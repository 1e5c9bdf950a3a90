#include "common/methods/request_fields.h"

#include <memory>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/digest.h"
#include "common/status/status.h"
#include "transparency/type/v1/annotations.pb.h"

namespace transparency::methods {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const FieldDescriptor* Find(const Message& message, absl::string_view name,
                            FieldDescriptor::CppType type) {
  const FieldDescriptor* field =
      message.GetDescriptor()->FindFieldByName(std::string(name));
  return field == nullptr || field->is_repeated() || field->cpp_type() != type
             ? nullptr
             : field;
}

bool HoldsPersonal(const Descriptor* type, std::set<const Descriptor*>* seen) {
  if (!seen->insert(type).second) return false;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->options().GetExtension(type::v1::personal)) return true;
    if (field->message_type() != nullptr &&
        HoldsPersonal(field->message_type(), seen)) {
      return true;
    }
  }
  return false;
}

}  // namespace

const std::string& Text(const Message& message, absl::string_view name) {
  const FieldDescriptor* field =
      Find(message, name, FieldDescriptor::CPPTYPE_STRING);
  return field == nullptr
             ? google::protobuf::internal::GetEmptyStringAlreadyInited()
             : message.GetReflection()->GetStringReference(message, field,
                                                           nullptr);
}

bool Flag(const Message& message, absl::string_view name) {
  const FieldDescriptor* field =
      Find(message, name, FieldDescriptor::CPPTYPE_BOOL);
  return field != nullptr && message.GetReflection()->GetBool(message, field);
}

const FieldDescriptor* ResourceField(const Message& request,
                                     const resource::Kind& kind) {
  const Descriptor* type = request.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    if (type->field(i)->message_type() == kind.descriptor) {
      return type->field(i);
    }
  }
  return nullptr;
}

RequestDigests Digest(const Message& request) {
  const std::string whole = DeterministicBytes(request);
  if (!HoldsPersonal(request.GetDescriptor())) {
    return {digest::Sha256(whole), ""};
  }
  std::unique_ptr<Message> plain(request.New());
  plain->CopyFrom(request);
  ClearPersonal(plain.get());
  const std::string rest = DeterministicBytes(*plain);
  if (rest == whole) return {digest::Sha256(rest), ""};
  // No message begins with the byte 0: it tells the two apart.
  return {digest::Sha256(absl::StrCat(absl::string_view("\0", 1), rest)),
          digest::Sha256(whole)};
}

absl::Status CheckEtag(const resource::Item& item, absl::string_view etag) {
  if (etag.empty() || etag == "*" || etag == item.etag()) {
    return absl::OkStatus();
  }
  return status::Refuse(
      absl::StatusCode::kAborted, "ETAG_MISMATCH",
      absl::StrCat(item.name(), " has changed: its etag is now ", item.etag(),
                   "; read it again."),
      {{"resource", item.name()},
       {"etag", item.etag()},
       {"givenEtag", std::string(etag)}});
}

bool HoldsPersonal(const Descriptor* type) {
  std::set<const Descriptor*> seen;
  return HoldsPersonal(type, &seen);
}

void ClearPersonal(Message* message) {
  const auto* reflection = message->GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(*message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->options().GetExtension(type::v1::personal)) {
      reflection->ClearField(message, field);
    } else if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      continue;
    } else if (!field->is_repeated()) {
      ClearPersonal(reflection->MutableMessage(message, field));
    } else {
      for (int i = 0; i < reflection->FieldSize(*message, field); ++i) {
        ClearPersonal(reflection->MutableRepeatedMessage(message, field, i));
      }
    }
  }
}

}  // namespace transparency::methods
