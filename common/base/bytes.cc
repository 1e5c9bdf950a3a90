#include "common/base/bytes.h"

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace transparency {

std::string DeterministicBytes(const google::protobuf::Message& message) {
  std::string bytes;
  AppendDeterministicBytes(message, message.ByteSizeLong(), &bytes);
  return bytes;
}

void AppendDeterministicBytes(const google::protobuf::Message& message,
                              size_t size, std::string* bytes) {
  const size_t begin = bytes->size();
  bytes->resize(begin + size);
  google::protobuf::io::ArrayOutputStream stream(bytes->data() + begin,
                                                 static_cast<int>(size));
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeWithCachedSizes(&coded);
}

}  // namespace transparency
