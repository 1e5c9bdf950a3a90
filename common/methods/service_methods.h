#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/journal/replica/decision.h"
#include "common/journal/replica/writer.h"
#include "common/journal/store.h"
#include "common/methods/reader.h"
#include "common/resource/kind.h"
#include "common/rpc/method_table.h"
#include "google/protobuf/descriptor.h"

namespace transparency::methods {

// Binds the methods of one service to its catalogue, store and writer. The
// standard methods (AIP-131 to 135, 231) come from the descriptors alone; a
// service adds what is its own. Used at start, from one thread, and may go once
// the rows are added; what it is given outlives the table.
class ServiceMethods {
 public:
  ServiceMethods(const google::protobuf::ServiceDescriptor* service,
                 const resource::Catalogue* catalogue, journal::Store* store,
                 journal::Writer* writer, rpc::ServiceRows rows);

  // A row for every standard method that the service descriptor declares:
  // Get, List, Create, Update, Delete, Undelete, BatchGet of a kind of the
  // catalogue; and SearchResources and ListEvents over all kinds, known by
  // their request types. Fails when such a method's messages lack a field that
  // the AIP asks for, or an annotation cannot be.
  absl::Status AddStandard();

  // A read on the snapshot. kInline for what looks at few resources (1,000 at
  // most), kTried for what mostly does, kPool for what scans.
  template <class Request, class Response>
  void Read(
      absl::string_view method, rpc::Place place,
      std::function<absl::StatusOr<Response>(const Reader&, const Request&)>
          handler) {
    AddRead(method, place,
            [handler = std::move(handler)](
                const Reader& reader, const google::protobuf::Message& request)
                -> absl::StatusOr<std::string> {
              absl::StatusOr<Response> answer =
                  handler(reader, static_cast<const Request&>(request));
              if (!answer.ok()) return answer.status();
              return answer->SerializeAsString();
            });
  }

  // A command of any shape. `decide` runs on the writer's thread.
  template <class Request, class Response>
  void Write(absl::string_view method,
             std::function<absl::StatusOr<Response>(journal::Decision&,
                                                    const Request&)>
                 decide) {
    AddWrite(
        method,
        [decide = std::move(decide)](journal::Decision& decision,
                                     const google::protobuf::Message& request)
            -> absl::StatusOr<std::string> {
          absl::StatusOr<Response> answer =
              decide(decision, static_cast<const Request&>(request));
          if (!answer.ok()) return answer.status();
          return answer->SerializeAsString();
        });
  }

  // A custom method on one resource (AIP-136, 216): the request's `name` says
  // which, its `etag`, where it has one, must match; `apply` changes the
  // resource or refuses; the answer is the resource in the caller's form. A
  // request field `reason` goes into the journal.
  template <class Request, class Resource>
  void Step(
      absl::string_view method,
      std::function<absl::Status(journal::Decision&, const Request&, Resource*)>
          apply) {
    AddStep(method, Resource::descriptor(),
            [apply = std::move(apply)](journal::Decision& decision,
                                       const google::protobuf::Message& request,
                                       google::protobuf::Message* resource) {
              return apply(decision, static_cast<const Request&>(request),
                           static_cast<Resource*>(resource));
            });
  }

 private:
  using Message = google::protobuf::Message;
  using ReadFn =
      std::function<absl::StatusOr<std::string>(const Reader&, const Message&)>;
  using WriteFn = std::function<absl::StatusOr<std::string>(journal::Decision&,
                                                            const Message&)>;
  using StepFn =
      std::function<absl::Status(journal::Decision&, const Message&, Message*)>;

  using SnapshotFn = std::function<absl::StatusOr<std::string>(
      const resource::Snapshot&, const rpc::Call&, const Message&)>;

  // standard_methods.cc
  using MethodDescriptor = google::protobuf::MethodDescriptor;
  absl::Status AddGet(const MethodDescriptor& method,
                      const resource::Kind& kind);
  absl::Status AddList(const MethodDescriptor& method,
                       const resource::Kind& kind);
  absl::Status AddBatchGet(const MethodDescriptor& method,
                           const resource::Kind& kind);
  absl::Status AddCreate(const MethodDescriptor& method,
                         const resource::Kind& kind);
  absl::Status AddUpdate(const MethodDescriptor& method,
                         const resource::Kind& kind);
  absl::Status AddDelete(const MethodDescriptor& method,
                         const resource::Kind& kind);
  absl::Status AddUndelete(const MethodDescriptor& method,
                           const resource::Kind& kind);
  absl::Status AddSearch(const MethodDescriptor& method);
  absl::Status AddEvents(const MethodDescriptor& method);
  absl::Status AddOneStandard(const MethodDescriptor& method);

  // The one place where a read takes its snapshot.
  void AddSnapshotRead(absl::string_view method, rpc::Place place,
                       SnapshotFn handler);
  void AddRead(absl::string_view method, rpc::Place place, ReadFn handler);
  void AddWrite(absl::string_view method, WriteFn decide);
  void AddStep(absl::string_view method,
               const google::protobuf::Descriptor* resource, StepFn apply);

  const google::protobuf::ServiceDescriptor* service_;
  const resource::Catalogue* catalogue_;
  journal::Store* store_;
  journal::Writer* writer_;
  rpc::ServiceRows rows_;
};

}  // namespace transparency::methods
