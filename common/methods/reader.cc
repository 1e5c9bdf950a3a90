#include "common/methods/reader.h"

#include "common/resource/form.h"
#include "common/status/status.h"

namespace transparency::methods {

using google::protobuf::Message;

namespace {

// How many resources are looked at between two looks at the clock.
constexpr int kCheckEvery = 256;

}  // namespace

absl::Status StillWanted(const rpc::Call& call) {
  if (!call.abandoned()) return absl::OkStatus();
  if (absl::Now() >= call.deadline()) {
    return status::Refuse(absl::StatusCode::kDeadlineExceeded,
                          "DEADLINE_PASSED",
                          "The call's time ran out before it was answered.");
  }
  return status::Refuse(absl::StatusCode::kCancelled, "CALL_CANCELLED",
                        "The caller went away before the call was answered.");
}

absl::Status Reader::StillWanted() const {
  return methods::StillWanted(*call_);
}

bool Reader::Sees(const resource::Item& item) const {
  return resource::Form(item.kind(), caller()).Sees(item);
}

absl::Status Reader::GetInto(absl::string_view name, Message* copy) const {
  const resource::Item* item = snapshot_->FindLive(name);
  const resource::Kind* kind =
      snapshot_->catalogue().ByDescriptor(copy->GetDescriptor());
  if (item != nullptr && &item->kind() == kind) {
    const resource::Form form(*kind, caller());
    if (form.Sees(*item)) {
      std::unique_ptr<Message> scratch;
      copy->CopyFrom(form.Of(*item, &scratch));
      return absl::OkStatus();
    }
  }
  return status::NotFound(kind->type, name);
}

absl::Status Reader::Scan(const google::protobuf::Descriptor* type,
                          absl::string_view prefix,
                          absl::FunctionRef<bool(const Message&)> visit) const {
  const resource::Kind* kind = snapshot_->catalogue().ByDescriptor(type);
  const resource::Form form(*kind, caller());
  absl::Status status;
  int seen = 0;
  std::unique_ptr<Message> scratch;
  snapshot_->Scan(*kind, prefix, [&](const resource::Item& item) {
    if (!absl::StartsWith(item.name(), prefix)) return false;
    if (++seen % kCheckEvery == 0) {
      status = StillWanted();
      if (!status.ok()) return false;
    }
    if (item.deleted() || !form.Sees(item, &scratch)) return true;
    return visit(form.Of(item, &scratch));
  });
  return status;
}

}  // namespace transparency::methods
