#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "boost/json/object.hpp"
#include "gateway/contract/comments.h"
#include "google/protobuf/descriptor.h"

namespace transparency::gateway::openapi {

// The component schemas of an OpenAPI document: one for each message and enum
// that it refers to, made when first referred to, as JsonWriter writes and
// JsonReader reads them.
class OpenApiSchemas {
 public:
  // `requests`: what clients send; what these reach bears the limits that the
  // services ask of requests. `comments` outlives it.
  OpenApiSchemas(
      const contract::Comments* comments,
      const std::vector<const google::protobuf::Descriptor*>& requests);

  // A reference to the message's schema, or the schema itself of one that JSON
  // writes as no object.
  boost::json::object OfMessage(const google::protobuf::Descriptor& type);

  // The schema of a field's value in JSON, described, with its limits.
  boost::json::object OfField(const google::protobuf::FieldDescriptor& field);

  // The same of a field whose value is one text: in a path or a query. Of a
  // repeated one: an array of such.
  boost::json::object OfText(const google::protobuf::FieldDescriptor& field);

  // The schema of a message in a request's body, less the fields at `elsewhere`
  // (paths as in the proto); a partial one asks for no field. A reference where
  // that is the message's own schema, else the component `name`, made here.
  boost::json::object OfBody(const google::protobuf::Descriptor& type,
                             const std::set<std::string>& elsewhere,
                             bool partial, const std::string& name);

  // Adds a component that no message stands for.
  void Add(const std::string& name, boost::json::object schema);
  // The schema of the message as an object of its own, to be added to.
  boost::json::object Inline(const google::protobuf::Descriptor& type);

  // The name of the component of a message or enum: its full name, less the
  // package that all of ours share.
  static std::string NameOf(absl::string_view full_name);
  static boost::json::object Reference(absl::string_view name);

  // All components by name.
  boost::json::object Take() const;

 private:
  // What is left out of a message, and whether it asks for fields.
  struct Shape {
    std::string at;  // path of the message with a dot behind it, or empty
    const std::set<std::string>* elsewhere = nullptr;
    bool partial = false;
  };

  boost::json::object Object(const google::protobuf::Descriptor& type,
                             const Shape& shape);
  boost::json::object Value(const google::protobuf::FieldDescriptor& field,
                            const Shape& shape);
  boost::json::object Single(const google::protobuf::FieldDescriptor& field,
                             const Shape& shape);
  boost::json::object Scalar(const google::protobuf::FieldDescriptor& field);
  boost::json::object OfEnum(const google::protobuf::EnumDescriptor& type);
  bool Differs(const google::protobuf::Descriptor& type, const Shape& shape);
  bool AsksForFields(const google::protobuf::Descriptor& type) const;
  void Describe(const google::protobuf::FieldDescriptor& field, bool as_text,
                boost::json::object* schema) const;
  void AddLimits(const google::protobuf::FieldDescriptor& field,
                 boost::json::object* schema) const;
  std::string Description(const google::protobuf::FieldDescriptor& field,
                          bool as_text) const;
  std::string Description(const google::protobuf::Descriptor& type) const;

  const contract::Comments& comments_;
  absl::flat_hash_set<const google::protobuf::Descriptor*> sent_;
  std::map<std::string, boost::json::object> components_;
};

}  // namespace transparency::gateway::openapi
