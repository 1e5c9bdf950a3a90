#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/caller.h"
#include "common/fields/field_access.h"
#include "common/fields/field_subset.h"
#include "common/query/predicate.h"
#include "common/resource/item.h"
#include "common/resource/kind.h"
#include "google/protobuf/message.h"

namespace transparency::resource {

// How one caller sees the resources of one kind: everything that leaves the
// service goes through here. Cheap to make for a call; keeps references to the
// kind and the caller. Thread-safe.
class Form {
 public:
  Form(const Kind& kind, const Caller& caller);

  // Whether the resource exists for the caller. A deleted one does for staff
  // alone.
  bool Sees(const Item& item) const;
  // The same for a look at very many; `scratch` may be used again for the next.
  bool Sees(const Item& item,
            std::unique_ptr<google::protobuf::Message>* scratch) const;

  // Whether it sees every resource of the kind that is not deleted.
  bool SeesAllLive() const;

  // The resource as the caller sees it, for one that Sees. The item's own
  // message where nothing is hidden; otherwise `scratch` holds the copy and may
  // be used again for the next.
  const google::protobuf::Message& Of(
      const Item& item,
      std::unique_ptr<google::protobuf::Message>* scratch) const;

  // Of, serialized. The item's own bytes where nothing is hidden.
  const std::string& Bytes(const Item& item, std::string* scratch) const;

  // Like Of for a filter or an order that looks at `wanted`, a part of
  // fields(): others may be missing, and fields that exist for the caller in no
  // resource may still be there. `wanted` is what ForQuery(wanted) says.
  const google::protobuf::Message& ForQuery(
      const Item& item, const fields::FieldSubset& wanted,
      std::unique_ptr<google::protobuf::Message>* scratch) const;
  // What has to be read of an item to look at `wanted` in the caller's form.
  fields::FieldSubset ForQuery(fields::FieldSubset wanted) const;

  // The fields that exist for the caller: those that it sees in some resource.
  fields::FieldAccess fields() const;
  // Those that exist for the caller in this resource.
  fields::FieldAccess fields(const Item& item) const;

  // Tells forms of this kind apart, for page tokens: callers with the same see
  // the same.
  std::string Fingerprint() const;

 private:
  using Hidden = std::vector<const HiddenField*>;

  template <class MessageOf>
  bool SeesBy(const Item& item, const MessageOf& message_of) const;
  // Adds those of `candidates` that the caller does not see in this resource.
  void HiddenIn(const google::protobuf::Message& resource,
                const Hidden& candidates, Hidden* hidden) const;
  // `full` without the hidden fields, in `scratch` if there are any.
  static const google::protobuf::Message& Without(
      const Hidden& hidden, const google::protobuf::Message& full,
      std::unique_ptr<google::protobuf::Message>* scratch);

  const Kind& kind_;
  const Caller& caller_;
  const bool public_;  // the caller is
  // What visible_when says of the caller; of the public each item knows.
  query::Reach sees_ = query::Reach::kDepends;
  Hidden always_;     // in every resource
  Hidden sometimes_;  // depending on the resource
};

// Whether the public sees a full resource.
bool PublicSees(const Kind& kind, const google::protobuf::Message& resource);

// Whether the public form of a full resource that the public sees is less than
// the resource.
bool HidesFromPublic(const Kind& kind,
                     const google::protobuf::Message& resource);

// Brings a full resource into the public form. False when the public does not
// see it at all; it is then unchanged.
bool ToPublic(const Kind& kind, google::protobuf::Message* resource);

}  // namespace transparency::resource
