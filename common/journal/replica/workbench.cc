#include "common/journal/replica/workbench.h"

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/digest.h"
#include "common/base/times.h"
#include "common/journal/json.h"
#include "common/status/refusals.h"
#include "common/status/status.h"
#include "google/protobuf/timestamp.pb.h"

namespace transparency::journal {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Timestamp;
using resource::Item;
using resource::ItemPtr;
using resource::Kind;

constexpr size_t kSaltBytes = 16;  // of personal fields
constexpr char kClockStep[] = "clock";

absl::Status Misuse(absl::string_view what) { return status::Defect(what); }

void SetTime(Message* message, const FieldDescriptor* field, absl::Time time) {
  if (field == nullptr) return;
  *static_cast<Timestamp*>(message->GetReflection()->MutableMessage(
      message, field)) = times::ToTimestamp(time);
}

// Gives `to` the field as `from` has it, set or not.
void CopyTime(const Message& from, const FieldDescriptor* field, Message* to) {
  if (field == nullptr) return;
  const auto* reflection = to->GetReflection();
  if (!reflection->HasField(from, field)) {
    reflection->ClearField(to, field);
    return;
  }
  reflection->MutableMessage(to, field)->CopyFrom(
      reflection->GetMessage(from, field));
}

absl::Status Exists(const Item& item) {
  const std::string& name = item.name();
  return item.deleted()
             ? status::Refuse(absl::StatusCode::kAlreadyExists,
                              "DELETED_EXISTS",
                              absl::StrCat("A deleted ", name,
                                           " is still kept: undelete "
                                           "it, or choose another id."),
                              {{"resource", name}})
             : status::Refuse(absl::StatusCode::kAlreadyExists,
                              "RESOURCE_EXISTS",
                              absl::StrCat(name, " exists already."),
                              {{"resource", name}});
}

// Empty where there are none.
std::string PersonalBytes(const Item* item) {
  if (item == nullptr || item->kind().personal_fields.empty()) return "";
  const std::unique_ptr<Message> personal = item->PersonalOnly();
  return personal == nullptr ? "" : DeterministicBytes(*personal);
}

// Moves the personal fields of `message` into a message of their own; null when
// none is set.
std::unique_ptr<Message> TakePersonal(const Kind& kind, Message* message) {
  const auto* reflection = message->GetReflection();
  std::unique_ptr<Message> personal;
  for (const FieldDescriptor* field : kind.personal_fields) {
    const bool set = field->is_repeated()
                         ? reflection->FieldSize(*message, field) > 0
                         : reflection->HasField(*message, field);
    if (!set) continue;
    if (personal == nullptr) personal.reset(message->New());
    reflection->SwapFields(message, personal.get(), {field});
  }
  return personal;
}

// A resource as it is about to be put, its personal fields apart.
struct Draft {
  Draft(const Kind& kind, const Message& resource, const Item* previous)
      : message(resource.New()) {
    message->CopyFrom(resource);
    message->GetReflection()->ClearField(message.get(), kind.etag_field);
    personal = TakePersonal(kind, message.get());
    const std::string bytes =
        personal == nullptr ? "" : DeterministicBytes(*personal);
    salt = previous == nullptr ? "" : previous->personal_salt();
    if (bytes == PersonalBytes(previous)) return;
    change = personal == nullptr ? PendingChange::Personal::kErase
                                 : PendingChange::Personal::kPut;
    salt = personal == nullptr ? "" : digest::RandomBytes(kSaltBytes);
  }

  ItemPtr Make(const Kind& kind, int64_t revision, absl::Time now) const {
    Item::Stored stored;
    stored.message.reset(message->New());
    stored.message->CopyFrom(*message);
    if (personal != nullptr) {
      stored.personal.reset(personal->New());
      stored.personal->CopyFrom(*personal);
    }
    stored.personal_salt = salt;
    stored.revision = revision;
    stored.recorded_in_effect = true;
    return Item::Make(kind, std::move(stored), now);
  }

