#include "common/server/frame_guard.h"

#include <algorithm>

namespace transparency::server {
namespace {

constexpr uint8_t kHeaders = 1, kSettings = 4, kPing = 6, kContinuation = 9;
constexpr uint8_t kAck = 0x1, kPadded = 0x8, kPriority = 0x20;
constexpr size_t kPriorityBytes = 5;

constexpr FrameGuard::Breach kHeaderBytes = {"header bytes", false};
constexpr FrameGuard::Breach kHeaderFields = {"header fields", false};
constexpr FrameGuard::Breach kPings = {"pings", true};

}  // namespace

void FieldCounter::Take(absl::string_view bytes) {
  while (!bytes.empty()) {
    if (expect_ != Expect::kName && expect_ != Expect::kValue) {
      TakeByte(static_cast<uint8_t>(bytes[0]));
      bytes.remove_prefix(1);
    } else {
      const auto skipped =
          static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
      bytes.remove_prefix(skipped);
      left_ -= skipped;
    }
    if (left_ > 0) continue;
    if (expect_ == Expect::kName) expect_ = Expect::kValueLength;
    if (expect_ == Expect::kValue) expect_ = Expect::kField;
  }
}

void FieldCounter::TakeByte(uint8_t byte) {
  switch (expect_) {
    case Expect::kField:
      return BeginField(byte);
    case Expect::kIndex:
      if ((byte & 0x80) == 0) AfterIndex();
      return;
    case Expect::kNameLength:
      return TakeLength(byte, Expect::kName, Expect::kValueLength);
    default:
      return TakeLength(byte, Expect::kValue, Expect::kField);
  }
}

void FieldCounter::BeginField(uint8_t byte) {
  const bool indexed = (byte & 0x80) != 0;
  const bool resize = (byte & 0xE0) == 0x20;
  const uint8_t mask = indexed              ? 0x7F
                       : (byte & 0x40) != 0 ? 0x3F
                       : resize             ? 0x1F
                                            : 0x0F;
  if (!resize) ++fields_;
  has_value_ = !indexed && !resize;
  named_ = has_value_ && (byte & mask) == 0;
  expect_ = Expect::kIndex;
  if ((byte & mask) != mask) AfterIndex();
}

void FieldCounter::AfterIndex() {
  expect_ = named_ ? Expect::kNameLength
                   : (has_value_ ? Expect::kValueLength : Expect::kField);
}

void FieldCounter::TakeLength(uint8_t byte, Expect text, Expect next) {
  constexpr int kLastShift = 28;
  if (!more_) {
    left_ = byte & 0x7F;
    shift_ = 0;
    more_ = left_ == 0x7F;
  } else {
    // Longer numbers are no lengths; gRPC refuses them.
    if (shift_ <= kLastShift) left_ += uint64_t{byte & 0x7Fu} << shift_;
    shift_ += 7;
    more_ = (byte & 0x80) != 0;
  }
  if (more_) return;
  expect_ = left_ > 0 ? text : next;
}

bool FrameGuard::Take(absl::string_view bytes, absl::Time now) {
  while (broken_ == nullptr && !bytes.empty()) {
    if (preface_left_ > 0) {
      const size_t taken = std::min(preface_left_, bytes.size());
      preface_left_ -= taken;
      bytes.remove_prefix(taken);
    } else if (head_size_ < sizeof(head_)) {
      head_[head_size_++] = static_cast<uint8_t>(bytes[0]);
      bytes.remove_prefix(1);
      if (head_size_ == sizeof(head_)) BeginFrame(now);
    } else {
      const size_t taken = std::min(payload_left_, bytes.size());
      if (in_headers_) TakeHeaders(bytes.substr(0, taken));
      payload_left_ -= taken;
      bytes.remove_prefix(taken);
    }
    if (head_size_ == sizeof(head_) && payload_left_ == 0) head_size_ = 0;
  }
  return broken_ == nullptr;
}

void FrameGuard::BeginFrame(absl::Time now) {
  payload_left_ = size_t{head_[0]} << 16 | size_t{head_[1]} << 8 | head_[2];
  const uint8_t type = head_[3], flags = head_[4];
  in_headers_ = type == kHeaders || type == kContinuation;
  if (in_headers_) {
    if (type == kHeaders) {
      counter_ = FieldCounter();
      block_bytes_ = 0;
    }
    padded_ = type == kHeaders && (flags & kPadded) != 0;
    skipped_ =
        type == kHeaders && (flags & kPriority) != 0 ? kPriorityBytes : 0;
    padding_ = 0;
    block_bytes_ += payload_left_;
    if (block_bytes_ > limits_.block_bytes) broken_ = &kHeaderBytes;
  } else if ((type == kPing || type == kSettings) && (flags & kAck) == 0) {
    asks_left_ =
        std::min(limits_.asks_at_once,
                 asks_left_ + (refilled_ == absl::InfinitePast()
                                   ? 0
                                   : absl::ToDoubleSeconds(now - refilled_) *
                                         limits_.asks_per_second));
    refilled_ = now;
    asks_left_ -= 1;
    if (asks_left_ < 0) broken_ = &kPings;
  }
}

void FrameGuard::TakeHeaders(absl::string_view bytes) {
  size_t left = payload_left_;
  if (padded_ && !bytes.empty()) {
    padding_ = static_cast<uint8_t>(bytes[0]);
    padded_ = false;
    bytes.remove_prefix(1);
    --left;
  }
  const size_t skipped = std::min(skipped_, bytes.size());
  skipped_ -= skipped;
  bytes.remove_prefix(skipped);
  left -= skipped;
  const size_t fields = left > padding_ ? left - padding_ : 0;
  counter_.Take(bytes.substr(0, fields));
  if (counter_.fields() > limits_.fields) broken_ = &kHeaderFields;
}

}  // namespace transparency::server
