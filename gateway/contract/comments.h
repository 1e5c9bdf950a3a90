#pragma once

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.pb.h"

namespace transparency::gateway::contract {

// The comments of a contract: what stands before each message, field, oneof,
// enum, value, service and method. Built once, then immutable.
class Comments {
 public:
  // None: every comment is empty.
  Comments() = default;
  // `files` as protoc makes them with --include_source_info.
  explicit Comments(const google::protobuf::FileDescriptorSet& files);

  // The comment of what has this full name, without the marks, its lines as
  // written; empty when there is none.
  absl::string_view Of(absl::string_view full_name) const;

 private:
  absl::flat_hash_map<std::string, std::string> by_name_;
};

// The first sentence of a comment on one line, without its full stop.
std::string FirstSentence(absl::string_view comment);

}  // namespace transparency::gateway::contract