  std::unique_ptr<Message> message;   // without personal fields and etag
  std::unique_ptr<Message> personal;  // null: none set
  std::string salt;
  PendingChange::Personal change = PendingChange::Personal::kKeep;
};

}  // namespace

absl::optional<std::string> PublicDigest(const Item& item) {
  const std::string* bytes = item.public_bytes();
  if (bytes == nullptr) return absl::nullopt;
  if (bytes == &item.bytes()) {
    return digest::Sha256(CanonicalJson(*item.WithoutPersonal()));
  }
  const Kind& kind = item.kind();
  std::unique_ptr<Message> form(kind.prototype->New());
  form->ParseFromString(*bytes);
  form->GetReflection()->ClearField(form.get(), kind.etag_field);
  TakePersonal(kind, form.get());
  return digest::Sha256(CanonicalJson(*form));
}

// ---- Workbench ----

Workbench::Workbench(resource::SnapshotBuilder builder, Head head,
                     absl::Time now)
    : builder_(std::move(builder)),
      base_(head),
      head_(std::move(head)),
      now_(now) {}

absl::StatusOr<const Kind*> Workbench::KindOf(const Message& resource,
                                              ChangeKind kind,
                                              ItemPtr* previous) const {
  const Kind* type = view().catalogue().ByDescriptor(resource.GetDescriptor());
  if (type == nullptr) return Misuse("This resource is not of the service.");
  const std::string name =
      resource.GetReflection()->GetString(resource, type->name_field);
  if (view().catalogue().ByName(name) != type) {
    return Misuse("The resource's name does not fit its type.");
  }
  *previous = view().Share(name);
  const bool created = kind == v1::Change::CREATED;
  if (created && *previous != nullptr) return Exists(**previous);
  if (!created && *previous == nullptr) {
    return status::NotFound(type->type, name);
  }
  const bool deletes =
      kind == v1::Change::DELETED || kind == v1::Change::UNDELETED;
  if (deletes && type->delete_time_field == nullptr) {
    return Misuse("Resources of this type are not deleted.");
  }
  return type;
}

absl::StatusOr<ItemPtr> Workbench::Put(const Message& resource, ChangeKind kind,
                                       EntrySource source) {
  ItemPtr previous;
  absl::StatusOr<const Kind*> type = KindOf(resource, kind, &previous);
  if (!type.ok()) return type.status();
  Draft draft(**type, resource, previous.get());
  Touch(**type, draft.message->GetReflection()->GetString(*draft.message,
                                                          (*type)->name_field));
  if (kind == v1::Change::DELETED) {
    SetTime(draft.message.get(), (*type)->delete_time_field, now_);
  } else if (kind == v1::Change::UNDELETED) {
    draft.message->GetReflection()->ClearField(draft.message.get(),
                                               (*type)->delete_time_field);
  }
  if (previous == nullptr) {
    SetTime(draft.message.get(), (*type)->create_time_field, now_);
  } else {
    // With the times of before it is the same as before, or it has changed.
    CopyTime(previous->message(), (*type)->create_time_field,
             draft.message.get());
    CopyTime(previous->message(), (*type)->update_time_field,
             draft.message.get());
    const ItemPtr same = draft.Make(**type, previous->revision(), now_);
    if (same->etag() == previous->etag()) return previous;
  }
  SetTime(draft.message.get(), (*type)->update_time_field, now_);
  ItemPtr item = draft.Make(**type, head_.revision + 1, now_);
  Append(item, kind, std::move(source), draft.change);
  return item;
}

absl::Status Workbench::ErasePersonal(absl::string_view name,
                                      EntrySource source) {
  const ItemPtr previous = view().Share(name);
  if (previous == nullptr) return status::NotFound("", name);
  Touch(previous->kind(), previous->name());
  if (previous->PersonalOnly() == nullptr) return absl::OkStatus();
  Item::Stored stored;
  stored.message = previous->WithoutPersonal();
  stored.revision = head_.revision + 1;
  stored.recorded_in_effect = true;
  Append(Item::Make(previous->kind(), std::move(stored), now_),
         v1::Change::ERASED, std::move(source),
         PendingChange::Personal::kErase);
  return absl::OkStatus();
}

