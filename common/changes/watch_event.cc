#include "common/changes/watch_event.h"

#include "absl/strings/str_cat.h"
#include "common/base/times.h"
#include "common/resource/form.h"
#include "transparency/journal/v1/journal.pb.h"

namespace transparency::changes {
namespace {

using journal::v1::WatchChangesResponse;
using resource::Form;
using resource::Item;

constexpr char kTypeUrlPrefix[] = "type.googleapis.com/";

bool Exists(const Item* item, const Form& form) {
  return item != nullptr && !item->deleted() && form.Sees(*item);
}

void SetResource(const Item& item, const Form& form, const Caller& caller,
                 const DeletedNames& deleted, WatchChangesResponse* event) {
  event->mutable_resource()->set_type_url(
      absl::StrCat(kTypeUrlPrefix, item.kind().descriptor->full_name()));
  const auto less = WithoutDeleted(form, item, caller, deleted);
  if (less != nullptr) {
    event->mutable_resource()->set_value(less->SerializeAsString());
    return;
  }
  std::string scratch;
  event->mutable_resource()->set_value(form.Bytes(item, &scratch));
}

}  // namespace

Effect EffectOf(const Difference& difference, const Caller& caller) {
  const Form form(difference.after->kind(), caller);
  const bool was = Exists(difference.before, form);
  const bool is = Exists(difference.after, form);
  if (was && is) return Effect::kChanged;
  if (was) return Effect::kRemoved;
  return is ? Effect::kAdded : Effect::kNone;
}

std::string EventOf(const Difference& difference, const Caller& caller,
                    absl::string_view token, absl::Time record_time,
                    const DeletedNames& deleted) {
  const Item& after = *difference.after;
  const Form form(after.kind(), caller);
  const Effect effect = EffectOf(difference, caller);
  if (effect == Effect::kNone) return "";
  const bool is = effect != Effect::kRemoved;
  WatchChangesResponse event;
  if (effect == Effect::kChanged) {
    std::string one, two;
    if (after.kind().personal_fields.empty() &&
        form.Bytes(*difference.before, &one) == form.Bytes(after, &two)) {
      return "";
    }
    event.set_type(WatchChangesResponse::CHANGED);
  } else {
    event.set_type(is ? WatchChangesResponse::ADDED
                      : WatchChangesResponse::REMOVED);
  }
  event.set_name(after.name());
  event.set_resource_type(after.kind().type);
  if (is) SetResource(after, form, caller, deleted, &event);
  event.set_resume_token(std::string(token));
  *event.mutable_record_time() = times::ToTimestamp(record_time);
  return event.SerializeAsString();
}

std::string PresentOf(const Item& item, const Caller& caller,
                      const DeletedNames& deleted) {
  const Form form(item.kind(), caller);
  if (!Exists(&item, form)) return "";
  WatchChangesResponse event;
  event.set_type(WatchChangesResponse::ADDED);
  event.set_name(item.name());
  event.set_resource_type(item.kind().type);
  SetResource(item, form, caller, deleted, &event);
  return event.SerializeAsString();
}

std::string Bookmark(absl::string_view token, absl::Time now) {
  WatchChangesResponse event;
  event.set_type(WatchChangesResponse::BOOKMARK);
  event.set_resume_token(std::string(token));
  *event.mutable_record_time() = times::ToTimestamp(now);
  return event.SerializeAsString();
}

}  // namespace transparency::changes
