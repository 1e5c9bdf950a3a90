#include "common/resource/item.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/base/bytes.h"
#include "common/resource/form.h"
#include "google/protobuf/wire_format_lite.h"

namespace transparency::resource {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Bytes of a digest that an etag shows: 64 bits tell versions of one resource
// apart.
constexpr size_t kEtagBytes = 8;
// In hexadecimal digits and quotes.
constexpr size_t kEtagLength = 2 * kEtagBytes + 2;
// Room for the etag's field behind a message's bytes: tag, length, text.
constexpr size_t kEtagFieldBytes = 5 + 1 + kEtagLength;

// `plain` is the serialized resource without its etag.
std::string Etag(const EtagKey& key, absl::string_view plain,
                 absl::string_view salt) {
  const std::string digest =
      salt.empty() ? key.Digest(plain) : key.Digest(absl::StrCat(salt, plain));
  return absl::StrCat(
      "\"", absl::BytesToHexString(digest.substr(0, kEtagBytes)), "\"");
}

// Appends the etag's field, its text blank; behind a message it is part of it.
void AppendBlankEtag(const FieldDescriptor& field, std::string* bytes) {
  using google::protobuf::internal::WireFormatLite;
  using google::protobuf::io::CodedOutputStream;
  uint8_t head[kEtagFieldBytes - kEtagLength];
  uint8_t* end = CodedOutputStream::WriteTagToArray(
      WireFormatLite::MakeTag(field.number(),
                              WireFormatLite::WIRETYPE_LENGTH_DELIMITED),
      head);
  end = CodedOutputStream::WriteVarint32ToArray(kEtagLength, end);
  bytes->append(reinterpret_cast<const char*>(head),
                static_cast<size_t>(end - head));
  bytes->append(kEtagLength, ' ');
}

bool Parse(absl::string_view bytes, Message* message) {
  return message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

bool Merge(absl::string_view bytes, Message* message) {
  google::protobuf::io::CodedInputStream stream(
      reinterpret_cast<const uint8_t*>(bytes.data()),
      static_cast<int>(bytes.size()));
  return message->MergeFromCodedStream(&stream);
}

// `body`, a message of the kind, as Deterministic gives it.
std::string Reserialized(const Kind& kind, absl::string_view body) {
  std::unique_ptr<Message> message(kind.prototype->New());
  Parse(body, message.get());
  message->GetReflection()->ClearField(message.get(), kind.etag_field);
  return DeterministicBytes(*message);
}

Message* ScratchOf(const Kind& kind, std::unique_ptr<Message>* scratch) {
  if (*scratch == nullptr || (*scratch)->GetDescriptor() != kind.descriptor) {
    scratch->reset(kind.prototype->New());
  }
  return scratch->get();
}

}  // namespace

std::shared_ptr<Item> Item::New(const Kind& kind, int64_t revision,
                                absl::string_view personal_salt) {
  auto item = std::make_shared<Item>(Private(), kind);
  item->revision_ = revision;
  item->personal_salt_ = std::string(personal_salt);
  return item;
}

Item::~Item() { delete message_.load(std::memory_order_acquire); }

std::shared_ptr<const Item> Item::Make(const Kind& kind, Stored stored,
                                       absl::Time now) {
  std::unique_ptr<Message> message = std::move(stored.message);
  if (stored.personal != nullptr) message->MergeFrom(*stored.personal);
  const bool compare = kind.rules.effective && !stored.recorded_in_effect;
  const std::string before =
      compare ? DeterministicBytes(*message) : std::string();
  auto item = New(kind, stored.revision, stored.personal_salt);
  item->BringIntoEffect(message.get(), now);
  item->clock_pending_ = compare && item->plain() != before;
  message->GetReflection()->SetString(message.get(), kind.etag_field,
                                      item->etag());
  item->message_.store(message.release(), std::memory_order_release);
  return item;
}

std::shared_ptr<const Item> Item::Read(const Kind& kind,
                                       const StoredBytes& stored,
                                       absl::Time now,
                                       std::unique_ptr<Message>* scratch) {
  Message* message = ScratchOf(kind, scratch);
  if (!Parse(stored.body, message)) return nullptr;
  const bool personal = !stored.personal.empty();
  if (personal && !Merge(stored.personal, message)) return nullptr;
  const bool compare = static_cast<bool>(kind.rules.effective);
  const std::string before =
      compare && personal ? DeterministicBytes(*message) : std::string();
  auto item = New(kind, stored.revision, stored.personal_salt);
  item->BringIntoEffect(message, now);
  if (compare && !personal) {
    // Other bytes may stand for the same message still.
    item->clock_pending_ = item->plain() != stored.body &&
                           item->plain() != Reserialized(kind, stored.body);
  } else {
    item->clock_pending_ = compare && item->plain() != before;
  }
  return item;
}

std::shared_ptr<const Item> Item::At(absl::Time now) const {
  std::unique_ptr<Message> copy(kind_.prototype->New());
  Parse(plain(), copy.get());
  auto item = New(kind_, revision_, personal_salt_);
  item->BringIntoEffect(copy.get(), now);
  item->clock_pending_ = clock_pending_ || item->plain() != plain();
  return item;
}

void Item::BringIntoEffect(Message* message, absl::Time now) {
  const auto* reflection = message->GetReflection();
  reflection->ClearField(message, kind_.etag_field);
  deleted_ = kind_.IsDeleted(*message);
  if (kind_.rules.effective && !deleted_) {
    next_change_ = kind_.rules.effective(message, now);
  }
  name_ = reflection->GetString(*message, kind_.name_field);
  plain_size_ = message->ByteSizeLong();
  bytes_.reserve(plain_size_ + kEtagFieldBytes);
  AppendDeterministicBytes(*message, plain_size_, &bytes_);
  AppendBlankEtag(*kind_.etag_field, &bytes_);
  public_ = PublicSees(kind_, *message);
  hides_from_public_ = public_ && HidesFromPublic(kind_, *message);
}

absl::string_view Item::plain() const {
  return absl::string_view(bytes_).substr(0, plain_size_);
}

// Of several threads that come at once the first one's result is kept.
void Item::Seal() const {
  static absl::Mutex mutex(absl::kConstInit);
  const std::string etag = Etag(*kind_.etag_key, plain(), personal_salt_);
  std::string form_bytes;
  if (hides_from_public_) {
    std::unique_ptr<Message> form(kind_.prototype->New());
    Parse(plain(), form.get());
    form->GetReflection()->SetString(form.get(), kind_.etag_field, etag);
    ToPublic(kind_, form.get());
    form_bytes = DeterministicBytes(*form);
  }
  absl::MutexLock lock(&mutex);
  if (sealed_.load(std::memory_order_relaxed)) return;
  // In place: others may be reading what is before it.
  std::copy(etag.begin(), etag.end(), bytes_.end() - kEtagLength);
  if (hides_from_public_ && form_bytes.size() != bytes_.size()) {
    public_bytes_ = std::make_unique<const std::string>(std::move(form_bytes));
  }
  sealed_.store(true, std::memory_order_release);
}

const std::string& Item::bytes() const {
  if (!sealed_.load(std::memory_order_acquire)) Seal();
  return bytes_;
}

const std::string* Item::public_bytes() const {
  if (!public_) return nullptr;
  const std::string& all = bytes();
  return public_bytes_ != nullptr ? public_bytes_.get() : &all;
}

std::string Item::etag() const {
  return bytes().substr(bytes_.size() - kEtagLength);
}

const Message& Item::message() const {
  const Message* kept = message_.load(std::memory_order_acquire);
  if (kept != nullptr) return *kept;
  std::unique_ptr<Message> message(kind_.prototype->New());
  Parse(bytes(), message.get());
  if (message_.compare_exchange_strong(kept, message.get(),
                                       std::memory_order_acq_rel)) {
    return *message.release();
  }
  return *kept;
}

const Message& Item::message(std::unique_ptr<Message>* scratch) const {
  const Message* kept = message_.load(std::memory_order_acquire);
  if (kept != nullptr) return *kept;
  Message* message = ScratchOf(kind_, scratch);
  Parse(bytes(), message);
  return *message;
}

const Message& Item::message(const fields::FieldSubset& fields,
                             std::unique_ptr<Message>* scratch) const {
  const Message* kept = message_.load(std::memory_order_acquire);
  if (kept != nullptr) return *kept;
  Message* message = ScratchOf(kind_, scratch);
  const bool etag = fields.Has(kind_.etag_field->number());
  fields.Parse(etag ? absl::string_view(bytes()) : plain(), message);
  return *message;
}

std::unique_ptr<Message> Item::WithoutPersonal() const {
  std::unique_ptr<Message> copy(kind_.prototype->New());
  Parse(plain(), copy.get());
  const auto* reflection = copy->GetReflection();
  for (const FieldDescriptor* field : kind_.personal_fields) {
    reflection->ClearField(copy.get(), field);
  }
  return copy;
}

std::unique_ptr<Message> Item::PersonalOnly() const {
  fields::FieldSubset personal;
  for (const FieldDescriptor* field : kind_.personal_fields) {
    personal.Add(*field);
  }
  if (personal.empty()) return nullptr;
  std::unique_ptr<Message> only(kind_.prototype->New());
  personal.Parse(plain(), only.get());
  return only->ByteSizeLong() > 0 ? std::move(only) : nullptr;
}

std::string Item::StoredBody() const {
  return kind_.personal_fields.empty() ? std::string(plain())
                                       : DeterministicBytes(*WithoutPersonal());
}

}  // namespace transparency::resource
