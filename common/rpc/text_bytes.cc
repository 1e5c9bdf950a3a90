#include "common/rpc/text_bytes.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "common/base/text.h"
#include "google/protobuf/unknown_field_set.h"

namespace transparency::rpc {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

// Deeper than any request of the contract.
constexpr int kDeepest = 32;

std::string FirstIn(absl::string_view bytes, const Descriptor& type,
                    int depth) {
  UnknownFieldSet fields;
  if (depth > kDeepest || !fields.ParseFromString(std::string(bytes))) {
    return "";
  }
  std::map<int, int> elements;
  for (int i = 0; i < fields.field_count(); ++i) {
    const UnknownField& value = fields.field(i);
    const FieldDescriptor* field = type.FindFieldByNumber(value.number());
    if (field == nullptr ||
        value.type() != UnknownField::TYPE_LENGTH_DELIMITED) {
      continue;
    }
    std::string path = field->name();
    if (field->is_repeated()) {
      absl::StrAppend(&path, "[", elements[field->number()]++, "]");
    }
    if (field->type() == FieldDescriptor::TYPE_STRING) {
      if (!text::IsUtf8(value.length_delimited())) return path;
    } else if (field->message_type() != nullptr) {
      const std::string below =
          FirstIn(value.length_delimited(), *field->message_type(), depth + 1);
      if (!below.empty()) return absl::StrCat(path, ".", below);
    }
  }
  return "";
}

}  // namespace

std::string TextNotUtf8(absl::string_view bytes, const Descriptor& type) {
  return FirstIn(bytes, type, 0);
}

}  // namespace transparency::rpc
