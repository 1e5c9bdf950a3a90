#include "common/resource/item.h"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/resource/form.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/wire_format_lite.h"

namespace transparency::resource {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Bytes of a digest that an etag shows: 64 bits tell versions of one resource
// apart.
constexpr size_t kEtagBytes = 8;

// Appends the message as bytes, `size` of them by its ByteSizeLong. The same
// message always gives the same bytes, also where it holds a map.
void AppendDeterministic(const Message& message, size_t size,
                         std::string* bytes) {
  const size_t begin = bytes->size();
  bytes->resize(begin + size);
  google::protobuf::io::ArrayOutputStream stream(bytes->data() + begin,
                                                 static_cast<int>(size));
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeWithCachedSizes(&coded);
}

std::string Deterministic(const Message& message) {
  std::string bytes;
  AppendDeterministic(message, message.ByteSizeLong(), &bytes);
  return bytes;
}

std::string Sha256(absl::string_view bytes) {
  // Fetched once: SHA256() looks the algorithm up each time (OpenSSL 3.0).
  static const EVP_MD* const kAlgorithm =
      EVP_MD_fetch(nullptr, "SHA256", nullptr);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, kAlgorithm, nullptr);
  return std::string(reinterpret_cast<const char*>(digest), size);
}

// `plain` is the serialized resource without its etag.
std::string Etag(absl::string_view plain, absl::string_view salt) {
  const std::string digest =
      salt.empty() ? Sha256(plain) : Sha256(absl::StrCat(salt, plain));
  return absl::StrCat(
      "\"", absl::BytesToHexString(digest.substr(0, kEtagBytes)), "\"");
}

// Room for the etag's field behind a message's bytes.
constexpr size_t kEtagFieldBytes = 24;

// Appends one text field on the wire; behind a message it is part of it.
void AppendField(const FieldDescriptor& field, absl::string_view value,
                 std::string* bytes) {
  using google::protobuf::internal::WireFormatLite;
  using google::protobuf::io::CodedOutputStream;
  uint8_t head[10];
  uint8_t* end = CodedOutputStream::WriteTagToArray(
      WireFormatLite::MakeTag(field.number(),
                              WireFormatLite::WIRETYPE_LENGTH_DELIMITED),
      head);
  end = CodedOutputStream::WriteVarint32ToArray(
      static_cast<uint32_t>(value.size()), end);
  bytes->append(reinterpret_cast<const char*>(head),
                static_cast<size_t>(end - head));
  bytes->append(value.data(), value.size());
}

// `body`, a message of the item's type, as Deterministic gives it.
std::string Reserialized(const Item& item, absl::string_view body) {
  std::unique_ptr<Message> message(item.message().New());
  message->ParsePartialFromArray(body.data(), static_cast<int>(body.size()));
  message->GetReflection()->ClearField(message.get(), item.kind().etag_field);
  return Deterministic(*message);
}

}  // namespace

std::shared_ptr<const Item> Item::Make(const Kind& kind, Stored stored,
                                       absl::Time now) {
  std::unique_ptr<Message> message = std::move(stored.message);
  if (stored.personal != nullptr) message->MergeFrom(*stored.personal);
  std::shared_ptr<Item> item(new Item(kind));
  item->revision_ = stored.revision;
  item->personal_salt_ = std::move(stored.personal_salt);
  const bool compare = kind.rules.effective && !stored.recorded_in_effect;
  const bool has_body = !stored.body.empty() && stored.personal == nullptr;
  const std::string before =
      compare && !has_body ? Deterministic(*message) : std::string();
  const absl::string_view after = item->Finish(std::move(message), now);
  if (compare && has_body) {
    // Other bytes may stand for the same message still.
    item->clock_pending_ =
        after != stored.body && after != Reserialized(*item, stored.body);
  } else {
    item->clock_pending_ = compare && after != before;
  }
  return item;
}

std::shared_ptr<const Item> Item::At(absl::Time now) const {
  std::unique_ptr<Message> copy(message_->New());
  copy->CopyFrom(*message_);
  std::shared_ptr<Item> item(new Item(kind_));
  item->revision_ = revision_;
  item->personal_salt_ = personal_salt_;
  item->Finish(std::move(copy), now);
  item->clock_pending_ = clock_pending_ || item->etag() != etag();
  return item;
}

absl::string_view Item::Finish(std::unique_ptr<Message> message,
                               absl::Time now) {
  const auto* reflection = message->GetReflection();
  reflection->ClearField(message.get(), kind_.etag_field);
  deleted_ = kind_.IsDeleted(*message);
  if (kind_.rules.effective && !deleted_) {
    next_change_ = kind_.rules.effective(message.get(), now);
  }
  const size_t size = message->ByteSizeLong();
  bytes_.reserve(size + kEtagFieldBytes);
  AppendDeterministic(*message, size, &bytes_);
  const std::string etag = Etag(bytes_, personal_salt_);
  AppendField(*kind_.etag_field, etag, &bytes_);
  reflection->SetString(message.get(), kind_.etag_field, etag);
  name_ = &reflection->GetStringReference(*message, kind_.name_field, nullptr);
  message_ = std::move(message);
  FindPublicForm();
  return absl::string_view(bytes_).substr(0, size);
}

void Item::FindPublicForm() {
  public_visible_ = PublicSees(kind_, *message_);
  if (!public_visible_) return;
  if (!HidesFromPublic(kind_, *message_)) return;
  std::unique_ptr<Message> form(message_->New());
  form->CopyFrom(*message_);
  ToPublic(kind_, form.get());
  std::string bytes = Deterministic(*form);
  if (bytes.size() != bytes_.size()) {
    public_bytes_ = std::make_unique<const std::string>(std::move(bytes));
  }
}

const std::string& Item::etag() const {
  return message_->GetReflection()->GetStringReference(
      *message_, kind_.etag_field, nullptr);
}

std::unique_ptr<Message> Item::WithoutPersonal() const {
  std::unique_ptr<Message> copy(message_->New());
  copy->CopyFrom(*message_);
  const auto* reflection = copy->GetReflection();
  reflection->ClearField(copy.get(), kind_.etag_field);
  for (const FieldDescriptor* field : kind_.personal_fields) {
    reflection->ClearField(copy.get(), field);
  }
  return copy;
}

std::unique_ptr<Message> Item::PersonalOnly() const {
  const auto* reflection = message_->GetReflection();
  std::vector<const FieldDescriptor*> set;
  reflection->ListFields(*message_, &set);
  std::unique_ptr<Message> only(message_->New());
  only->CopyFrom(*message_);
  bool any = false;
  for (const FieldDescriptor* field : set) {
    const bool personal =
        std::find(kind_.personal_fields.begin(), kind_.personal_fields.end(),
                  field) != kind_.personal_fields.end();
    any = any || personal;
    if (!personal) reflection->ClearField(only.get(), field);
  }
  return any ? std::move(only) : nullptr;
}

}  // namespace transparency::resource
