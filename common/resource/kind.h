#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/caller.h"
#include "common/query/predicate.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace transparency::resource {

class Snapshot;

// Where an item stands in a snapshot's index: all items of one group stand
// together, sorted by `order`. The group is a fingerprint of text, so a lookup
// can bring a stranger along: whoever looks up compares the item itself.
struct IndexKey {
  uint64_t group = 0;
  int64_t order = 0;
};

// The key of these texts, for example Key("number", body, number).
template <class... Text>
IndexKey Key(const Text&... text) {
  return {absl::HashOf(absl::string_view(text)...), 0};
}

// What a service knows of one kind of resource that its descriptor cannot say.
// Pure functions; the engine calls them from any thread. Typed by `Rules`.
struct KindRules {
  using Message = google::protobuf::Message;

  // Brings the output-only fields that depend on the clock (and those derived
  // from others, such as a state and its allowed steps) up to `now`. Returns
  // the next instant after `now` at which they change, InfiniteFuture when
  // none. Applied to its own result at a later instant it gives what it would
  // have given at once.
  std::function<absl::Time(Message*, absl::Time now)> effective;

  // Under which keys the effective resource is looked up.
  std::function<void(const Message&, std::vector<IndexKey>*)> keys;

  // What a new resource takes from its creator and from the rest of the create
  // request, such as an owner. Runs before `check`, on create alone.
  std::function<absl::Status(const Message& request, const Caller& creator,
                             Message* created)>
      take_over;

  // The rules of create (`before` null) and update, beyond what annotations
  // say. May set output-only fields of `after`. Undelete runs it like a create,
  // over what the resource was when it was deleted: it must not take a null
  // `before` for a blank resource. What only create sets is for `begin`.
  std::function<absl::Status(const Snapshot&, const Message* before,
                             Message* after, absl::Time now)>
      check;

  // What a new resource begins with, such as its first steps. Runs after
  // `check`, on create alone.
  std::function<absl::Status(const Snapshot&, Message* created, absl::Time now)>
      begin;

  // Whether `creator` may have this new resource beside what there is: limits
  // that are not the same for everybody. Runs last on create.
  std::function<absl::Status(const Snapshot&, const Caller& creator,
                             const Message& created, absl::Time now)>
      admit;

  // Why a resource cannot be deleted, beyond references and live children.
  std::function<absl::Status(const Snapshot&, const Message&)> check_delete;

  // The server always chooses a random id (people, visitors, bookings).
  bool random_ids = false;
};

// The typed form of KindRules, for a generated message `T`; empty functions
// mean no rule.
template <class T>
struct Rules {
  std::function<absl::Time(T*, absl::Time now)> effective;
  std::function<void(const T&, std::vector<IndexKey>*)> keys;
  std::function<absl::Status(const google::protobuf::Message& request,
                             const Caller& creator, T* created)>
      take_over;
  std::function<absl::Status(const Snapshot&, const T* before, T* after,
                             absl::Time now)>
      check;
  std::function<absl::Status(const Snapshot&, T* created, absl::Time now)>
      begin;
  std::function<absl::Status(const Snapshot&, const Caller& creator,
                             const T& created, absl::Time now)>
      admit;
  std::function<absl::Status(const Snapshot&, const T&)> check_delete;
  bool random_ids = false;

  KindRules Erase() const;
};

// A field that not everybody who sees the resource sees.
struct HiddenField {
  // From the resource down to the field.
  std::vector<const google::protobuf::FieldDescriptor*> path;
  // Over the resource; null never (an audience is always stated).
  std::shared_ptr<const query::Predicate> audience;
};

// What etags are digested under: without it nobody can tell whether a guess at
// what an etag covers is right. Random until it is set, to what all replicas of
// a database share, before the first of its items is made. Thread-safe.
class EtagKey {
 public:
  EtagKey();

  void Set(std::string key);
  // 32 bytes.
  std::string Digest(absl::string_view bytes) const;

 private:
  std::atomic<std::shared_ptr<const std::string>> key_;
};

// One kind of resource: its descriptor, what its annotations say, its rules.
// Immutable once in a Catalogue.
struct Kind {
  const google::protobuf::Descriptor* descriptor = nullptr;
  // The default instance: what messages of this kind are made from.
  const google::protobuf::Message* prototype = nullptr;
  std::string type;        // certification.transparency/Certificate
  std::string pattern;     // certificates/{certificate}
  std::string collection;  // certificates: the last collection id
  // The message's name in snake_case, management_system: the request field that
  // holds it; the id field is management_system_id.
  std::string singular;
  std::string table;             // certificates: collection in snake_case
  const Kind* parent = nullptr;  // the kind that nests this one, if any

