#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/rpc/method_table.h"

namespace transparency::rpc {

// grpc.reflection.v1 and v1alpha over a descriptor set with comments; what the
// set lacks is looked up in the generated pool. Immutable, thread-safe.
class Reflection {
 public:
  // `descriptor_set` is a serialized google.protobuf.FileDescriptorSet and
  // outlives the process. INVALID_ARGUMENT when it is none.
  static absl::StatusOr<std::shared_ptr<const Reflection>> Create(
      absl::string_view descriptor_set);
  virtual ~Reflection() = default;

  // Adds both versions. Listed are the table's services at the time of the
  // question and `also_listed`, full names that the process passes through.
  static void AddRows(std::shared_ptr<const Reflection> reflection,
                      MethodTable* table,
                      const std::vector<std::string>& also_listed = {});

  // Serialized FileDescriptorProtos; empty when there is none.
  virtual std::string FileByName(absl::string_view name) const = 0;
  // The file that holds the message, field, enum, value, service or method.
  virtual std::string FileBySymbol(absl::string_view symbol) const = 0;
};

}  // namespace transparency::rpc
