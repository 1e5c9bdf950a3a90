#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/call.h"
#include "google/protobuf/message.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/status.h"

// Calls with more than one message on either side. Nothing here blocks: an
// operation starts something and a reaction tells that it is done. At most one
// read and one write are under way; that is the back-pressure.
namespace transparency::rpc {

// The server's end of one call, as its handler uses it. Every operation may
// come from any thread, and after the end does nothing. Thread-safe.
class Stream {
 public:
  virtual ~Stream() = default;

  virtual Call& call() = 0;
  // The call, to be kept beyond the stream.
  virtual std::shared_ptr<Call> shared_call() = 0;

  // Asks for the next message: OnMessage or OnHalfClose follows. Not while a
  // read is under way.
  virtual void Read() = 0;
  // Sends one message: OnWritten follows. Not while a write is under way.
  // `more_follows`: the caller has the next one already, and writes it in
  // OnWritten; the two may then travel together.
  virtual void Write(grpc::ByteBuffer message, bool more_follows) = 0;
  void Write(const grpc::ByteBuffer& message) { Write(message, false); }
  // Sends the answer's headers before the first message. Without it they go
  // with the first message or with the status.
  virtual void SendHeaders() = 0;
  // Ends the call with our own answer; an error gets its ErrorInfo, domain and
  // RequestInfo as on unary calls. A write under way is still sent.
  virtual void Finish(const absl::Status& status) = 0;
  // Ends the call with a status of another server, unchanged to the last byte
  // of its details. Trailers: call().AddTrailer.
  virtual void FinishRaw(grpc::Status status) = 0;
};

// What a method does with a stream. The reactions of one stream come one at a
// time, on threads that serve other calls too: they must not block. No lock of
// the stream is held that its operations need, so that a reaction may call any
// of them.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;

  // The first reaction; from here on the handler may use its stream.
  virtual void OnStart() = 0;
  virtual void OnMessage(grpc::ByteBuffer message) = 0;
  // The client sends nothing more.
  virtual void OnHalfClose() = 0;
  // The message of the last Write is out; `ok` false: it never will be, and
  // OnAbandoned comes or has come.
  virtual void OnWritten(bool ok) = 0;
  // The client has gone or the deadline has passed. Comes once at most and not
  // after Finish. If the handler does not finish the stream in it, the server
  // does so next.
  virtual void OnAbandoned() = 0;
};

// Makes the handler of one call; an error refuses the call. The handler is kept
// until the call is over, and `stream` as long as anybody holds it.
using StreamFactory =
    std::function<absl::StatusOr<std::shared_ptr<StreamHandler>>(
        std::shared_ptr<Stream> stream)>;

// Many answers to one request: the writing end. At most one message is under
// way. Thread-safe.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;

  virtual Call& call() = 0;
  // Sends the answer's headers before there is a message, so that the client
  // knows at once that the call is accepted; a refusal after this cannot be
  // told from an end. Without it they go with the first message.
  virtual void SendHeaders() = 0;
  // True when Write may be called: no message is under way, not finished.
  virtual bool ready() = 0;
  // Sends one message's serialized bytes, or a message. False, and nothing
  // sent, when not ready. `more_follows`: the caller has the next one already,
  // and writes it once ready; the two may then travel together.
  virtual bool Write(std::string bytes, bool more_follows) = 0;
  bool Write(std::string bytes) { return Write(std::move(bytes), false); }
  bool Write(const google::protobuf::Message& message) {
    return Write(message.SerializeAsString());
  }
  // `reaction` runs each time that a message has gone out and the next may be
  // written; not for the first message, nor after the end. Set once. Must not
  // block.
  virtual void OnReady(std::function<void()> reaction) = 0;
  // Ends the stream, after a message under way. The end by abandonment is told
  // by call().OnAbandoned.
  virtual void Finish(const absl::Status& status) = 0;
};

// A message's bytes without a copy, where they are more than a few KiB.
grpc::ByteBuffer ToByteBuffer(std::string bytes);
// The bytes of a message as it came.
std::string ToString(const grpc::ByteBuffer& buffer);
// False when the bytes are not this message, invalid UTF-8 in text included.
bool Parse(const grpc::ByteBuffer& buffer, google::protobuf::Message* message);

}  // namespace transparency::rpc
