#include "common/methods/service_methods.h"

#include <memory>
#include <utility>

#include "common/methods/found_for_change.h"
#include "common/methods/fresh_reads.h"
#include "common/methods/request_fields.h"

namespace transparency::methods {
namespace {

using google::protobuf::Message;

// Takes personal fields out of a recorded answer of type `prototype`.
std::string LessPersonal(const Message* prototype, const std::string& answer) {
  std::unique_ptr<Message> message(prototype->New());
  if (!message->ParseFromString(answer)) return "";
  ClearPersonal(message.get());
  return message->SerializeAsString();
}

const Message* Prototype(const google::protobuf::Descriptor* type) {
  return google::protobuf::MessageFactory::generated_factory()->GetPrototype(
      type);
}

}  // namespace

ServiceMethods::ServiceMethods(
    const google::protobuf::ServiceDescriptor* service,
    const resource::Catalogue* catalogue, journal::Store* store,
    journal::Writer* writer, rpc::ServiceRows rows)
    : service_(service),
      catalogue_(catalogue),
      store_(store),
      writer_(writer),
      rows_(rows) {}

void ServiceMethods::AddSnapshotRead(absl::string_view method, rpc::Place place,
                                     SnapshotFn handler) {
  rows_.UnaryDirect(
      method, place,
      [store = store_, name = ServiceName(*service_),
       handler = std::move(handler)](
          rpc::Call& call, Message& request) -> absl::StatusOr<std::string> {
        absl::Status fresh = store->Fresh();
        if (!fresh.ok()) return fresh;
        std::shared_ptr<const resource::Snapshot> snapshot = store->Current();
        TellFreshness(name, *store, *snapshot, &call);
        return handler(*snapshot, call, request);
      });
}

void ServiceMethods::AddRead(absl::string_view method, rpc::Place place,
                             ReadFn handler) {
  AddSnapshotRead(method, place,
                  [handler = std::move(handler)](
                      const resource::Snapshot& snapshot, const rpc::Call& call,
                      const Message& request) {
                    return handler(Reader(&snapshot, &call), request);
                  });
}

void ServiceMethods::AddWrite(absl::string_view method, WriteFn decide) {
  const MethodDescriptor* descriptor =
      service_->FindMethodByName(std::string(method));
  std::function<std::string(const std::string&)> recordable;
  if (descriptor != nullptr && HoldsPersonal(descriptor->output_type())) {
    recordable = [prototype = Prototype(descriptor->output_type())](
                     const std::string& answer) {
      return LessPersonal(prototype, answer);
    };
  }
  rows_.UnaryAsync(method, [writer = writer_, name = ServiceName(*service_),
                            store = store_, decide = std::move(decide),
                            recordable](std::shared_ptr<rpc::Call> call,
                                        std::unique_ptr<Message> owned,
                                        rpc::UnaryDone done) {
    std::shared_ptr<const Message> request = std::move(owned);
    journal::Command command;
    command.caller = call->caller();
    command.method = call->descriptor()->full_name();
    command.request_id = Text(*request, "request_id");
    command.validate_only = Flag(*request, "validate_only");
    if (!command.request_id.empty()) {
      RequestDigests digests = Digest(*request);
      command.request_digest = std::move(digests.plain);
      command.personal_digest = std::move(digests.personal);
    }
    command.deadline = call->deadline();
    command.abandoned = [call] { return call->abandoned(); };
    command.decide = [decide, request](journal::Decision& decision) {
      return decide(decision, *request);
    };
    command.recordable = recordable;
    command.done = [call, done = std::move(done), name,
                    store](absl::StatusOr<journal::CommandResult> result) {
      if (!result.ok()) return done(result.status());
      // A first answer given again: its own revision may be long past, and a
      // gateway takes one that is lower than it knows for another history.
      const std::string token =
          result->repeated ? journal::Store::RevisionToken(*store->Current())
                           : result->revision_token;
      TellRevision(name, token, call.get());
      done(std::move(result->answer));
    };
    writer->Submit(std::move(command));
  });
}

void ServiceMethods::AddStep(absl::string_view method,
                             const google::protobuf::Descriptor* type,
                             StepFn apply) {
  const resource::Kind* kind = catalogue_->ByDescriptor(type);
  AddWrite(method,
           [kind, apply = std::move(apply)](
               journal::Decision& decision,
               const Message& request) -> absl::StatusOr<std::string> {
             absl::StatusOr<resource::ItemPtr> item = FindForChange(
                 decision, *kind, Text(request, "name"), Text(request, "etag"));
             if (!item.ok()) return item.status();
             std::unique_ptr<Message> resource((*item)->message().New());
             resource->CopyFrom((*item)->message());
             absl::Status applied = apply(decision, request, resource.get());
             if (!applied.ok()) return applied;
             absl::StatusOr<resource::ItemPtr> after =
                 decision.Put(*resource, journal::v1::Change::UPDATED, "",
                              Text(request, "reason"));
             if (!after.ok()) return after.status();
             return InForm(**after, decision.caller());
           });
}

}  // namespace transparency::methods
