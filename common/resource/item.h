#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/resource/kind.h"
#include "google/protobuf/message.h"

namespace transparency::resource {

// One resource in a snapshot, as it is in effect at the snapshot's instant.
// Immutable; shared by all snapshots in which it stands unchanged.
class Item {
 public:
  // What the journal and the tables hold of a resource.
  struct Stored {
    // Without personal fields and etag.
    std::unique_ptr<google::protobuf::Message> message;
    // Personal fields alone, as a message of the same type, and the salt they
    // were stored with; null and empty where there are none.
    std::unique_ptr<google::protobuf::Message> personal;
    std::string personal_salt;
    // The bytes that `message` was parsed from, where they are at hand: saves
    // Make from serializing it to see what the clock has changed.
    absl::string_view body;
    // Revision of its last journal entry.
    int64_t revision = -1;
    // The entry of that revision records the resource as Make brings it into
    // effect: a decision's own result. False for what is read back, which the
    // clock may have left behind.
    bool recorded_in_effect = false;
  };

  // Brings `stored` into effect at `now`.
  static std::shared_ptr<const Item> Make(const Kind& kind, Stored stored,
                                          absl::Time now);

  // The same resource at a later instant, as the clock alone changes it.
  std::shared_ptr<const Item> At(absl::Time now) const;

  const Kind& kind() const { return kind_; }
  const std::string& name() const { return *name_; }
  // The full effective resource, with personal fields and etag.
  const google::protobuf::Message& message() const { return *message_; }
  template <class T>
  const T& as() const {
    return static_cast<const T&>(*message_);
  }
  // message() serialized.
  const std::string& bytes() const { return bytes_; }
  // As the public sees it; null when the public does not see it. The same
  // object as bytes() where nothing is hidden from the public.
  const std::string* public_bytes() const {
    return public_visible_ ? (public_bytes_ ? public_bytes_.get() : &bytes_)
                           : nullptr;
  }
  // Quoted, as in HTTP. A digest of the full effective resource, the personal
  // part salted, so that it tells nothing of a person.
  const std::string& etag() const;
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

 private:
  explicit Item(const Kind& kind) : kind_(kind) {}
  // Returns message() serialized without its etag, a part of bytes().
  absl::string_view Finish(std::unique_ptr<google::protobuf::Message> message,
                           absl::Time now);
  void FindPublicForm();

  const Kind& kind_;
  const std::string* name_ = nullptr;  // a field of message_
  std::unique_ptr<const google::protobuf::Message> message_;
  std::string bytes_;
  std::unique_ptr<const std::string> public_bytes_;
  std::string personal_salt_;
  int64_t revision_ = -1;
  absl::Time next_change_ = absl::InfiniteFuture();
  bool public_visible_ = true;
  bool deleted_ = false;
  bool clock_pending_ = false;
};

using ItemPtr = std::shared_ptr<const Item>;

}  // namespace transparency::resource
