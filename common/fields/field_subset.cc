#include "common/fields/field_subset.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "google/protobuf/wire_format_lite.h"

namespace transparency::fields {
namespace {

using google::protobuf::internal::WireFormatLite;

constexpr int kLowNumbers = 64;

// Walks the fields of one serialized message.
class Walk {
 public:
  explicit Walk(absl::string_view bytes)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  // The next field's tag; 0 at the end, and when what follows is none.
  uint32_t NextTag() {
    uint64_t tag = 0;
    return at_ != end_ && Varint(&tag) ? static_cast<uint32_t>(tag) : 0;
  }
  // Passes the value behind a tag; false when it is cut off or a group, which
  // proto3 does not have.
  bool Skip(uint32_t tag) {
    uint64_t value = 0;
    switch (WireFormatLite::GetTagWireType(tag)) {
      case WireFormatLite::WIRETYPE_VARINT:
        return Varint(&value);
      case WireFormatLite::WIRETYPE_FIXED64:
        return Forward(8);
      case WireFormatLite::WIRETYPE_LENGTH_DELIMITED:
        return Varint(&value) && Forward(value);
      case WireFormatLite::WIRETYPE_FIXED32:
        return Forward(4);
      default:
        return false;
    }
  }
  bool at_end() const { return at_ == end_; }
  const char* at() const { return at_; }

 private:
  bool Varint(uint64_t* value) {
    constexpr int kMaxShift = 63;
    *value = 0;
    for (int shift = 0; at_ != end_ && shift <= kMaxShift; shift += 7) {
      const auto byte = static_cast<unsigned char>(*at_++);
      *value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool Forward(uint64_t size) {
    if (size > static_cast<uint64_t>(end_ - at_)) return false;
    at_ += size;
    return true;
  }

  const char* at_;
  const char* const end_;
};

}  // namespace

void FieldSubset::Add(const google::protobuf::FieldDescriptor& field) {
  const int number = field.number();
  if (number < kLowNumbers) {
    low_ |= uint64_t{1} << number;
    return;
  }
  const auto place = std::lower_bound(high_.begin(), high_.end(), number);
  if (place == high_.end() || *place != number) high_.insert(place, number);
}

void FieldSubset::Add(const FieldSubset& others) {
  all_ = all_ || others.all_;
  low_ |= others.low_;
  std::vector<int> both;
  std::set_union(high_.begin(), high_.end(), others.high_.begin(),
                 others.high_.end(), std::back_inserter(both));
  high_ = std::move(both);
}

bool FieldSubset::Has(int number) const {
  if (all_) return true;
  if (number < kLowNumbers) return ((low_ >> number) & 1) != 0;
  return std::binary_search(high_.begin(), high_.end(), number);
}

bool FieldSubset::Parse(absl::string_view bytes,
                        google::protobuf::Message* message) const {
  if (all_) {
    return message->ParseFromArray(bytes.data(),
                                   static_cast<int>(bytes.size()));
  }
  message->Clear();
  thread_local std::string kept;
  kept.clear();
  Walk walk(bytes);
  while (!empty()) {
    const char* const begin = walk.at();
    const uint32_t tag = walk.NextTag();
    if (tag == 0) {
      if (!walk.at_end()) return false;
      break;
    }
    if (!walk.Skip(tag)) return false;
    if (Has(WireFormatLite::GetTagFieldNumber(tag))) {
      kept.append(begin, static_cast<size_t>(walk.at() - begin));
    }
  }
  return message->ParseFromString(kept);
}

}  // namespace transparency::fields
