#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/fields/field_subset.h"
#include "common/resource/kind.h"
#include "google/protobuf/message.h"

namespace transparency::resource {

// One resource in a snapshot, as it is in effect at the snapshot's instant.
// Shared by all snapshots in which it stands unchanged. It keeps its bytes; its
// message is read out of them when somebody wants it, its etag digested
// likewise. Immutable to whoever looks; thread-safe.
class Item {
  struct Private {};

 public:
  // What the journal and the tables hold of a resource.
  struct Stored {
    // Without personal fields and etag.
    std::unique_ptr<google::protobuf::Message> message;
    // Personal fields alone, as a message of the same type, and the salt they
    // were stored with; null and empty where there are none.
    std::unique_ptr<google::protobuf::Message> personal;
    std::string personal_salt;
    // Revision of its last journal entry.
    int64_t revision = -1;
    // The entry of that revision records the resource as Make brings it into
    // effect: a decision's own result. False for what is read back, which the
    // clock may have left behind.
    bool recorded_in_effect = false;
  };
  // The same in bytes.
  struct StoredBytes {
    absl::string_view body;
    absl::string_view personal;
    absl::string_view personal_salt;
    int64_t revision = -1;
  };

  // Brings `stored` into effect at `now`; keeps the message.
  static std::shared_ptr<const Item> Make(const Kind& kind, Stored stored,
                                          absl::Time now);
  // The same of what is read back, for very many: the message, without its
  // etag, is left in `scratch`, which may be used again for the next. Null when
  // the bytes cannot be read.
  static std::shared_ptr<const Item> Read(
      const Kind& kind, const StoredBytes& stored, absl::Time now,
      std::unique_ptr<google::protobuf::Message>* scratch);

  // The same resource at a later instant, as the clock alone changes it.
  std::shared_ptr<const Item> At(absl::Time now) const;

  Item(Private, const Kind& kind) : kind_(kind) {}
  ~Item();
  Item(const Item&) = delete;
  Item& operator=(const Item&) = delete;

  const Kind& kind() const { return kind_; }
  const std::string& name() const { return name_; }
  // The full effective resource, with personal fields and etag. Kept from the
  // first call on: for whoever keeps a reference, or will ask again.
  const google::protobuf::Message& message() const;
  template <class T>
  const T& as() const {
    return static_cast<const T&>(message());
  }
  // The same for a look at very many: where it is not kept anyway it is read
  // into `scratch`, which may be used again for the next.
  const google::protobuf::Message& message(
      std::unique_ptr<google::protobuf::Message>* scratch) const;
  // Likewise; other fields than these may be missing.
  const google::protobuf::Message& message(
      const fields::FieldSubset& fields,
      std::unique_ptr<google::protobuf::Message>* scratch) const;
  // message() serialized.
  const std::string& bytes() const;
  // Whether the public sees it.
  bool is_public() const { return public_; }
  // As the public sees it; null when the public does not see it. The same
  // object as bytes() where nothing is hidden from the public.
  const std::string* public_bytes() const;
  // Quoted, as in HTTP. A digest of the full effective resource under the
  // catalogue's EtagKey, so that nobody can try hidden values against it; the
  // personal part is salted besides, so that nobody at all can once it is
  // erased.
  std::string etag() const;
  int64_t revision() const { return revision_; }
  const std::string& personal_salt() const { return personal_salt_; }
  bool deleted() const { return deleted_; }
  // When the clock changes it next; InfiniteFuture when never.
  absl::Time next_change() const { return next_change_; }
  // The clock has changed it since its last journal entry.
  bool clock_pending() const { return clock_pending_; }

  // Copies for storing: without personal fields and etag; and those alone (null
  // when the kind has none or none is set).
  std::unique_ptr<google::protobuf::Message> WithoutPersonal() const;
  std::unique_ptr<google::protobuf::Message> PersonalOnly() const;
  // WithoutPersonal() serialized, the same message always as the same bytes.
  std::string StoredBody() const;

 private:
  static std::shared_ptr<Item> New(const Kind& kind, int64_t revision,
                                   absl::string_view personal_salt);
  // Takes the message, which loses its etag, as it is in effect at `now`.
  void BringIntoEffect(google::protobuf::Message* message, absl::Time now);
  // bytes() without the etag.
  absl::string_view plain() const;
  void Seal() const;

  const Kind& kind_;
  std::string name_;
  std::string personal_salt_;
  int64_t revision_ = -1;
  absl::Time next_change_ = absl::InfiniteFuture();
  size_t plain_size_ = 0;
  bool deleted_ = false;
  bool clock_pending_ = false;
  bool public_ = true;
  bool hides_from_public_ = false;

  // Until it is sealed, the etag in bytes_ is blank and public_bytes_ null.
  mutable std::atomic<bool> sealed_{false};
  mutable std::string bytes_;
  mutable std::unique_ptr<const std::string> public_bytes_;
  mutable std::atomic<const google::protobuf::Message*> message_{nullptr};
};

using ItemPtr = std::shared_ptr<const Item>;

}  // namespace transparency::resource
