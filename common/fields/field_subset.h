#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace transparency::fields {

// Some of the top-level fields of a message type: what a filter or an order
// looks at. Reading only those out of a serialized message costs a fraction of
// reading it all. A value; const methods are thread-safe.
class FieldSubset {
 public:
  // None of them.
  FieldSubset() = default;

  void Add(const google::protobuf::FieldDescriptor& field);
  void Add(const FieldSubset& others);
  void AddAll() { all_ = true; }

  bool empty() const { return !all_ && low_ == 0 && high_.empty(); }
  bool all() const { return all_; }
  bool Has(int number) const;

  // Makes `message` what it would be if `bytes` held these fields alone; fields
  // that its type does not know may be missing. False when the bytes are no
  // message.
  bool Parse(absl::string_view bytes, google::protobuf::Message* message) const;

 private:
  bool all_ = false;
  uint64_t low_ = 0;       // bit n: the field of number n
  std::vector<int> high_;  // numbers over 63, in order
};

}  // namespace transparency::fields
