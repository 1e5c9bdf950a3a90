#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace transparency::gateway::json {

// Writes proto3 JSON as protobuf's own writer does: camelCase names, enums by
// name, 64-bit numbers as strings, unset fields left out; map entries ordered
// by key, so that equal messages give equal bytes. protobuf 3.21's converts
// descriptors anew for every message written, which costs more than all else
// the gateway does with a call; this one prepares each message type once.
// Thread-safe.
class JsonWriter {
 public:
  JsonWriter();
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;
  ~JsonWriter();

  // Appends the JSON of `message`. The contents of an Any whose type is not in
  // the message's descriptor pool are written in base64 under "value".
  void Write(const google::protobuf::Message& message, std::string* json) const;

  // Appends the JSON of one field's value: null for an unset message, the
  // default for another unset field.
  void WriteField(const google::protobuf::Message& message,
                  const google::protobuf::FieldDescriptor& field,
                  std::string* json) const;

  // What is known of a message type once it was seen.
  struct Plan;

 private:
  void WriteInside(const google::protobuf::Message& message, int any_depth,
                   std::string* json) const;
  const Plan& PlanOf(const google::protobuf::Descriptor& type) const;
  const Plan* Prepare(const google::protobuf::Descriptor& type) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  mutable absl::flat_hash_map<const google::protobuf::Descriptor*,
                              std::unique_ptr<Plan>>
      plans_ ABSL_GUARDED_BY(mutex_);
};

// Appends `text` in quotes, escaped; it must be UTF-8.
void AppendJsonString(absl::string_view text, std::string* json);

}  // namespace transparency::gateway::json
