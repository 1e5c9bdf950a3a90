#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "common/rpc/method_table.h"

namespace transparency::rpc {

// grpc.health.v1.Health: states by service name, "" for the whole process.
// Thread-safe; its rows keep it alive.
class Health : public std::enable_shared_from_this<Health> {
 public:
  static std::shared_ptr<Health> Create();
  virtual ~Health() = default;

  // Adds Check and Watch.
  virtual void AddRows(MethodTable* table) = 0;

  // State of one service, or of "". Watchers are told.
  virtual void Set(absl::string_view service, bool serving) = 0;
  // NOT_SERVING for every service from now on, whatever Set says later.
  virtual void Drain() = 0;
  // False for a service never set.
  virtual bool serving(absl::string_view service) const = 0;
};

}  // namespace transparency::rpc
