// The standard methods of a service, found in its descriptor.

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/methods/fresh_reads.h"
#include "common/methods/service_methods.h"
#include "common/methods/standard_read.h"
#include "common/methods/standard_write.h"

namespace transparency::methods {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::MethodDescriptor;

absl::Status Lacks(const MethodDescriptor& method, absl::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat(method.full_name(), " lacks ", what));
}

absl::Status NeedFields(const MethodDescriptor& method,
                        std::initializer_list<const char*> fields) {
  for (const char* field : fields) {
    if (method.input_type()->FindFieldByName(field) == nullptr) {
      return Lacks(method, absl::StrCat("the request field ", field));
    }
  }
  return absl::OkStatus();
}

// The kind that a List method lists: that of the one repeated field of its
// answer.
const resource::Kind* ListedKind(const resource::Catalogue& catalogue,
                                 const Descriptor& answer) {
  for (int i = 0; i < answer.field_count(); ++i) {
    const auto* field = answer.field(i);
    if (field->is_repeated() && field->message_type() != nullptr) {
      return catalogue.ByDescriptor(field->message_type());
    }
  }
  return nullptr;
}

}  // namespace

absl::Status ServiceMethods::AddStandard() {
  for (int i = 0; i < service_->method_count(); ++i) {
    const MethodDescriptor& method = *service_->method(i);
    const resource::Kind* answered =
        catalogue_->ByDescriptor(method.output_type());
    absl::Status status;
    if (answered != nullptr &&
        method.name() == absl::StrCat("Get", answered->descriptor->name())) {
      status = AddGet(method, *answered);
    } else if (answered != nullptr &&
               method.name() ==
                   absl::StrCat("Create", answered->descriptor->name())) {
      status = AddCreate(method, *answered);
    } else if (answered != nullptr &&
               method.name() ==
                   absl::StrCat("Update", answered->descriptor->name())) {
      status = AddUpdate(method, *answered);
    } else if (absl::StartsWith(method.name(), "List")) {
      status = AddList(method, ListedKind(*catalogue_, *method.output_type()));
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ServiceMethods::AddGet(const MethodDescriptor& method,
                                    const resource::Kind& kind) {
  AddSnapshotRead(method.name(), rpc::Place::kInline,
                  [&kind](const resource::Snapshot& snapshot,
                          const rpc::Call& call, const Message& request) {
                    return Get(kind, snapshot, call, request);
                  });
  return NeedFields(method, {"name"});
}

absl::Status ServiceMethods::AddList(const MethodDescriptor& method,
                                     const resource::Kind* kind) {
  if (kind == nullptr) return absl::OkStatus();  // no list of resources
  absl::StatusOr<ListShape> shape = ListShape::Of(method, *kind);
  if (!shape.ok()) return shape.status();
  AddSnapshotRead(
      method.name(), rpc::Place::kPool,
      [kind, shape = *shape](const resource::Snapshot& snapshot,
                             const rpc::Call& call, const Message& request) {
        return List(*kind, shape, snapshot, call, request);
      });
  absl::Status status =
      NeedFields(method, {"page_size", "page_token", "filter", "order_by"});
  if (status.ok() && kind->parent != nullptr) {
    status = NeedFields(method, {"parent"});
  }
  return status;
}

absl::Status ServiceMethods::AddCreate(const MethodDescriptor& method,
                                       const resource::Kind& kind) {
  AddWrite(method.name(),
           [&kind](journal::Decision& decision, const Message& request) {
             return Create(kind, decision, request);
           });
  const std::string id = absl::StrCat(kind.singular, "_id");
  absl::Status status = NeedFields(
      method, {kind.singular.c_str(), "request_id", "validate_only"});
  if (status.ok() && !kind.rules.random_ids) {
    status = NeedFields(method, {id.c_str()});
  }
  if (status.ok() && kind.parent != nullptr) {
    status = NeedFields(method, {"parent"});
  }
  return status;
}

absl::Status ServiceMethods::AddUpdate(const MethodDescriptor& method,
                                       const resource::Kind& kind) {
  AddWrite(method.name(),
           [&kind](journal::Decision& decision, const Message& request) {
             return Update(kind, decision, request);
           });
  return NeedFields(method, {kind.singular.c_str(), "update_mask", "request_id",
                             "validate_only"});
}

}  // namespace transparency::methods
