#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/rpc/call.h"
#include "common/rpc/stream.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "transparency/type/v1/annotations.pb.h"

namespace transparency::rpc {

// Takes the answer's serialized bytes, or the refusal; exactly once, on any
// thread, also after the call was abandoned.
using UnaryDone = std::function<void(absl::StatusOr<std::string>)>;
using UnaryHandler = std::function<void(
    std::shared_ptr<Call> call,
    std::unique_ptr<google::protobuf::Message> request, UnaryDone done)>;
// Answers before it returns; must not wait for anything.
using DirectHandler = std::function<absl::StatusOr<std::string>(
    Call& call, google::protobuf::Message& request)>;
using ServerStreamHandler = std::function<absl::Status(
    std::shared_ptr<Call> call,
    std::unique_ptr<google::protobuf::Message> request,
    std::shared_ptr<AnswerWriter> writer)>;

// Where a direct handler runs: on the thread that received the call (it looks
// at no more than some 1,000 resources); there for ReadPool::kSlice and, when
// that is not enough, anew on the read pool; or on the read pool at once. A
// call that was held back before its handler runs on the pool, whatever its
// place.
enum class Place { kInline, kTried, kPool };

// One method as it is served.
struct Row {
  std::string path;  // "/package.Service/Method"
  const google::protobuf::MethodDescriptor* descriptor = nullptr;
  type::v1::Access access = type::v1::ACCESS_UNSPECIFIED;
  // Declared NO_SIDE_EFFECTS: a success leaves no line in the log.
  bool read_only = false;
  // Health and reflection: served while draining too.
  bool built_in = false;
  const google::protobuf::Message* prototype = nullptr;  // of the request
  // Exactly one of these four is set.
  DirectHandler direct;
  Place place = Place::kInline;  // of `direct`
  UnaryHandler unary;
  ServerStreamHandler server_stream;
  StreamFactory stream;
};

class MethodTable;

// Adds the rows of one service. `method` is the simple name of an rpc of the
// service; request and response types must be those of the proto. Mistakes
// are kept for MethodTable::Check.
class ServiceRows {
 public:
  // Response may be std::string: the serialized bytes of the proto's response.
  template <class Request, class Response>
  void Unary(
      absl::string_view method, Place place,
      std::function<absl::StatusOr<Response>(Call&, const Request&)> handler);
  // The handler finds the method's request in `request`.
  void UnaryDirect(absl::string_view method, Place place,
                   DirectHandler handler);
  // For what waits: the writer's queue, other processes.
  void UnaryAsync(absl::string_view method, UnaryHandler handler);

  // The handler starts the stream and returns; an error ends it.
  template <class Request>
  void ServerStream(
      absl::string_view method,
      std::function<absl::Status(std::shared_ptr<Call>, const Request&,
                                 std::shared_ptr<AnswerWriter>)>
          handler);
  void ServerStreamAny(absl::string_view method, ServerStreamHandler handler);
  // Any streaming method, on raw messages.
  void Stream(absl::string_view method, StreamFactory factory);

 private:
  friend class MethodTable;
  ServiceRows(MethodTable* table,
              const google::protobuf::ServiceDescriptor* service)
      : table_(table), service_(service) {}

  // Null, with the mistake kept, when the method cannot take such a row.
  Row* Add(absl::string_view method, bool streaming);
  void ExpectTypes(const Row* row, const google::protobuf::Descriptor* request,
                   const google::protobuf::Descriptor* response);

  MethodTable* table_;
  const google::protobuf::ServiceDescriptor* service_;  // null: unknown service
};

// What a process serves: one row per method. Built at start, then immutable
// and read by all threads.
class MethodTable {
 public:
  // Serves all methods of this service of the generated descriptor pool; each
  // needs a row and an `access` annotation.
  ServiceRows Service(absl::string_view full_name);

  // A method of the infrastructure (health, reflection): open to everybody,
  // with or without descriptor. Its service is listed by reflection.
  Row* AddBuiltIn(absl::string_view path);

  // Handles every method without a row (the gateway), streaming or not. Caller
  // and access are left to the server behind it.
  void PassThrough(StreamFactory factory) {
    pass_through_ = std::move(factory);
  }

  // FAILED_PRECONDITION that lists every mistake: a served method without
  // access annotation or row, two rows, a wrong type, an unknown name.
  absl::Status Check() const;

  // Null when there is none.
  const Row* Find(absl::string_view path) const;
  const StreamFactory& pass_through() const { return pass_through_; }
  // Full names, in order of registration.
  const std::vector<std::string>& services() const { return services_; }
  // Every row, in no order.
  std::vector<const Row*> rows() const;

 private:
  friend class ServiceRows;

  std::vector<const google::protobuf::ServiceDescriptor*> descriptors_;
  std::vector<std::string> services_;
  absl::flat_hash_map<std::string, std::unique_ptr<Row>> rows_;
  StreamFactory pass_through_;
  std::vector<std::string> mistakes_;
};

// ---- implementation of the typed rows ----

namespace internal {

inline absl::StatusOr<std::string> ToBytes(absl::StatusOr<std::string> answer) {
  return answer;
}

template <class Response>
absl::StatusOr<std::string> ToBytes(const absl::StatusOr<Response>& answer) {
  if (!answer.ok()) return answer.status();
  return answer->SerializeAsString();
}

template <class Response>
const google::protobuf::Descriptor* DescriptorOf() {
  if constexpr (std::is_same_v<Response, std::string>) {
    return nullptr;
  } else {
    return Response::descriptor();
  }
}

}  // namespace internal

template <class Request, class Response>
void ServiceRows::Unary(
    absl::string_view method, Place place,
    std::function<absl::StatusOr<Response>(Call&, const Request&)> handler) {
  Row* row = Add(method, /*streaming=*/false);
  if (row == nullptr) return;
  ExpectTypes(row, Request::descriptor(), internal::DescriptorOf<Response>());
  row->place = place;
  row->direct = [handler = std::move(handler)](
                    Call& call, google::protobuf::Message& request) {
    return internal::ToBytes(
        handler(call, static_cast<const Request&>(request)));
  };
}

template <class Request>
void ServiceRows::ServerStream(
    absl::string_view method,
    std::function<absl::Status(std::shared_ptr<Call>, const Request&,
                               std::shared_ptr<AnswerWriter>)>
        handler) {
  Row* row = Add(method, /*streaming=*/true);
  if (row == nullptr) return;
  ExpectTypes(row, Request::descriptor(), nullptr);
  row->server_stream = [handler = std::move(handler)](
                           std::shared_ptr<Call> call,
                           std::unique_ptr<google::protobuf::Message> request,
                           std::shared_ptr<AnswerWriter> writer) {
    return handler(std::move(call), static_cast<const Request&>(*request),
                   std::move(writer));
  };
}

}  // namespace transparency::rpc
