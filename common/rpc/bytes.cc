#include <utility>

#include "common/rpc/stream.h"
#include "google/protobuf/io/coded_stream.h"
#include "grpcpp/support/proto_buffer_reader.h"
#include "grpcpp/support/slice.h"

namespace transparency::rpc {
namespace {

// Below this a copy costs less than the bookkeeping of a shared string.
constexpr size_t kCopyBelow = 2048;

}  // namespace

grpc::ByteBuffer ToByteBuffer(std::string bytes) {
  if (bytes.size() < kCopyBelow) {
    grpc::Slice slice(bytes.data(), bytes.size());
    return grpc::ByteBuffer(&slice, 1);
  }
  auto* kept = new std::string(std::move(bytes));
  grpc::Slice slice(
      kept->data(), kept->size(),
      [](void* string) { delete static_cast<std::string*>(string); }, kept);
  return grpc::ByteBuffer(&slice, 1);
}

std::string ToString(const grpc::ByteBuffer& buffer) {
  std::string bytes;
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return bytes;
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

bool Parse(const grpc::ByteBuffer& buffer, google::protobuf::Message* message) {
  grpc::Slice slice;
  if (buffer.TrySingleSlice(&slice).ok()) {
    return message->ParseFromArray(slice.begin(),
                                   static_cast<int>(slice.size()));
  }
  // The reader takes its buffer as mutable and leaves it as it is.
  grpc::ByteBuffer copy(buffer);
  grpc::ProtoBufferReader reader(&copy);
  return reader.status().ok() && message->ParseFromZeroCopyStream(&reader);
}

}  // namespace transparency::rpc
