#include "gateway/rest/special_fields.h"

namespace transparency::gateway::rest {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const FieldDescriptor* StringField(const Descriptor& type, const char* name) {
  const FieldDescriptor* field = type.FindFieldByName(name);
  return field != nullptr && !field->is_repeated() &&
                 field->type() == FieldDescriptor::TYPE_STRING
             ? field
             : nullptr;
}

const FieldDescriptor* Singular(const Message& message, const char* name,
                                FieldDescriptor::Type type) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  return field != nullptr && !field->is_repeated() && field->type() == type
             ? field
             : nullptr;
}

StreamFields StreamFieldsOf(const Route& route) {
  StreamFields fields;
  if (!route.method->server_streaming()) return fields;
  fields.resume_token =
      Singular(*route.request, "resume_token", FieldDescriptor::TYPE_STRING);
  fields.include_present_state = Singular(
      *route.request, "include_present_state", FieldDescriptor::TYPE_BOOL);
  fields.answered_token =
      Singular(*route.response, "resume_token", FieldDescriptor::TYPE_STRING);
  return fields;
}

}  // namespace

SpecialFields SpecialFieldsOf(const Route& route) {
  SpecialFields special;
  const Descriptor& request = *route.request->GetDescriptor();
  special.request_id = StringField(request, "request_id");
  if (const FieldDescriptor* etag = StringField(request, "etag")) {
    special.etag = {etag};
  } else if (route.body != nullptr && !route.body->is_repeated() &&
             route.body->message_type() != nullptr) {
    if (const FieldDescriptor* inner =
            StringField(*route.body->message_type(), "etag")) {
      special.etag = {route.body, inner};
    }
  }
  const FieldDescriptor* mask = request.FindFieldByName("update_mask");
  if (route.http_method == "PATCH" && mask != nullptr && !mask->is_repeated() &&
      mask->message_type() != nullptr &&
      mask->message_type()->well_known_type() ==
          Descriptor::WELLKNOWNTYPE_FIELDMASK &&
      route.body != nullptr && !route.body->is_repeated() &&
      route.body->message_type() != nullptr) {
    special.update_mask = mask;
  }
  special.answered_etag = StringField(*route.response->GetDescriptor(), "etag");
  special.stream = StreamFieldsOf(route);
  return special;
}

}  // namespace transparency::gateway::rest
