#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

// The resource names that a message holds in its fields with the annotation
// google.api.resource_reference, at any depth. Thread-safe.
namespace transparency::fields {

// One of them, while it is visited.
class Reference {
 public:
  const std::string& name() const { return name_; }
  // Whether the name is of a resource of another service, a full name.
  bool is_foreign() const { return absl::StartsWith(name_, "//"); }
  // What the annotation says that it names: "standards.transparency/Forum".
  const std::string& type() const;
  // Where it stands: "subjects[2].product". Made when it is asked for.
  std::string path() const;

  // For VisitReferences: the field, which of a list (else -1), and the message
  // within which it is, itself a field of the outer one's.
  struct Place {
    const Place* outer;
    const google::protobuf::FieldDescriptor* field;
    int index;
  };
  Reference(const std::string& name, const Place& place)
      : name_(name), place_(place) {}

 private:
  const std::string& name_;
  const Place& place_;
};

// Calls `visit` with each of them that is not empty.
void VisitReferences(const google::protobuf::Message& message,
                     absl::FunctionRef<void(const Reference&)> visit);

// Takes out those of which `which` is true: a field becomes empty, a list
// shorter. Returns whether there were any.
bool ClearReferences(absl::FunctionRef<bool(const std::string&)> which,
                     google::protobuf::Message* message);

}  // namespace transparency::fields
