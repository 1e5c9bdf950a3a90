// The standard methods of a service, found in its descriptor.

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/methods/events.h"
#include "common/methods/fresh_reads.h"
#include "common/methods/search.h"
#include "common/methods/service_methods.h"
#include "common/methods/standard_delete.h"
#include "common/methods/standard_read.h"
#include "common/methods/standard_write.h"

namespace transparency::methods {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::MethodDescriptor;
using type::v1::ListEventsRequest;
using type::v1::SearchResourcesRequest;

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

// The kind that a List or BatchGet answers: that of the one repeated field of
// its answer.
const resource::Kind* KindHeld(const resource::Catalogue& catalogue,
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
    absl::Status status = AddOneStandard(*service_->method(i));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ServiceMethods::AddOneStandard(const MethodDescriptor& method) {
  using Add = absl::Status (ServiceMethods::*)(const MethodDescriptor&,
                                               const resource::Kind&);
  // Methods that answer one resource, by what stands before its type.
  static constexpr std::pair<const char*, Add> kOfOne[] = {
      {"Get", &ServiceMethods::AddGet},
      {"Create", &ServiceMethods::AddCreate},
      {"Update", &ServiceMethods::AddUpdate},
      {"Delete", &ServiceMethods::AddDelete},
      {"Undelete", &ServiceMethods::AddUndelete}};
  if (method.input_type() == SearchResourcesRequest::descriptor()) {
    return AddSearch(method);
  }
  if (method.input_type() == ListEventsRequest::descriptor()) {
    return AddEvents(method);
  }
  const resource::Kind* kind = catalogue_->ByDescriptor(method.output_type());
  if (kind != nullptr) {
    for (const auto& [verb, add] : kOfOne) {
      if (method.name() == absl::StrCat(verb, kind->descriptor->name())) {
        return (this->*add)(method, *kind);
      }
    }
    return absl::OkStatus();
  }
  const bool list = absl::StartsWith(method.name(), "List");
  if (!list && !absl::StartsWith(method.name(), "BatchGet")) {
    return absl::OkStatus();
  }
  const resource::Kind* held = KindHeld(*catalogue_, *method.output_type());
  if (held == nullptr) return absl::OkStatus();  // not of resources
  return list ? AddList(method, *held) : AddBatchGet(method, *held);
}

absl::Status ServiceMethods::AddSearch(const MethodDescriptor& method) {
  auto searcher = Searcher::Make(*catalogue_);
  if (!searcher.ok()) return searcher.status();
  AddSnapshotRead(method.name(), rpc::Place::kPool,
                  [searcher = *std::move(searcher)](
                      const resource::Snapshot& snapshot, const rpc::Call& call,
                      const Message& request) -> absl::StatusOr<std::string> {
                    auto page = searcher->Search(
                        snapshot, call,
                        static_cast<const SearchResourcesRequest&>(request));
                    if (!page.ok()) return page.status();
                    return page->SerializeAsString();
                  });
  return absl::OkStatus();
}

absl::Status ServiceMethods::AddEvents(const MethodDescriptor& method) {
  auto lister = EventLister::Make(*catalogue_);
  if (!lister.ok()) return lister.status();
  AddSnapshotRead(method.name(), rpc::Place::kPool,
                  [lister = *std::move(lister)](
                      const resource::Snapshot& snapshot, const rpc::Call& call,
                      const Message& request) -> absl::StatusOr<std::string> {
                    auto page = lister->List(
                        snapshot, call,
                        static_cast<const ListEventsRequest&>(request));
                    if (!page.ok()) return page.status();
                    return page->SerializeAsString();
                  });
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
                                     const resource::Kind& kind) {
  absl::StatusOr<ListShape> shape = ListShape::Of(method, kind);
  if (!shape.ok()) return shape.status();
  AddSnapshotRead(
      method.name(), rpc::Place::kTried,
      [&kind, shape = *shape](const resource::Snapshot& snapshot,
                              const rpc::Call& call, const Message& request) {
        return List(kind, shape, snapshot, call, request);
      });
  absl::Status status =
      NeedFields(method, {"page_size", "page_token", "filter", "order_by"});
  if (status.ok() && kind.parent != nullptr) {
    status = NeedFields(method, {"parent"});
  }
  if (status.ok() && kind.delete_time_field != nullptr) {
    status = NeedFields(method, {"show_deleted"});
  }
  return status;
}

absl::Status ServiceMethods::AddBatchGet(const MethodDescriptor& method,
                                         const resource::Kind& kind) {
  auto resources = BatchFieldOf(method, kind);
  if (!resources.ok()) return resources.status();
  AddSnapshotRead(method.name(), rpc::Place::kInline,
                  [&kind, field = *resources](
                      const resource::Snapshot& snapshot, const rpc::Call& call,
                      const Message& request) {
                    return BatchGet(kind, *field, snapshot, call, request);
                  });
  return kind.parent == nullptr ? absl::OkStatus()
                                : NeedFields(method, {"parent"});
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

absl::Status ServiceMethods::AddDelete(const MethodDescriptor& method,
                                       const resource::Kind& kind) {
  AddWrite(method.name(),
           [&kind](journal::Decision& decision, const Message& request) {
             return Delete(kind, decision, request);
           });
  if (kind.delete_time_field == nullptr) {
    return Lacks(method, "delete_time in its resource");
  }
  return NeedFields(method, {"name", "etag", "allow_missing", "request_id",
                             "validate_only", "reason"});
}

absl::Status ServiceMethods::AddUndelete(const MethodDescriptor& method,
                                         const resource::Kind& kind) {
  AddWrite(method.name(),
           [&kind](journal::Decision& decision, const Message& request) {
             return Undelete(kind, decision, request);
           });
  if (kind.delete_time_field == nullptr) {
    return Lacks(method, "delete_time in its resource");
  }
  return NeedFields(method,
                    {"name", "etag", "request_id", "validate_only", "reason"});
}

}  // namespace transparency::methods
