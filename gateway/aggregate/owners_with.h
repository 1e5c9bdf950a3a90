#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/repeated_field.h"

namespace transparency::gateway {

// Owners by their name, "standards", each with something of its own.
template <class T>
using ByOwner = std::map<std::string, T>;

// What is asked of the owners in one method of their services, known from the
// contract, for owners without an address too. Immutable, thread-safe.
class OwnersWith {
 public:
  // Those among `known` whose service has a method of this simple name.
  OwnersWith(
      absl::string_view method,
      const std::vector<const google::protobuf::ServiceDescriptor*>& known);

  // The full name of the service, "transparency.standards.v1.StandardsService".
  const ByOwner<std::string>& services() const { return services_; }

  // Each of these resource types to the owner whose it is. INVALID_ARGUMENT
  // over `types` for one that no owner has.
  absl::StatusOr<ByOwner<std::vector<std::string>>> Route(
      const google::protobuf::RepeatedPtrField<std::string>& types) const;

 private:
  ByOwner<std::string> services_;
  std::set<std::string> types_;  // "standards.transparency/Standard"
};

}  // namespace transparency::gateway
