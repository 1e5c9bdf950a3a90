#include "common/methods/standard_read.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/fields/names.h"
#include "common/methods/query_limits.h"
#include "common/methods/request_fields.h"
#include "common/resource/form.h"
#include "common/resource/list_page.h"
#include "common/status/status.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/wire_format_lite.h"

namespace transparency::methods {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Appends one text or message field on the wire: what the answers of List and
// BatchGet are made of.
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

// The same for a number that is not negative.
void AppendNumber(const FieldDescriptor& field, int64_t number,
                  std::string* answer) {
  using google::protobuf::internal::WireFormatLite;
  uint8_t bytes[20];
  uint8_t* end = google::protobuf::io::CodedOutputStream::WriteTagToArray(
      WireFormatLite::MakeTag(field.number(), WireFormatLite::WIRETYPE_VARINT),
      bytes);
  end = google::protobuf::io::CodedOutputStream::WriteVarint64ToArray(
      static_cast<uint64_t>(number), end);
  answer->append(reinterpret_cast<const char*>(bytes),
                 static_cast<size_t>(end - bytes));
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
                         const Caller& caller, const std::string& parent) {
  if (kind.parent == nullptr || !fields::IsName(parent)) {
    return absl::OkStatus();
  }
  const resource::Item* item = snapshot.Find(parent);
  if (item == nullptr || &item->kind() != kind.parent ||
      !resource::Form(*kind.parent, caller).Sees(*item)) {
    return status::NotFound(kind.parent->type, parent);
  }
  return absl::OkStatus();
}

// The resource of this name and kind that the form shows; null when none.
const resource::Item* FindSeen(const resource::Kind& kind,
                               const resource::Snapshot& snapshot,
                               const resource::Form& form,
                               const std::string& name) {
  const resource::Item* item = snapshot.Find(name);
  return item != nullptr && &item->kind() == &kind && form.Sees(*item)
             ? item
             : nullptr;
}

// Waiting does not help, so there is no RetryInfo.
absl::Status TooLarge(int fitting) {
  return status::Refuse(
      absl::StatusCode::kResourceExhausted, "LIMIT_EXCEEDED",
      absl::StrCat("The answer would be larger than ", kMaxAnswerBytes,
                   " bytes; the first ", fitting, " names fit."),
      {{"limit", absl::StrCat(kMaxAnswerBytes)},
       {"fitting", absl::StrCat(fitting)}});
}

// The one repeated field of an answer that holds resources of a kind.
const FieldDescriptor* ResourcesField(const google::protobuf::Descriptor& type,
                                      const resource::Kind& kind) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    if (field->message_type() == kind.descriptor && field->is_repeated()) {
      return field;
    }
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<std::string> Get(const resource::Kind& kind,
                                const resource::Snapshot& snapshot,
                                const rpc::Call& call, const Message& request) {
  const std::string& name = Text(request, "name");
  const resource::Form form(kind, call.caller());
  const resource::Item* item = FindSeen(kind, snapshot, form, name);
  if (item == nullptr) return status::NotFound(kind.type, name);
  std::string scratch;
  return form.Bytes(*item, &scratch);
}

absl::StatusOr<ListShape> ListShape::Of(
    const google::protobuf::MethodDescriptor& method,
    const resource::Kind& kind) {
  ListShape shape;
  const auto* answer = method.output_type();
  shape.resources = ResourcesField(*answer, kind);
  shape.next_page_token = answer->FindFieldByName("next_page_token");
  const auto* size = method.input_type()->FindFieldByName("page_size");
  if (shape.resources == nullptr ||
      !IsListed(shape.next_page_token, FieldDescriptor::TYPE_STRING) ||
      !IsListed(size, FieldDescriptor::TYPE_INT32)) {
    return absl::FailedPreconditionError(
        absl::StrCat(method.full_name(),
                     " needs page_size, next_page_token and the resources"));
  }
  if (method.input_type()->FindFieldByName("return_total_size") != nullptr) {
    shape.total_size = answer->FindFieldByName("total_size");
    if (!IsListed(shape.total_size, FieldDescriptor::TYPE_INT32)) {
      return absl::FailedPreconditionError(
          absl::StrCat(method.full_name(), " needs total_size"));
    }
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
  const resource::List list = {
      .snapshot = snapshot,
      .kind = kind,
      .form = form,
      .method = call.descriptor()->full_name(),
      .parent = parent,
      .filter = Text(request, "filter"),
      .order_by = Text(request, "order_by"),
      .page_size = PageSizeOf(request),
      .page_token = Text(request, "page_token"),
      .show_deleted = Flag(request, "show_deleted"),
      .total_size =
          shape.total_size != nullptr && Flag(request, "return_total_size")};
  query::QueryBudget budget = BudgetFor(call);
  std::string answer;
  auto page = resource::ListPage(
      list, &budget, [&](const resource::Item&, const std::string& bytes) {
        AppendField(*shape.resources, bytes, &answer);
      });
  if (!page.ok()) return page.status();
  if (!page->next_page_token.empty()) {
    AppendField(*shape.next_page_token, page->next_page_token, &answer);
  }
  if (page->total_size) {
    AppendNumber(*shape.total_size, *page->total_size, &answer);
  }
  return answer;
}

absl::StatusOr<const FieldDescriptor*> BatchFieldOf(
    const google::protobuf::MethodDescriptor& method,
    const resource::Kind& kind) {
  const FieldDescriptor* resources =
      ResourcesField(*method.output_type(), kind);
  const FieldDescriptor* names = method.input_type()->FindFieldByName("names");
  if (resources == nullptr || !IsListed(names, FieldDescriptor::TYPE_STRING) ||
      !names->is_repeated()) {
    return absl::FailedPreconditionError(
        absl::StrCat(method.full_name(), " needs names and the resources"));
  }
  return resources;
}

absl::StatusOr<std::string> BatchGet(const resource::Kind& kind,
                                     const FieldDescriptor& resources,
                                     const resource::Snapshot& snapshot,
                                     const rpc::Call& call,
                                     const Message& request) {
  const std::string& parent = Text(request, "parent");
  const auto* reflection = request.GetReflection();
  const FieldDescriptor* names =
      request.GetDescriptor()->FindFieldByName("names");
  const resource::Form form(kind, call.caller());
  std::string answer;
  std::string scratch;
  for (int i = 0; i < reflection->FieldSize(request, names); ++i) {
    const std::string& name =
        reflection->GetRepeatedStringReference(request, names, i, &scratch);
    if (!parent.empty() &&
        !fields::ParentMatches(fields::ParentOf(name), parent)) {
      return status::InvalidField(absl::StrCat("names[", i, "]"),
                                  absl::StrCat("is not of ", parent));
    }
    const resource::Item* item = FindSeen(kind, snapshot, form, name);
    if (item == nullptr) return status::NotFound(kind.type, name);
    std::string bytes;
    AppendField(resources, form.Bytes(*item, &bytes), &answer);
    if (answer.size() > kMaxAnswerBytes) return TooLarge(i);
  }
  return answer;
}

}  // namespace transparency::methods