void Workbench::PutClock(const ItemPtr& item) {
  Item::Stored stored;
  stored.message = item->WithoutPersonal();
  stored.personal = item->PersonalOnly();
  stored.personal_salt = item->personal_salt();
  stored.revision = head_.revision + 1;
  stored.recorded_in_effect = true;
  Append(Item::Make(item->kind(), std::move(stored), now_), v1::Change::CLOCK,
         {kClockStep, "", "", ""}, PendingChange::Personal::kKeep);
}

void Workbench::Append(ItemPtr item, ChangeKind kind, EntrySource source,
                       PendingChange::Personal personal) {
  PendingChange change;
  change.entry.revision = head_.revision + 1;
  change.entry.record_time = now_;
  change.entry.name = item->name();
  change.entry.kind = kind;
  change.entry.step = std::move(source.step);
  change.entry.actor = std::move(source.actor);
  change.entry.reason = std::move(source.reason);
  change.entry.request_id = std::move(source.request_id);
  change.entry.salt = digest::RandomBytes(digest::kBytes);
  std::string body = item->StoredBody();
  change.entry.body_commitment = BodyCommitment(change.entry.salt, body);
  if (kind != v1::Change::ERASED) change.entry.body = std::move(body);
  change.entry.personal_commitment = PersonalCommitment(
      change.entry.salt, item->personal_salt(), PersonalBytes(item.get()));
  change.entry.public_digest = PublicDigest(*item);
  change.entry.digest =
      ChainDigest(head_.digest, view().catalogue().service(), change.entry);
  head_.revision = change.entry.revision;
  head_.digest = change.entry.digest;
  change.personal = personal;
  change.item = item;
  change.previous = builder_.Put(std::move(item));
  changes_.push_back(std::move(change));
}

void Workbench::Touch(const Kind& kind, const std::string& name) {
  if (!kind.personal_fields.empty()) touched_.insert(name);
}

void Workbench::UndoTo(size_t count) {
  while (changes_.size() > count) {
    const PendingChange& change = changes_.back();
    if (change.previous != nullptr) {
      builder_.Put(change.previous);
    } else {
      builder_.Remove(change.entry.name);
    }
    changes_.pop_back();
  }
  head_.revision =
      changes_.empty() ? base_.revision : changes_.back().entry.revision;
  head_.digest = changes_.empty() ? base_.digest : changes_.back().entry.digest;
}

resource::Snapshot Workbench::Build() && {
  builder_.SetHead(head_.revision, head_.digest);
  return std::move(builder_).Build();
}

// ---- CommandDecision ----

CommandDecision::CommandDecision(Workbench* bench, const Caller* caller,
                                 absl::string_view method,
                                 absl::string_view request_id)
    : bench_(bench),
      caller_(caller),
      method_(method.substr(method.find_last_of("./") + 1)),
      request_id_(request_id) {}

EntrySource CommandDecision::Source(absl::string_view step,
                                    absl::string_view reason) const {
  return {step.empty() ? method_ : std::string(step), caller_->subject,
          std::string(reason), request_id_};
}

absl::StatusOr<ItemPtr> CommandDecision::Put(const Message& resource,
                                             ChangeKind kind,
                                             absl::string_view step,
                                             absl::string_view reason) {
  return bench_->Put(resource, kind, Source(step, reason));
}

absl::Status CommandDecision::ErasePersonal(absl::string_view name,
                                            absl::string_view reason) {
  return bench_->ErasePersonal(name, Source("", reason));
}

absl::StatusOr<const Item*> CommandDecision::Find(
    absl::string_view name, const google::protobuf::Descriptor* type) const {
  const Kind* kind = view().catalogue().ByDescriptor(type);
  const Item* item = view().FindLive(name);
  const bool visible = item != nullptr && &item->kind() == kind &&
                       (kind->visible_when == nullptr ||
                        kind->visible_when->Matches(item->message(), *caller_));
  if (!visible) {
    return status::NotFound(kind == nullptr ? "" : kind->type, name);
  }
  return item;
}

}  // namespace transparency::journal
