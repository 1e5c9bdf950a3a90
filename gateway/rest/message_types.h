#pragma once

#include "google/protobuf/descriptor.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/message.h"

namespace transparency::gateway::rest {

// Finds for a message type of any pool the messages to work with: generated
// ones where the process has them, which parse several times faster, else
// dynamic ones. Thread-safe; prototypes live as long as it.
class MessageTypes {
 public:
  const google::protobuf::Message& Prototype(
      const google::protobuf::Descriptor& type) {
    const auto* pool = google::protobuf::DescriptorPool::generated_pool();
    const google::protobuf::Descriptor* generated =
        type.file()->pool() == pool
            ? &type
            : pool->FindMessageTypeByName(type.full_name());
    if (generated != nullptr) {
      return *google::protobuf::MessageFactory::generated_factory()
                  ->GetPrototype(generated);
    }
    return *dynamic_.GetPrototype(&type);
  }

 private:
  google::protobuf::DynamicMessageFactory dynamic_;
};

}  // namespace transparency::gateway::rest
