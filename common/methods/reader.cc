#include "common/methods/reader.h"

#include "common/methods/query_limits.h"
#include "common/resource/form.h"
#include "common/rpc/read_pool.h"
#include "common/status/status.h"

namespace transparency::methods {

using google::protobuf::Message;

absl::Status StillWanted(const rpc::Call& call) {
  if (!rpc::ReadPool::GiveWay()) {
    return absl::CancelledError("begins anew in the read pool");
  }
  return call.abandoned() ? rpc::AbandonedStatus(call) : absl::OkStatus();
}

Reader::Reader(const resource::Snapshot* snapshot, const rpc::Call* call)
    : snapshot_(snapshot),
      call_(call),
      budget_(std::make_unique<query::QueryBudget>(BudgetFor(*call))) {}

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
  std::unique_ptr<Message> scratch;
  snapshot_->Scan(*kind, prefix, [&](const resource::Item& item) {
    if (!absl::StartsWith(item.name(), prefix)) return false;
    status = Look();
    if (!status.ok()) return false;
    if (item.deleted() || !form.Sees(item, &scratch)) return true;
    return visit(form.Of(item, &scratch));
  });
  return status;
}

}  // namespace transparency::methods