  const google::protobuf::FieldDescriptor* name_field = nullptr;
  const google::protobuf::FieldDescriptor* etag_field = nullptr;
  // Null where the resource has no such field.
  const google::protobuf::FieldDescriptor* create_time_field = nullptr;
  const google::protobuf::FieldDescriptor* update_time_field = nullptr;
  const google::protobuf::FieldDescriptor* delete_time_field = nullptr;
  const google::protobuf::FieldDescriptor* title_field = nullptr;
  std::vector<const google::protobuf::FieldDescriptor*> personal_fields;
  std::shared_ptr<const query::Predicate> visible_when;  // null: everybody
  std::vector<HiddenField> hidden_fields;
  std::shared_ptr<const EtagKey> etag_key;  // of the catalogue

  KindRules rules;

  // Whether a resource of this kind has been deleted.
  bool IsDeleted(const google::protobuf::Message& resource) const {
    return delete_time_field != nullptr &&
           resource.GetReflection()->HasField(resource, delete_time_field);
  }
  // What people call a resource of this kind: its title, or its last id where
  // it has none.
  std::string TitleOf(const google::protobuf::Message& resource) const;
};

// The kinds of one service. Built at start, immutable after.
class Catalogue {
 public:
  // Adds a kind; parents before the kinds they nest. Fails (a defect of the
  // contract) when the message lacks `google.api.resource` with one pattern, a
  // `name` or an `etag`, or when an annotation cannot be read.
  template <class T>
  absl::Status Add(const Rules<T>& rules) {
    return Add(T::descriptor(), rules.Erase());
  }
  absl::Status Add(const google::protobuf::Descriptor* descriptor,
                   KindRules rules);

  const std::vector<std::unique_ptr<const Kind>>& kinds() const {
    return kinds_;
  }
  // The service whose kinds these are, as their types begin:
  // "certification.transparency". There is a kind.
  std::string service() const;

  // Of all its kinds.
  EtagKey& etag_key() const { return *etag_key_; }

  // Null when there is none.
  const Kind* ByDescriptor(const google::protobuf::Descriptor* type) const;
  const Kind* ByType(absl::string_view resource_type) const;
  // The kind whose pattern `name` has.
  const Kind* ByName(absl::string_view name) const;

 private:
  std::shared_ptr<EtagKey> etag_key_ = std::make_shared<EtagKey>();
  std::vector<std::unique_ptr<const Kind>> kinds_;
  absl::flat_hash_map<const google::protobuf::Descriptor*, const Kind*>
      by_descriptor_;
  absl::flat_hash_map<std::string, const Kind*> by_type_;
  // Keyed by the collection ids of the pattern: "organizations/memberships".
  absl::flat_hash_map<std::string, const Kind*> by_collections_;
};

template <class T>
KindRules Rules<T>::Erase() const {
  using google::protobuf::Message;
  KindRules erased;
  erased.random_ids = random_ids;
  if (effective) {
    erased.effective = [rule = effective](Message* m, absl::Time now) {
      return rule(static_cast<T*>(m), now);
    };
  }
  if (keys) {
    erased.keys = [rule = keys](const Message& m, std::vector<IndexKey>* out) {
      rule(static_cast<const T&>(m), out);
    };
  }
  if (take_over) {
    erased.take_over = [rule = take_over](const Message& request,
                                          const Caller& creator,
                                          Message* created) {
      return rule(request, creator, static_cast<T*>(created));
    };
  }
  if (check) {
    erased.check = [rule = check](const Snapshot& view, const Message* before,
                                  Message* after, absl::Time now) {
      return rule(view, static_cast<const T*>(before), static_cast<T*>(after),
                  now);
    };
  }
  if (begin) {
    erased.begin = [rule = begin](const Snapshot& view, Message* created,
                                  absl::Time now) {
      return rule(view, static_cast<T*>(created), now);
    };
  }
  if (admit) {
    erased.admit = [rule = admit](const Snapshot& view, const Caller& creator,
                                  const Message& created, absl::Time now) {
      return rule(view, creator, static_cast<const T&>(created), now);
    };
  }
  if (check_delete) {
    erased.check_delete = [rule = check_delete](const Snapshot& view,
                                                const Message& m) {
      return rule(view, static_cast<const T&>(m));
    };
  }
  return erased;
}

}  // namespace transparency::resource
