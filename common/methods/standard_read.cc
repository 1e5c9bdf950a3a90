#include "common/methods/standard_read.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/methods/reader.h"
#include "common/methods/request_fields.h"
#include "common/resource/form.h"
#include "common/resource/list_page.h"
#include "common/resource/names.h"
#include "common/status/status.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/wire_format_lite.h"

namespace transparency::methods {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Appends one text or message field on the wire: what a List answer is made of.
void AppendField(const FieldDescriptor& field, absl::string_view bytes,
                 std::string* answer) {
  using google::protobuf::internal::WireFormatLite;
  uint8_t head[20];
  uint8_t* end = google::protobuf::io::CodedOutputStream::WriteTagToArray(
      WireFormatLite::MakeTag(field.number(),
                              WireFormatLite::WIRETYPE_LENGTH_DELIMITED),
      head);
  end = google::protobuf::io::CodedOutputStream::WriteVarint32ToArray(
      static_cast<uint32_t>(bytes.size()), end);
  answer->append(reinterpret_cast<const char*>(head),
                 static_cast<size_t>(end - head));
  answer->append(bytes.data(), bytes.size());
}

int PageSizeOf(const Message& request) {
  return request.GetReflection()->GetInt32(
      request, request.GetDescriptor()->FindFieldByName("page_size"));
}

bool IsListed(const FieldDescriptor* field, FieldDescriptor::Type type) {
  return field != nullptr && field->type() == type;
}

// A parent named in full must be there for the caller; one with `-` names none.
absl::Status CheckParent(const resource::Kind& kind,
                         const resource::Snapshot& snapshot,
                         const resource::Caller& caller,
                         const std::string& parent) {
  if (kind.parent == nullptr || !resource::IsName(parent)) {
    return absl::OkStatus();
  }
  const resource::Item* item = snapshot.FindLive(parent);
  if (item == nullptr || &item->kind() != kind.parent ||
      !resource::Form(*kind.parent, caller).Sees(*item)) {
    return status::NotFound(kind.parent->type, parent);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> Get(const resource::Kind& kind,
                                const resource::Snapshot& snapshot,
                                const rpc::Call& call, const Message& request) {
  const std::string& name = Text(request, "name");
  const resource::Item* item = snapshot.FindLive(name);
  if (item == nullptr || &item->kind() != &kind) {
    return status::NotFound(kind.type, name);
  }
  const resource::Form form(kind, call.caller());
  if (!form.Sees(*item)) return status::NotFound(kind.type, name);
  std::string scratch;
  return form.Bytes(*item, &scratch);
}

absl::StatusOr<ListShape> ListShape::Of(
    const google::protobuf::MethodDescriptor& method,
    const resource::Kind& kind) {
  ListShape shape;
  const auto* answer = method.output_type();
  for (int i = 0; i < answer->field_count(); ++i) {
    const FieldDescriptor* field = answer->field(i);
    if (field->message_type() == kind.descriptor && field->is_repeated()) {
      shape.resources = field;
    }
  }
  shape.next_page_token = answer->FindFieldByName("next_page_token");
  const auto* size = method.input_type()->FindFieldByName("page_size");
  if (shape.resources == nullptr ||
      !IsListed(shape.next_page_token, FieldDescriptor::TYPE_STRING) ||
      !IsListed(size, FieldDescriptor::TYPE_INT32)) {
    return absl::FailedPreconditionError(
        absl::StrCat(method.full_name(),
                     " needs page_size, next_page_token and the resources"));
  }
  return shape;
}

absl::StatusOr<std::string> List(const resource::Kind& kind,
                                 const ListShape& shape,
                                 const resource::Snapshot& snapshot,
                                 const rpc::Call& call,
                                 const Message& request) {
  const std::string& parent = Text(request, "parent");
  absl::Status status = CheckParent(kind, snapshot, call.caller(), parent);
  if (!status.ok()) return status;
  const resource::Form form(kind, call.caller());
  const resource::List list = {.snapshot = snapshot,
                               .kind = kind,
                               .form = form,
                               .method = call.descriptor()->full_name(),
                               .parent = parent,
                               .filter = Text(request, "filter"),
                               .order_by = Text(request, "order_by"),
                               .page_size = PageSizeOf(request),
                               .page_token = Text(request, "page_token")};
  std::string answer;
  absl::StatusOr<std::string> next = resource::ListPage(
      list, [&call] { return StillWanted(call); },
      [&](const resource::Item&, const std::string& bytes) {
        AppendField(*shape.resources, bytes, &answer);
      });
  if (!next.ok()) return next.status();
  if (!next->empty()) AppendField(*shape.next_page_token, *next, &answer);
  return answer;
}

}  // namespace transparency::methods
