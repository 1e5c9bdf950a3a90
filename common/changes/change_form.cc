#include "common/changes/change_form.h"

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "common/base/times.h"
#include "common/status/status.h"
#include "transparency/type/v1/annotations.pb.h"

namespace transparency::changes {

absl::StatusOr<Audiences> Audiences::Of(
    const google::protobuf::Descriptor& type) {
  Audiences audiences;
  for (int i = 0; i < type.field_count(); ++i) {
    const auto* field = type.field(i);
    const std::string& audience =
        field->options().GetExtension(type::v1::audience);
    if (audience.empty()) continue;
    auto predicate = query::Predicate::Compile(audience, type);
    if (!predicate.ok()) return predicate.status();
    audiences.fields_.emplace_back(field, *std::move(predicate));
  }
  return audiences;
}

void Audiences::Clear(const Caller& caller,
                      google::protobuf::Message* message) const {
  // All audiences see the full message.
  std::vector<const google::protobuf::FieldDescriptor*> hidden;
  for (const auto& [field, audience] : fields_) {
    if (!audience->Matches(*message, caller)) hidden.push_back(field);
  }
  for (const auto* field : hidden) {
    message->GetReflection()->ClearField(message, field);
  }
}

absl::Status Audiences::Check(const Caller& caller,
                              const google::protobuf::Message& request) const {
  for (const auto& [field, audience] : fields_) {
    if (request.GetReflection()->HasField(request, field) &&
        !audience->Matches(request, caller)) {
      return status::InvalidField(field->name(), "is no field of this request");
    }
  }
  return absl::OkStatus();
}

journal::v1::Change ToWithheldChange(absl::string_view service,
                                     const journal::Entry& entry) {
  journal::v1::Change change;
  change.set_revision(entry.revision);
  *change.mutable_record_time() = times::ToTimestamp(entry.record_time);
  change.set_leaf_hash(
      absl::BytesToHexString(journal::LeafHash(service, entry)));
  change.set_digest(absl::BytesToHexString(entry.digest));
  return change;
}

journal::v1::Change ToChange(absl::string_view service,
                             const journal::Entry& entry) {
  journal::v1::Change change = ToWithheldChange(service, entry);
  change.set_name(entry.name);
  change.set_kind(entry.kind);
  change.set_step(entry.step);
  change.set_nonce(absl::BytesToHexString(journal::Nonce(entry)));
  *change.mutable_commitments() = journal::Commitments(entry);
  if (entry.public_digest.has_value()) {
    change.set_public_digest(absl::BytesToHexString(*entry.public_digest));
  }
  change.set_actor(entry.actor);
  change.set_reason(entry.reason);
  change.set_request_id(entry.request_id);
  change.set_salt(absl::BytesToHexString(entry.salt));
  change.set_body(entry.body);
  return change;
}

}  // namespace transparency::changes
